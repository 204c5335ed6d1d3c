/* The peer with the fewest requests in flight for its weight; among equals in turn. The count is of
 * all workers. */
#include "upstream/balance.h"

static uint32_t pick(struct gate_balance_state *st, const struct gate_peer_set *set,
                     const bool *may)
{
    uint32_t best = UINT32_MAX;
    uint64_t best_active = 0;

    for (uint32_t k = 0; k < set->n; k++) {
        uint32_t i = (st->turn + k) % set->n;
        uint64_t active;

        if (!may[i])
            continue;
        active = gate_peer_active(set->v[i].peer);
        if (best == UINT32_MAX || active * set->v[best].weight < best_active * set->v[i].weight) {
            best = i;
            best_active = active;
        }
    }
    st->turn = best == UINT32_MAX ? 0 : best + 1;
    return best;
}

const struct gate_balance_ops gate_balance_least_requests = {"least_requests", pick};
