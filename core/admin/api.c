#include <stdlib.h>

#include "admin/server_int.h"

/* Paths of the control socket, and what each does. */
struct endpoint {
    const char *path;
    const char *method;
    void (*run)(struct admin_conn *c, struct gate_str body);
};

static void reply_text(struct admin_conn *c, int status, const char *text)
{
    gate_admin_reply(c, status, "text/plain; charset=utf-8", "", text, strlen(text));
}

/* Lets `write` make the body. */
static void reply_written(struct admin_conn *c, const char *type,
                          void (*write)(void *arg, FILE *to))
{
    char *body = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&body, &n);

    if (f == NULL) {
        reply_text(c, 503, "503 no memory\n");
        return;
    }
    write(c->admin->arg, f);
    fclose(f);
    gate_admin_reply(c, 200, type, "", body, n);
    free(body);
}

static void get_status(struct admin_conn *c, struct gate_str body)
{
    (void)body;
    reply_written(c, "application/json", c->admin->ops->status);
}

static void get_metrics(struct admin_conn *c, struct gate_str body)
{
    (void)body;
    reply_written(c, "text/plain; version=0.0.4; charset=utf-8", c->admin->ops->metrics);
}

static void post_reload(struct admin_conn *c, struct gate_str body)
{
    (void)body;
    c->admin->ops->reload(c->admin->arg, c->handle);
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
    memcpy(text, body.p, body.n);
    text[body.n] = '\0';
    if (sscanf(text, " { \"advance_ms\" : %12llu }", &ms) != 1) {
        reply_text(c, 400, refusal);
        return;
    }
    c->admin->ops->advance(c->admin->arg, ms);
    gate_admin_reply(c, 200, "application/json", "", "{\"ok\":true}\n", 12);
}

static const struct endpoint endpoints[] = {
    { "/status", "GET", get_status },
    { "/metrics", "GET", get_metrics },
    { "/reload", "POST", post_reload },
    { "/clock", "POST", post_clock },
};

void gate_admin_dispatch(struct admin_conn *c, struct gate_str body)
{
    for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
        const struct endpoint *e = &endpoints[i];
        char allow[32];

        if (!gate_str_eq(c->head.path, gate_str_from_cstr(e->path)))
            continue;
        if (gate_str_eq(c->head.method_text, gate_str_from_cstr(e->method))) {
            e->run(c, body);
            return;
        }
        snprintf(allow, sizeof(allow), "Allow: %s\r\n", e->method);
        gate_admin_reply(c, 405, "text/plain; charset=utf-8", allow, "405 wrong method\n", 17);
        return;
    }
    reply_text(c, 404, "404 there are /status, /metrics, /reload (POST) and /clock (POST)\n");
}
