/* Words about servers with which something is wrong: no fault tells of them while others answer. */
#include <stdio.h>

#include "flow/flow_int.h"

static void tell(struct gate_exchange *x, enum gate_log_level level, const char *text,
                 const char *why)
{
    const struct gate_peer *peer = x->flow->attempt.peer;

    gate_log_write(x->worker->log, level, text,
                   (struct gate_log_field[]){
                       {"upstream", x->flow->upstream->name},
                       {"server", gate_str_from_cstr(peer->name)},
                       {"peer", gate_str_from_cstr(peer->text)},
                       {"why", gate_str_from_cstr(why)},
                   },
                   why == NULL ? 3 : 4);
}

void gate_flow_tell_tls(struct gate_exchange *x, const char *why)
{
    struct gate_worker *w = x->worker;
    uint32_t untold;

    /* Every request may meet the same trouble. */
    if (!gate_log_pace_allows(&w->tls_pace, gate_loop_now(&w->loop), 1, &untold))
        return;
    tell(x, GATE_LOG_WARN, "no TLS with a server", why);
    if (untold > 0)
        gate_logf(w->log, GATE_LOG_WARN, "%u times before that there was no TLS with a server",
                  untold);
}

void gate_flow_connect_failed(struct gate_exchange *x, const char *why)
{
    struct gate_worker *w = x->worker;
    uint64_t ms = gate_peer_connect_failed(x->flow->attempt.peer, gate_loop_now(&w->loop));
    char text[64];

    gate_counters_add(&w->counters, GATE_C_CONNECT_FAILURES, 1);
    if (ms == 0)
        return;
    snprintf(text, sizeof(text), "server left out for %u s: connects failed",
             (unsigned)(ms / 1000));
    tell(x, GATE_LOG_WARN, text, why);
}

void gate_flow_connect_ok(struct gate_exchange *x)
{
    if (gate_peer_connect_ok(x->flow->attempt.peer))
        tell(x, GATE_LOG_INFO, "server is back", NULL);
}
