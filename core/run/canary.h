/* Canary: a generation that gets a share of new requests until its figures, beside those of the one
 * that serves, say whether it is to serve or to go. Control thread. */
#ifndef GATE_RUN_CANARY_H
#define GATE_RUN_CANARY_H

#include "run/engine_int.h"

/* Requests that a canary must have had before anybody judges it. */
#define GATE_CANARY_MIN 500

/* Whether it may be tried beside what serves: listeners, limits and gate.process are the
 * gateway's, not a request's. False: *why says what differs. */
bool gate_canary_fits(const struct gate_config *canary, const struct gate_config *current,
                      char *why, size_t cap);

/* Begins, when none runs; `begun` once each worker has its part. Takes over the generation. */
void gate_canary_begin(struct gate_engine *e, struct gate_live *live,
                       const struct gate_canary_order *order,
                       void (*begun)(struct gate_live *live));

/* Gives up the one that runs. False: none runs. `why` is a whole phrase: "replaced by a reload". */
bool gate_canary_withdraw(struct gate_engine *e, const char *why);

bool gate_canary_runs(const struct gate_engine *e);

/* The generation that is on trial, or about to be; 0: none is. */
uint64_t gate_canary_number(const struct gate_engine *e);

/* What there is to tell; false: there has been none. The texts live until the next call. */
bool gate_canary_report(struct gate_engine *e, struct gate_report_canary *out);
void gate_canary_free(struct gate_canary **c);

#endif
