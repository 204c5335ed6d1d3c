/* Smooth weighted round robin: each peer earns its weight at every pick, the richest is taken and
 * pays all that was earned. Weights 5, 1, 1 give a a b a c a a, not five in a row. */
#include "upstream/balance.h"

static uint32_t pick(struct gate_balance_state *st, const struct gate_peer_set *set,
                     const bool *may)
{
    uint32_t best = UINT32_MAX;
    int64_t earned = 0;

    for (uint32_t i = 0; i < set->n; i++) {
        if (!may[i])
            continue;
        st->credit[i] += set->v[i].weight;
        earned += set->v[i].weight;
        if (best == UINT32_MAX || st->credit[i] > st->credit[best])
            best = i;
    }
    if (best != UINT32_MAX)
        st->credit[best] -= earned;
    return best;
}

const struct gate_balance_ops gate_balance_round_robin = {"round_robin", pick};
