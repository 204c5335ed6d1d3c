/* Attempts as exchanges make them: whoever begins one holds its peer until it has ended. */
#ifndef GATE_TESTS_HELD_ATTEMPT_H
#define GATE_TESTS_HELD_ATTEMPT_H

#include "upstream/attempt.h"

static inline void begin_attempt(struct gate_attempt *a, struct gate_links *links,
                                 struct gate_peer *peer)
{
    gate_attempt_init(a, links, peer, gate_peer_hold(peer, links->worker));
}

/* Nothing, where none has begun. */
static inline void end_attempt(struct gate_attempt *a, enum gate_close_reason why)
{
    struct gate_peer *peer = a->peer;

    gate_attempt_end(a, why);
    gate_peer_release(&peer, a->share);
}

#endif
