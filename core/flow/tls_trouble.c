/* A word about servers with which there is no TLS: no fault tells of them while others answer. */
#include "flow/flow_int.h"

/* Lines are this far apart: every request may meet the same trouble. */
#define TELL_EVERY_MS 1000

void gate_flow_tell_tls(struct gate_exchange *x, const char *why)
{
    struct gate_worker *w = x->worker;
    uint64_t now = gate_loop_now(&w->loop);

    if (w->tls_told_ms != 0 && now < w->tls_told_ms + TELL_EVERY_MS) {
        w->tls_untold++;
        return;
    }
    gate_log_write(w->log, GATE_LOG_WARN, "no TLS with a server",
                   (struct gate_log_field[]){
                       {"upstream", x->flow->upstream->name},
                       {"server", gate_str_from_cstr(x->flow->attempt.peer->name)},
                       {"address", gate_str_from_cstr(x->flow->attempt.peer->text)},
                       {"reason", gate_str_from_cstr(why)},
                   },
                   4);
    if (w->tls_untold > 0)
        gate_logf(w->log, GATE_LOG_WARN, "%u times before that there was no TLS with a server",
                  w->tls_untold);
    w->tls_untold = 0;
    w->tls_told_ms = now;
}
