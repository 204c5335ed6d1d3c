/* Resolver: keeps the addresses of named servers fresh: asks DNS by the TTL, hands the answers
 * to the registry, and keeps the last good ones while DNS fails. Control thread. */
#ifndef GATE_RUN_RESOLVER_H
#define GATE_RUN_RESOLVER_H

#include "config/config.h"
#include "net/loop.h"
#include "upstream/registry.h"

struct gate_resolver;

struct gate_resolver *gate_resolver_new(struct gate_loop *loop, struct gate_registry *registry,
                                        struct gate_log *log);
void gate_resolver_free(struct gate_resolver **r);

/* Asks for every name of a configuration that is not known yet; `done` follows from the loop
 * when all have answered, one way or the other, or after 3 s. At once, from inside the call,
 * when there is nothing to wait for. One at a time. */
void gate_resolver_prepare(struct gate_resolver *r, const struct gate_config *config,
                           void (*done)(void *arg), void *arg);

/* After gate_registry_apply: hands over what is known of the names the registry now has,
 * forgets the others. */
void gate_resolver_apply(struct gate_resolver *r);

#endif
