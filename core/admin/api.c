#include <stdlib.h>

#include "admin/server_int.h"
#include "base/assert.h"

/* Paths of the control socket, and what each does. */
struct endpoint {
    const char *path;
    const char *method;
    enum gate_admin_page page;      /* of those without `run` */
    void (*run)(struct admin_conn *c, struct gate_str body);
};

static const char plain[] = "text/plain; charset=utf-8";

static void reply_text(struct admin_conn *c, int status, const char *text)
{
    gate_admin_reply(c, status, plain, "", text, strlen(text));
}

/* Answers with what was written, and frees it. */
static void reply_written(struct admin_conn *c, const char *type, FILE *f, char **body,
                          const size_t *n)
{
    fclose(f);
    gate_admin_reply(c, 200, type, "", *body, *n);
    free(*body);
}

/* People see tables, programs JSON. */
static bool wants_text(const struct admin_conn *c)
{
    const struct gate_field *f = gate_fields_find(&c->head.fields, GATE_F_ACCEPT);
    struct gate_str accept = f == NULL ? GATE_STR_NONE : gate_field_value(f);

    return accept.n >= 10 && memcmp(accept.p, "text/plain", 10) == 0;
}

static void show(struct admin_conn *c, enum gate_admin_page page)
{
    bool text = wants_text(c);
    const char *type = text ? plain : "application/json";
    char *body = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&body, &n);

    if (f == NULL) {
        reply_text(c, 503, "503 no memory\n");
        return;
    }
    c->admin->ops->show(c->admin->arg, page, text, f);
    if (page == GATE_PAGE_METRICS)
        type = "text/plain; version=0.0.4; charset=utf-8";
    reply_written(c, type, f, &body, &n);
}

static const char decided[] = "409 the program around this gateway decides what it serves\n";

static void post_reload(struct admin_conn *c, struct gate_str body)
{
    (void)body;
    if (c->admin->ops->reload == NULL) {
        reply_text(c, 409, decided);
        return;
    }
    c->admin->ops->reload(c->admin->arg, c->handle);
}

/* Bodies are a line of JSON in one form. */
static void copy_body(struct gate_str body, char to[ADMIN_BODY_MAX + 1])
{
    memcpy(to, body.p, body.n);
    to[body.n] = '\0';
}

/* {"number": 7}, or nothing: the generation before */
static void post_rollback(struct admin_conn *c, struct gate_str body)
{
    char text[ADMIN_BODY_MAX + 1];
    unsigned long long number = 0;

    copy_body(body, text);
    if (c->admin->ops->rollback == NULL)
        reply_text(c, 409, decided);
    else if (body.n > 0 && sscanf(text, " { \"number\" : %18llu }", &number) != 1)
        reply_text(c, 400, "400 expected {\"number\": generation}\n");
    else
        c->admin->ops->rollback(c->admin->arg, number, c->handle);
}

/* The members of an order to try a canary, "" where none is given. Nothing else may stand there. */
static bool read_order(const char *text, char share[32], char time[32], char conditions[900])
{
    static const char *const forms[] = {
        " { \"share\" : \"%31[^\"\\]\" , \"for\" : \"%31[^\"\\]\" , "
        "\"abort_if\" : \"%899[^\"\\]\" } %n",
        " { \"share\" : \"%31[^\"\\]\" , \"for\" : \"%31[^\"\\]\" } %n",
        " { \"share\" : \"%31[^\"\\]\" } %n",
    };
    int n;

    for (size_t i = 0; i < GATE_COUNT_OF(forms); i++) {
        n = 0;
        share[0] = time[0] = conditions[0] = '\0';
        if (i == 0)
            sscanf(text, forms[i], share, time, conditions, &n);
        else if (i == 1)
            sscanf(text, forms[i], share, time, &n);
        else
            sscanf(text, forms[i], share, &n);
        if (n > 0 && text[n] == '\0')
            return true;
    }
    return false;
}

