/* Canary order: what an operator asks of a canary, read from the words of a command or of the
 * control socket. Plain data. */
#ifndef GATE_RUN_CANARY_ORDER_H
#define GATE_RUN_CANARY_ORDER_H

#include "run/condition.h"

struct gate_canary_order {
    uint32_t share;         /* of GATE_CANARY_WHOLE */
    uint64_t for_ms;
    struct gate_conditions conditions;
};

/* The parts of an order; each refusal is one line in *why that says what was expected. "5%": more
 * than none and at most half, so that what serves is seen as well as what is tried. */
bool gate_canary_order_share(struct gate_canary_order *o, const char *text, char *why,
                             size_t cap);

/* "60s": from one second to a day. */
bool gate_canary_order_time(struct gate_canary_order *o, const char *text, char *why, size_t cap);

/* Further conditions. */
bool gate_canary_order_abort(struct gate_canary_order *o, const char *text, char *why,
                             size_t cap);

/* What was not said gets its default: a minute, GATE_CONDITIONS_DEFAULT. */
void gate_canary_order_complete(struct gate_canary_order *o);

/* "5%", "0.25%"; "60 s", "1.5 s" */
void gate_canary_order_share_text(uint32_t share, char to[16]);
void gate_canary_order_time_text(uint64_t ms, char to[24]);

#endif
