#include "run/explain.h"

#include <string.h>

#include "http/parse.h"

/* The head that a client would send, so that the answer is that of the gateway itself. */
static size_t make_head(const char *method, const char *url, char *to, size_t cap)
{
    const char *host = "localhost";
    size_t host_n = strlen(host);
    int n;

    if (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0) {
        host = strstr(url, "//") + 2;
        host_n = strcspn(host, "/?#");
        url = host + host_n;
    }
    n = snprintf(to, cap, "%s %s%s HTTP/1.1\r\nHost: %.*s\r\n\r\n", method,
                 url[0] == '/' || strcmp(url, "*") == 0 ? "" : "/", url, (int)host_n, host);
    return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}

static void put_reasons(const struct gate_config *config, const struct gate_router *router,
                        const struct gate_report_hide *hide, const struct gate_route_query *q,
                        struct gate_arena *arena, FILE *to)
{
    char why[16384], text[32768];
    struct gate_out out = gate_out_on(why, sizeof(why));
    struct gate_out shown = gate_out_on(text, sizeof(text));

    gate_router_explain(router, q, arena, &out);
    hide->fn(hide->arg, gate_out_view(&out), &shown);
    fwrite(shown.p, 1, shown.n, to);
    if (shown.n > 0 && shown.p[shown.n - 1] != '\n')
        fputc('\n', to);
    for (uint32_t i = 0; i < config->n_policies; i++) {
        const struct gate_policy_config *p = &config->policies[i];

        if ((p->hooks & (1u << GATE_HOOK_ROUTE)) != 0)
            fprintf(to, "  depends on the route hook of %.*s: it may choose another\n",
                    (int)p->name.n, p->name.p);
    }
}

bool gate_explain(const struct gate_config *config, const struct gate_router *router,
                  const struct gate_report_hide *hide, const char *method, const char *url,
                  FILE *to)
{
    const struct gate_limits *limits = &config->limits;
    struct gate_head_limits hl = { .header_bytes = 32768, .header_count = 100,
                                   .target_bytes = limits->target_bytes,
                                   .encoded_slash_reject = limits->encoded_slash_reject,
                                   .merge_slashes = limits->merge_slashes };
    struct gate_headers headers = { .original = NULL };
    struct gate_request_head head;
    struct gate_arena arena;
    struct gate_refusal refused = { 400, "the URL is too long" };
    char text[16384];
    size_t n = make_head(method, url, text, sizeof(text));

    gate_arena_init(&arena, NULL);
    if (n > 0)
        refused = gate_parse_request(text, n, &hl, false, &arena, &head);
    if (refused.status != 0) {
        fprintf(to, "no route: the gateway answers %d: %s\n", refused.status, refused.why);
    } else {
        struct gate_route_query q = { .method = head.method_text, .host = head.host,
                                      .path = head.path_text, .query = head.query,
                                      .headers = &headers };

        headers.original = &head.fields;
        put_reasons(config, router, hide, &q, &arena, to);
    }
    gate_arena_clear(&arena);
    return refused.status == 0;
}
