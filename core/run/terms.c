/* Terms: certificates and OCSP responses that have ended, or are about to: a word at the start and
 * once a day. */
#include <stdio.h>

#include "run/engine_int.h"

#define DAY_S     86400
#define DAY_MS    (DAY_S * 1000ull)
#define SOON_DAYS 7

struct walk {
    struct gate_engine *engine;
    const char *listener;
    int listener_n;
    int64_t now_s;
};

static void judge(const struct walk *w, const char *what, struct gate_str file, int64_t ends_s)
{
    long long days = (ends_s - w->now_s) / DAY_S;

    if (ends_s <= w->now_s)
        gate_logf(&w->engine->log, GATE_LOG_WARN, "the %s %.*s (%.*s) has ended %s", what,
                  (int)file.n, file.p, w->listener_n, w->listener,
                  w->now_s - ends_s < DAY_S ? "today" : "and has to be renewed");
    else if (days < SOON_DAYS)
        gate_logf(&w->engine->log, GATE_LOG_WARN, "the %s %.*s (%.*s) ends in %lld day%s", what,
                  (int)file.n, file.p, w->listener_n, w->listener, days, days == 1 ? "" : "s");
}

static void judge_term(void *arg, const struct gate_tls_term *term)
{
    const struct walk *w = arg;

    judge(w, "certificate", term->file, term->ends_s);
    /* Responses live for days: that they are near their end is how it should be. */
    if (term->staple_ends_s != 0 && term->staple_ends_s <= w->now_s)
        judge(w, "OCSP response for", term->file, term->staple_ends_s);
}

void gate_terms_tell(struct gate_engine *e)
{
    const struct gate_config *c = e->current->g.config;

    for (uint32_t i = 0; i < c->n_listeners; i++) {
        struct walk w = {
            .engine = e,
            .listener = c->listeners[i].text.p,
            .listener_n = (int)c->listeners[i].text.n,
            .now_s = gate_clock_wall_ns(&e->clock) / (int64_t)GATE_SEC,
        };

        if (e->current->tls[i] != NULL)
            gate_tls_server_each(e->current->tls[i], judge_term, &w);
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
