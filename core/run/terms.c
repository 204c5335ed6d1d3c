/* Terms: certificates and OCSP responses that have ended, or are about to: a word at the start and
 * once a day. */
#include <stdio.h>

#include "run/engine_int.h"

#define DAY_S     86400
#define DAY_MS    (DAY_S * 1000ull)
#define SOON_DAYS 7

struct walk {
    struct gate_engine *engine;
    struct gate_str where; /* the listener, or the upstream */
    int64_t now_s;
};

static void judge(const struct walk *w, const char *what, struct gate_str file, int64_t ends_s)
{
    long long days = (ends_s - w->now_s) / DAY_S;

    if (ends_s <= w->now_s)
        gate_logf(&w->engine->log, GATE_LOG_WARN, "the %s %.*s (%.*s) has ended %s", what,
                  (int)file.n, file.p, (int)w->where.n, w->where.p,
                  w->now_s - ends_s < DAY_S ? "today" : "and has to be renewed");
    else if (days < SOON_DAYS)
        gate_logf(&w->engine->log, GATE_LOG_WARN, "the %s %.*s (%.*s) ends in %lld day%s", what,
                  (int)file.n, file.p, (int)w->where.n, w->where.p, days, days == 1 ? "" : "s");
}

static void judge_term(void *arg, const struct gate_tls_term *term)
{
    const struct walk *w = arg;

    judge(w, "certificate", term->file, term->ends_s);
    /* Responses live for days: that they are near their end is how it should be. */
    if (term->staple_ends_s != 0 && term->staple_ends_s <= w->now_s)
        judge(w, "OCSP response for", term->file, term->staple_ends_s);
}

/* Upstreams that say the same of TLS share it: the first one stands for all. */
static bool is_first(struct gate_tls_client *const *clients, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++) {
        if (clients[k] == clients[i])
            return false;
    }
    return true;
}

void gate_terms_tell(struct gate_engine *e)
{
    const struct gate_config *c = e->current->g.config;
    struct gate_tls_client *const *clients = e->current->g.clients;
    struct walk w = {
        .engine = e,
        .now_s = gate_clock_wall_ns(&e->clock) / (int64_t)GATE_SEC,
    };

    for (uint32_t i = 0; i < c->n_listeners; i++) {
        w.where = c->listeners[i].text;
        if (e->current->tls[i] != NULL)
            gate_tls_server_each(e->current->tls[i], judge_term, &w);
    }
    for (uint32_t i = 0; i < c->n_upstreams; i++) {
        w.where = c->upstreams[i].name;
        if (clients[i] != NULL && is_first(clients, i))
            gate_tls_client_each(clients[i], judge_term, &w);
    }
    gate_loop_timer(&e->loop, &e->terms, DAY_MS);
}

static void on_day(struct gate_timer *t)
{
    gate_terms_tell(gate_container_of(t, struct gate_engine, terms));
}

void gate_terms_init(struct gate_engine *e)
{
    gate_timer_init(&e->terms, on_day);
}
