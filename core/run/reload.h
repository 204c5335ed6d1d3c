/* Reload: how a generation comes to be and is published, for the first time and later. Control
 * thread. */
#ifndef GATE_RUN_RELOAD_H
#define GATE_RUN_RELOAD_H

#include "run/engine_int.h"

/* Connections that the process may hold when the gateway does not say: half of the descriptors,
 * less some for other uses. */
uint32_t gate_reload_connections(void);

/* Begins a load, or the activation of what a host has loaded (takes over wish->made); none goes
 * on. */
void gate_reload_start(struct gate_engine *e, const struct gate_reload_wish *wish);

/* wish.c. "reload", "rollback", "canary", "activation", "renewal" */
const char *gate_wish_name(enum gate_reload_why why);

/* Tells all who wait. */
void gate_wish_answer(struct gate_engine *e, const struct gate_reload_wish *wish, int status,
                      const char *text);

/* Does it now. */
void gate_wish_grant(struct gate_engine *e, const struct gate_reload_wish *wish);

/* engine.c. What the first configuration decides for the life of the process: workers, control
 * socket. */
enum gate_err gate_engine_settle(struct gate_engine *e, const struct gate_config *c,
                                 struct gate_load_errors *errors);

/* Brings the logs to what the configuration says. */
enum gate_err gate_engine_logs(struct gate_engine *e, const struct gate_config *c,
                               struct gate_load_errors *errors);

/* The readiness line. */
void gate_engine_announce(const struct gate_engine *e);

#endif
