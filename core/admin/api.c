#include <stdlib.h>

#include "admin/json.h"
#include "admin/members.h"
#include "admin/server_int.h"
#include "base/assert.h"

/* A step of the test clock. */
#define CLOCK_MAX_MS 1000000000000u

/* Paths of the control socket, and what each does. */
struct endpoint {
    const char *path;
    const char *method;
    enum gate_admin_page page;      /* of those without `run` */
    void (*run)(struct admin_conn *c, struct gate_str body);
};

static const char plain[] = "text/plain; charset=utf-8";

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

void gate_admin_say(struct admin_conn *c, int status, const char *extra, const char *text)
{
    size_t length = strlen(text), n = 0;
    char *body = NULL;
    FILE *f;

    if (wants_text(c)) {
        gate_admin_reply(c, status, plain, extra, text, length);
        return;
    }
    f = open_memstream(&body, &n);
    if (f == NULL) {
        gate_admin_reply(c, 503, plain, "", "no memory\n", 10);
        return;
    }
    fprintf(f, "{\"ok\":%s", status == 200 ? "true" : "false");
    while (length > 0 && text[length - 1] == '\n')
        length--;
    gate_json_member(f, "message", gate_str_of(text, length));
    fputs("}\n", f);
    fclose(f);
    gate_admin_reply(c, status, "application/json", extra, body, n);
    free(body);
}

static void reply_text(struct admin_conn *c, int status, const char *text)
{
    gate_admin_say(c, status, "", text);
}

static void show(struct admin_conn *c, enum gate_admin_page page)
{
    bool text = wants_text(c);
    const char *type = text ? plain : "application/json";
    char *body = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&body, &n);

    if (f == NULL) {
        reply_text(c, 503, "no memory\n");
        return;
    }
    c->admin->ops->show(c->admin->arg, page, text, f);
    if (page == GATE_PAGE_METRICS)
        type = "text/plain; version=0.0.4; charset=utf-8";
    reply_written(c, type, f, &body, &n);
}

static const char decided[] = "the program around this gateway decides what it serves\n";

static void post_reload(struct admin_conn *c, struct gate_str body)
{
    (void)body;
    if (c->admin->ops->reload == NULL) {
        reply_text(c, 409, decided);
        return;
    }
    c->admin->ops->reload(c->admin->arg, c->handle);
}

/* {"number": 7}, or nothing: the generation before */
static void post_rollback(struct admin_conn *c, struct gate_str body)
{
    struct gate_member number = { .name = "number" };

    if (c->admin->ops->rollback == NULL)
        reply_text(c, 409, decided);
    else if (body.n > 0 && (!gate_members_read(body, &number, 1) ||
                             (number.given && number.number == 0)))
        reply_text(c, 400, "expected {\"number\": generation}\n");
    else
        c->admin->ops->rollback(c->admin->arg, number.number, c->handle);
}

static void post_canary(struct admin_conn *c, struct gate_str body)
{
    char share[32] = "", time[32] = "", conditions[900] = "";
    struct gate_member order[] = {
        { .name = "share", .text = share, .cap = sizeof(share) },
        { .name = "for", .text = time, .cap = sizeof(time) },
        { .name = "abort_if", .text = conditions, .cap = sizeof(conditions) },
    };

    if (c->admin->ops->canary == NULL)
        reply_text(c, 409, decided);
    else if (!gate_members_read(body, order, GATE_COUNT_OF(order)) || share[0] == '\0')
        reply_text(c, 400, "expected {\"share\": \"5%\", \"for\": \"60s\", \"abort_if\": "
                           "\"errors > 1%\"}; \"for\" and \"abort_if\" may be left out\n");
    else
        c->admin->ops->canary(c->admin->arg, share, time, conditions, c->handle);
}

/* {"method": "GET", "url": "/a"} */
static void post_explain(struct admin_conn *c, struct gate_str body)
{
    char method[32] = "", url[ADMIN_BODY_MAX] = "";
    struct gate_member request[] = {
        { .name = "method", .text = method, .cap = sizeof(method) },
        { .name = "url", .text = url, .cap = sizeof(url) },
    };
    char *answer = NULL;
    size_t n = 0;
    FILE *f;

    if (!gate_members_read(body, request, GATE_COUNT_OF(request)) || method[0] == '\0' ||
        url[0] == '\0') {
        reply_text(c, 400, "expected {\"method\": \"GET\", \"url\": \"/path\"}\n");
        return;
    }
    f = open_memstream(&answer, &n);
    if (f == NULL) {
        reply_text(c, 503, "no memory\n");
        return;
    }
    c->admin->ops->explain(c->admin->arg, method, url, f);
    fclose(f);
    reply_text(c, 200, answer);
    free(answer);
}

/* {"advance_ms": 1000} */
static void post_clock(struct admin_conn *c, struct gate_str body)
{
    struct gate_member ms = { .name = "advance_ms" };

    if (c->admin->ops->advance == NULL) {
        reply_text(c, 409, "the clock can be moved under --test-clock only\n");
        return;
    }
    if (!gate_members_read(body, &ms, 1) || !ms.given || ms.number > CLOCK_MAX_MS) {
        reply_text(c, 400, "expected {\"advance_ms\": milliseconds}\n");
        return;
    }
    c->admin->ops->advance(c->admin->arg, ms.number);
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
    gate_admin_say(c, 405, allow, "wrong method\n");
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
        reply_text(c, 404, "there are /status, /metrics, /generations, /canary, /routes, "
                           "/upstreams, /top, and with POST /explain, /reload, /canary, "
                           "/rollback, /clock\n");
}
