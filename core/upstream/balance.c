#include "upstream/balance.h"

#include "base/mem.h"

void gate_balance_state_fini(struct gate_balance_state *st)
{
    gate_free(st->credit);
    gate_free(st->may);
    *st = (struct gate_balance_state){0};
}

/* A set of another version starts anew: indexes mean other peers. */
static void follow_set(struct gate_balance_state *st, const struct gate_peer_set *set)
{
    if (st->version == set->version && st->n == set->n && st->may != NULL)
        return;
    st->credit = gate_realloc(st->credit, (set->n + 1) * sizeof(*st->credit));
    memset(st->credit, 0, (set->n + 1) * sizeof(*st->credit));
    st->may = gate_realloc(st->may, (set->n + 1) * sizeof(*st->may));
    st->version = set->version;
    st->n = set->n;
}

static bool was_tried(const struct gate_peer *p, const struct gate_peer *const *tried, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (tried[i] == p)
            return true;
    }
    return false;
}

static bool is_full(const struct gate_peer_entry *e)
{
    return e->max_connections > 0 && gate_peer_active(e->peer) >= e->max_connections;
}

/* How a peer may be used; smaller is better. Marks are guesses: a marked peer is still better than
 * none. */
enum rank { RANK_GOOD, RANK_BACKUP, RANK_MARKED, RANK_MARKED_BACKUP, RANK_NEVER };

static enum rank rank_of(const struct gate_peer_entry *e, uint64_t now_ms,
                         const struct gate_peer *const *tried, uint32_t n_tried)
{
    bool marked;

    if (e->down || e->weight == 0 || is_full(e) || was_tried(e->peer, tried, n_tried))
        return RANK_NEVER;
    marked = gate_peer_is_down(e->peer, now_ms);
    if (e->backup)
        return marked ? RANK_MARKED_BACKUP : RANK_BACKUP;
    return marked ? RANK_MARKED : RANK_GOOD;
}

const bool *gate_balance_may(struct gate_balance_state *st, const struct gate_peer_set *set,
                             uint64_t now_ms, const struct gate_peer *const *tried,
                             uint32_t n_tried)
{
    enum rank best = RANK_NEVER;
    uint32_t n = set->n;
    bool *may;

    follow_set(st, set);
    may = st->may;
    for (uint32_t i = 0; i < n; i++) {
        enum rank rank = rank_of(&set->v[i], now_ms, tried, n_tried);

        if (rank < best && i > 0)
            memset(may, 0, i * sizeof(*may));
        if (rank < best)
            best = rank;
        may[i] = rank == best;
    }
    return best == RANK_NEVER ? NULL : may;
}

enum gate_err gate_balance_pick(const struct gate_balance_ops *ops, struct gate_balance_state *st,
                                const struct gate_peer_set *set, uint64_t now_ms,
                                const struct gate_peer *const *tried, uint32_t n_tried,
                                struct gate_peer **peer)
{
    const bool *may = gate_balance_may(st, set, now_ms, tried, n_tried);
    uint32_t i;

    *peer = NULL;
    if (may == NULL)
        return GATE_E_NOTFOUND;
    i = ops->pick(st, set, may);
    if (i >= set->n)
        return GATE_E_NOTFOUND;
    *peer = set->v[i].peer;
    return GATE_OK;
}

bool gate_balance_has_other(const struct gate_peer_set *set, uint64_t now_ms,
                            const struct gate_peer *const *tried, uint32_t n_tried,
                            const struct gate_peer *failed)
{
    for (uint32_t i = 0; i < set->n; i++) {
        if (set->v[i].peer != failed && rank_of(&set->v[i], now_ms, tried, n_tried) < RANK_MARKED)
            return true;
    }
    return false;
}

const struct gate_balance_ops *gate_balance_ops_of(enum gate_balance which)
{
    switch (which) {
    case GATE_BALANCE_LEAST_REQUESTS:
        return &gate_balance_least_requests;
    case GATE_BALANCE_ROUND_ROBIN:
    case GATE_BALANCE_FUNCTION:
        break;
    }
    return &gate_balance_round_robin;
}
