/* Tunnel seat: what a tunnel without log hooks keeps of its generation, so that the generation can
 * go: names of route and upstream, limits, a place to count. One thread; but the counts of tunnels
 * that have ended, which all workers share and which have a lock of their own. */
#ifndef GATE_EXCHANGE_TUNNEL_SEAT_H
#define GATE_EXCHANGE_TUNNEL_SEAT_H

#include "exchange/exchange.h"

struct gate_tunnel_counts;

struct gate_tunnel_counts *gate_tunnel_counts_new(void);
void gate_tunnel_counts_free(struct gate_tunnel_counts **counts);

/* By route name; by_class as in struct gate_route_stats. Takes the lock. */
void gate_tunnel_counts_each(struct gate_tunnel_counts *counts,
                             void (*fn)(void *arg, struct gate_str route,
                                        const uint64_t by_class[6]),
                             void *arg);

/* Gives the exchange a seat of its own: no scripts run for it any more. Its route and upstream are
 * copies from here on (ordinal 0). */
void gate_tunnel_seat_take(struct gate_exchange *x);

#endif
