#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "http/parse.h"
#include "run/cli.h"

/* A route in words, a column each. */
struct row {
    char text[5][80];
};

struct table {
    struct row *v;
    uint32_t n;
    const struct gate_loaded *loaded;
};

static const char *const titles[5] = { "ROUTE", "HOST", "PATH", "METHODS", "ACTION" };

static void put_methods(const struct gate_route_config *r, char *to, size_t cap)
{
    struct gate_out o = gate_out_on(to, cap - 1);

    for (uint32_t i = 0; i < r->n_methods; i++) {
        if (i > 0)
            gate_out_char(&o, ',');
        gate_out_str(&o, r->methods[i]);
    }
    if (r->n_methods == 0)
        gate_out_char(&o, '*');
    to[o.n] = '\0';
}

static void put_action(const struct gate_config *c, const struct gate_route_config *r, char *to,
                       size_t cap)
{
    switch (r->action) {
    case GATE_ACTION_UPSTREAM:
        snprintf(to, cap, "upstream %.*s", (int)c->upstreams[r->upstream].name.n,
                 c->upstreams[r->upstream].name.p);
        break;
    case GATE_ACTION_REPLY:
        snprintf(to, cap, "reply %d", r->reply.status);
        break;
    case GATE_ACTION_HANDLER:
        snprintf(to, cap, "handler");
        break;
    case GATE_ACTION_REDIRECT:
        snprintf(to, cap, "redirect %d %.*s", r->redirect_status, (int)r->redirect_to.n,
                 r->redirect_to.p);
        break;
    default:
        snprintf(to, cap, "-");
        break;
    }
    if (r->when) {
        size_t n = strlen(to);

        snprintf(to + n, cap - n, " (depends on when)");
    }
}

/* A cell, cut where it is too wide. Hidden before it is cut: half a secret is one, too. */
static void put_str(const struct gate_vm *vm, char *to, size_t cap, struct gate_str s,
                    const char *empty)
{
    char text[1024];
    struct gate_out o = gate_out_on(text, sizeof(text));

    gate_vm_hide(vm, s.n > 0 ? s : gate_str_from_cstr(empty), &o);
    snprintf(to, cap, "%.*s", (int)o.n, o.p);
}

static void add_row(void *arg, const struct gate_route_config *r)
{
    struct table *t = arg;
    const struct gate_vm *vm = t->loaded->vm;
    struct row *row = &t->v[t->n++];
    char action[512];

    put_str(vm, row->text[0], sizeof(row->text[0]), r->name, "-");
    put_str(vm, row->text[1], sizeof(row->text[1]), r->host, "*");
    put_str(vm, row->text[2], sizeof(row->text[2]), r->path, "*");
    put_methods(r, row->text[3], sizeof(row->text[3]));
    put_action(t->loaded->config, r, action, sizeof(action));
    put_str(vm, row->text[4], sizeof(row->text[4]), gate_str_from_cstr(action), "-");
}

static void print_table(const struct table *t)
{
    int width[5];

    for (int k = 0; k < 5; k++) {
        width[k] = (int)strlen(titles[k]);
        for (uint32_t i = 0; i < t->n; i++) {
            int n = (int)strlen(t->v[i].text[k]);

            width[k] = n > width[k] ? n : width[k];
        }
    }
    for (int k = 0; k < 5; k++)
        printf(k < 4 ? "%-*s  " : "%.*s\n", k < 4 ? width[k] : 99, titles[k]);
    for (uint32_t i = 0; i < t->n; i++) {
        for (int k = 0; k < 5; k++)
            printf(k < 4 ? "%-*s  " : "%.*s\n", k < 4 ? width[k] : 99, t->v[i].text[k]);
    }
}

static int print_routes(const struct gate_loaded *l)
{
    struct table t = { .loaded = l };

    t.v = gate_calloc(l->config->n_routes + 1, sizeof(*t.v));
    gate_router_each(l->router, add_row, &t);
    print_table(&t);
    gate_free(t.v);
    return 0;
}

/* The head that a client would send, so that the answer is that of the gateway itself. */
static size_t make_head(const struct gate_options *o, char *to, size_t cap)
{
    const char *url = o->url;
    const char *host = "localhost";
    size_t host_n = strlen(host);
    int n;

    if (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0) {
        host = strstr(url, "//") + 2;
        host_n = strcspn(host, "/?#");
        url = host + host_n;
    }
    n = snprintf(to, cap, "%s %s%s HTTP/1.1\r\nHost: %.*s\r\n\r\n", o->method,
                 url[0] == '/' || strcmp(url, "*") == 0 ? "" : "/", url, (int)host_n, host);
    return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}

static void print_explained(const struct gate_loaded *l, const struct gate_route_query *q,
                            struct gate_arena *arena)
{
    char why[16384], hidden[32768];
    struct gate_out out = gate_out_on(why, sizeof(why));
    struct gate_out shown = gate_out_on(hidden, sizeof(hidden));

    gate_router_explain(l->router, q, arena, &out);
    gate_vm_hide(l->vm, gate_out_view(&out), &shown);
    printf("%.*s", (int)shown.n, shown.p);
    if (shown.n > 0 && shown.p[shown.n - 1] != '\n')
        putchar('\n');
    for (uint32_t i = 0; i < l->config->n_policies; i++) {
        const struct gate_policy_config *p = &l->config->policies[i];

        if ((p->hooks & (1u << GATE_HOOK_ROUTE)) != 0)
            printf("  depends on the route hook of %.*s: it may choose another\n", (int)p->name.n,
                   p->name.p);
    }
}

static int explain(const struct gate_options *o, const struct gate_loaded *l)
{
    const struct gate_limits *limits = &l->config->limits;
    struct gate_head_limits hl = { .header_bytes = 32768, .header_count = 100,
                                   .target_bytes = limits->target_bytes,
                                   .encoded_slash_reject = limits->encoded_slash_reject,
                                   .merge_slashes = limits->merge_slashes };
    struct gate_headers headers = { .original = NULL };
    struct gate_request_head head;
    struct gate_arena arena;
    struct gate_refusal refused = { 400, "the URL is too long" };
    char text[16384];
    size_t n = make_head(o, text, sizeof(text));
    int status = 1;

    gate_arena_init(&arena, NULL);
    if (n > 0)
        refused = gate_parse_request(text, n, &hl, false, &arena, &head);
    if (refused.status != 0) {
        printf("no route: the gateway answers %d: %s\n", refused.status, refused.why);
    } else {
        struct gate_route_query q = { .method = head.method_text, .host = head.host,
                                      .path = head.path_text, .query = head.query,
                                      .headers = &headers };

        headers.original = &head.fields;
        print_explained(l, &q, &arena);
        status = 0;
    }
    gate_arena_clear(&arena);
    return status;
}

int gate_cli_routes(const struct gate_options *o)
{
    struct gate_bundle *bundle = NULL;
    struct gate_load_errors errors;
    struct gate_loaded loaded;
    int status = 1;

    gate_load_errors_init(&errors);
    if (gate_cli_load(o, false, &bundle, &loaded, &errors) != GATE_OK) {
        gate_load_errors_text(&errors, stderr);
    } else {
        status = o->method != NULL ? explain(o, &loaded) : print_routes(&loaded);
        gate_loaded_fini(&loaded);
        gate_bundle_free(&bundle);
    }
    gate_load_errors_fini(&errors);
    return status;
}
