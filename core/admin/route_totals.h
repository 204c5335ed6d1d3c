/* Route totals: requests by route name and status class, summed over workers and over
 * generations that are gone, so that no reload sets a counter back. One thread (control). */
#ifndef GATE_ADMIN_ROUTE_TOTALS_H
#define GATE_ADMIN_ROUTE_TOTALS_H

#include "base/siphash.h"
#include "exchange/generation.h"

struct gate_route_total {
    char *name;                 /* owned; "" for requests without a route */
    uint64_t by_class[6];
};

struct gate_route_totals {
    struct gate_route_total *v; /* in the order in which names came */
    uint32_t n;
    uint32_t cap;
    uint32_t *slots;            /* open addressing: index + 1 into v */
    uint32_t n_slots;
    struct gate_sipkey key;
};

void gate_route_totals_init(struct gate_route_totals *t);
void gate_route_totals_fini(struct gate_route_totals *t);

/* Adds what one seat of a generation has counted (n_routes + 1 entries, the last without a
 * route). */
void gate_route_totals_add(struct gate_route_totals *t, const struct gate_config *config,
                           const struct gate_route_stats *stats);

/* Adds numbers of one name. */
void gate_route_totals_count(struct gate_route_totals *t, struct gate_str name,
                             const uint64_t by_class[6]);

/* Of this name; NULL: nothing was counted. */
const struct gate_route_total *gate_route_totals_find(const struct gate_route_totals *t,
                                                      struct gate_str name);

/* Adds all of another. */
void gate_route_totals_merge(struct gate_route_totals *t, const struct gate_route_totals *from);

#endif