static void post_canary(struct admin_conn *c, struct gate_str body)
{
    char text[ADMIN_BODY_MAX + 1], share[32], time[32], conditions[900];

    copy_body(body, text);
    if (c->admin->ops->canary == NULL)
        reply_text(c, 409, decided);
    else if (!read_order(text, share, time, conditions))
        reply_text(c, 400, "400 expected {\"share\": \"5%\", \"for\": \"60s\", \"abort_if\": "
                           "\"errors > 1%\"}; the last one, or the last two, may be left out\n");
    else
        c->admin->ops->canary(c->admin->arg, share, time, conditions, c->handle);
}

/* {"method": "GET", "url": "/a"} */
static void post_explain(struct admin_conn *c, struct gate_str body)
{
    char text[ADMIN_BODY_MAX + 1], method[32], url[ADMIN_BODY_MAX + 1];
    char *answer = NULL;
    size_t n = 0;
    FILE *f;

    copy_body(body, text);
    if (sscanf(text, " { \"method\" : \"%31[^\"\\]\" , \"url\" : \"%1000[^\"\\]\" }", method,
               url) != 2) {
        reply_text(c, 400, "400 expected {\"method\": \"GET\", \"url\": \"/path\"}\n");
        return;
    }
    f = open_memstream(&answer, &n);
    if (f == NULL) {
        reply_text(c, 503, "503 no memory\n");
        return;
    }
    c->admin->ops->explain(c->admin->arg, method, url, f);
    reply_written(c, plain, f, &answer, &n);
}

/* {"advance_ms": 1000} */
static void post_clock(struct admin_conn *c, struct gate_str body)
{
    static const char refusal[] = "400 expected {\"advance_ms\": milliseconds}\n";
    unsigned long long ms;
    char text[ADMIN_BODY_MAX + 1];

    if (c->admin->ops->advance == NULL) {
        reply_text(c, 409, "409 the clock can be moved under --test-clock only\n");
        return;
    }
    copy_body(body, text);
    if (sscanf(text, " { \"advance_ms\" : %12llu }", &ms) != 1) {
        reply_text(c, 400, refusal);
        return;
    }
    c->admin->ops->advance(c->admin->arg, ms);
    gate_admin_reply(c, 200, "application/json", "", "{\"ok\":true}\n", 12);
}

static const struct endpoint endpoints[] = {
    { "/status", "GET", .page = GATE_PAGE_STATUS },
    { "/metrics", "GET", .page = GATE_PAGE_METRICS },
    { "/generations", "GET", .page = GATE_PAGE_GENERATIONS },
    { "/routes", "GET", .page = GATE_PAGE_ROUTES },
    { "/upstreams", "GET", .page = GATE_PAGE_UPSTREAMS },
    { "/top", "GET", .page = GATE_PAGE_TOP },
    { "/canary", "GET", .page = GATE_PAGE_CANARY },
    { "/canary", "POST", .run = post_canary },
    { "/explain", "POST", .run = post_explain },
    { "/reload", "POST", .run = post_reload },
    { "/rollback", "POST", .run = post_rollback },
    { "/clock", "POST", .run = post_clock },
};

/* The path is known, the method is not what any of its endpoints takes. */
static void refuse_method(struct admin_conn *c, const char *allowed)
{
    char allow[64];

    snprintf(allow, sizeof(allow), "Allow: %s\r\n", allowed);
    gate_admin_reply(c, 405, plain, allow, "405 wrong method\n", 17);
}

void gate_admin_dispatch(struct admin_conn *c, struct gate_str body)
{
    char allowed[32] = "";

    for (size_t i = 0; i < GATE_COUNT_OF(endpoints); i++) {
        const struct endpoint *e = &endpoints[i];
        size_t n = strlen(allowed);

        if (!gate_str_eq(c->head.path, gate_str_from_cstr(e->path)))
            continue;
        snprintf(allowed + n, sizeof(allowed) - n, "%s%s", n > 0 ? ", " : "", e->method);
        if (!gate_str_eq(c->head.method_text, gate_str_from_cstr(e->method)))
            continue;
        if (e->run != NULL)
            e->run(c, body);
        else
            show(c, e->page);
        return;
    }
    if (allowed[0] != '\0')
        refuse_method(c, allowed);
    else
        reply_text(c, 404, "404 there are /status, /metrics, /generations, /canary, /routes, "
                           "/upstreams, /top, and with POST /explain, /reload, /canary, "
                           "/rollback, /clock\n");
}
