/* The end of a load: its addresses, its names, its generation. */
#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "run/canary.h"
#include "run/reload_int.h"
#include "run/resolver.h"

/* Every address gets its sockets, or none does. */
static enum gate_err listen_all(struct gate_reload *r)
{
    struct gate_engine *e = r->engine;
    const struct gate_config *c = r->live->g.config;

    r->fresh = gate_calloc(c->n_listeners + 1, sizeof(*r->fresh));
    for (uint32_t i = 0; i < c->n_listeners; i++) {
        const struct gate_listener_config *l = &c->listeners[i];
        struct gate_listen_wish wish;
        char text[GATE_ADDR_TEXT + 256];

        memset(&wish, 0, sizeof(wish));
        wish.addr = l->addr;
        wish.mode = l->mode;
        wish.backlog = l->backlog;
        wish.sockets = l->addr.u.sa.sa_family == AF_UNIX
                           ? 1
                           : gate_listen_sockets(e->n_workers, e->processors);
        for (uint32_t k = 0; k < i; k++)
            wish.nth += gate_addr_eq(&c->listeners[k].addr, &l->addr);
        if (gate_listen_set_find(&e->broker->set, &wish) == NULL)
            r->fresh[r->n_fresh++] = NULL;
        if (gate_broker_listen(e->broker, &wish, &r->live->points[i]) != GATE_OK) {
            if (r->n_fresh > 0 && r->fresh[r->n_fresh - 1] == NULL)
                r->n_fresh--;
            gate_listen_explain(&l->addr, errno, text, sizeof(text));
            gate_load_errors_add(&r->errors, GATE_STR_NONE, 0, text);
            r->cannot_listen = true;
            return GATE_E_SYS;
        }
        if (r->n_fresh > 0 && r->fresh[r->n_fresh - 1] == NULL)
            r->fresh[r->n_fresh - 1] = r->live->points[i];
    }
    return GATE_OK;
}

static enum gate_err fit_canary(struct gate_reload *r)
{
    char why[256];

    if (gate_canary_fits(r->live->g.config, r->engine->current->g.config, why, sizeof(why)))
        return GATE_OK;
    gate_load_errors_add(&r->errors, gate_bundle_main_name(r->live->bundle), 0, why);
    return GATE_E_INVALID;
}

/* The load is over; the canary goes on by itself. */
static void on_canary_begun(struct gate_live *live)
{
    struct gate_engine *e = live->engine;
    const struct gate_canary_order *order = &e->reload->wish.canary;
    char text[128], share[16], time[24];

    gate_canary_order_share_text(order->share, share);
    gate_canary_order_time_text(order->for_ms, time);
    snprintf(text, sizeof(text), "generation %llu gets %s of new requests for %s\n",
             (unsigned long long)live->g.number, share, time);
    gate_reload_watch_tried(e, live->bundle);
    gate_wish_answer(e, &e->reload->wish, 200, text);
    gate_reload_finish(e);
    gate_control_left(e);
}

static void on_resolved(void *arg)
{
    struct gate_reload *r = arg;
    struct gate_engine *e = r->engine;
    struct gate_live *live = r->live;

    if (e->draining) {
        gate_reload_fail_with(r, "the gateway is draining");
        return;
    }
    r->live = NULL;
    if (r->wish.why == GATE_RELOAD_CANARY) {
        gate_canary_begin(e, live, &r->wish.canary, on_canary_begun);
        return;
    }
    gate_canary_withdraw(e, "replaced by a change of the files");
    gate_live_apply(e, live->g.config);
    for (struct gate_list *n = e->broker->set.points.next; n != &e->broker->set.points;
         n = n->next)
        gate_container_of(n, struct gate_listen_point, node)->wanted = false;
    for (uint32_t i = 0; i < live->g.config->n_listeners; i++)
        live->points[i]->wanted = true;
    gate_live_publish(live);
}

/* Legal, and what nobody should find out from an incident. */
static void tell_who_is_believed_unseen(const struct gate_reload *r)
{
    const struct gate_config *c = r->live->g.config;

    for (uint32_t i = 0; i < c->n_upstreams && r->wish.why != GATE_RELOAD_RENEW; i++) {
        const struct gate_upstream_config *u = &c->upstreams[i];

        if (u->tls != NULL && !u->tls->verify)
            gate_logf(&r->engine->log, GATE_LOG_WARN,
                      "upstream %.*s (%.*s) has tls.verify = false: whoever answers is believed",
                      (int)u->name.n, u->name.p, (int)u->at.n, u->at.p);
    }
}

void gate_reload_publish(struct gate_reload *r)
{
    struct gate_engine *e = r->engine;
    enum gate_err err = GATE_OK;

    if (r->wish.why == GATE_RELOAD_CANARY)
        err = fit_canary(r);
    if (err == GATE_OK && !e->draining)
        err = listen_all(r);
    if (err == GATE_OK)
        err = gate_engine_logs(e, r->live->g.config, &r->errors);
    if (err != GATE_OK) {
        gate_reload_fail(r);
        return;
    }
    tell_who_is_believed_unseen(r);
    gate_resolver_prepare(e->resolver, r->live->g.config, on_resolved, r);
}

void gate_reload_swapped(struct gate_engine *e)
{
    struct gate_reload *r = e->reload;
    unsigned long long number = e->current->g.number;
    char text[128];

    gate_kept_note(e, e->current);
    if (e->current->from != 0)
        snprintf(text, sizeof(text), "generation %llu serves, as generation %llu did\n", number,
                 (unsigned long long)e->current->from);
    else
        snprintf(text, sizeof(text), "generation %llu serves\n", number);
    if (r->first) {
        gate_broker_ready(e->broker, e->current->g.config->process.drain_ms);
        gate_engine_announce(e);
        if (r->wish.why == GATE_RELOAD_HEIR)
            gate_heir_announce(e);
        gate_reload_watch(e);
    } else {
        if (r->wish.why != GATE_RELOAD_RENEW)
            gate_reload_note(e, NULL);
        gate_logf(&e->log, GATE_LOG_INFO, "%.*s", (int)strlen(text) - 1, text);
        if (e->current->from == 0)
            gate_reload_watch_tried(e, e->current->bundle);
    }
    gate_terms_tell(e);
    gate_wish_answer(e, &r->wish, 200, text);
    if (e->host != NULL)
        e->host->ready(e->host, number);
    gate_reload_finish(e);
    gate_control_left(e);
}
