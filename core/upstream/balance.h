/* Balance: picks a peer for an attempt. One algorithm a file (balance_round_robin.c,
 * balance_least_requests.c); the state is per worker and upstream, embedded in the worker's
 * upstream. One thread. */
#ifndef GATE_UPSTREAM_BALANCE_H
#define GATE_UPSTREAM_BALANCE_H

#include "upstream/registry.h"

/* What an algorithm keeps per worker. Rebuilt when the set's version changes. */
struct gate_balance_state {
    uint64_t version;
    int64_t *credit; /* smooth weighted round robin: current weights, by index; owned */
    uint32_t n;
    uint32_t turn; /* tie break */
    bool *may;     /* scratch of gate_balance_pick; owned */
};

struct gate_balance_ops {
    const char *name; /* as in gate.upstream { balance = "…" } */
    /* Index among set->v with may[i]; UINT32_MAX: none. may has set->n entries and is not all
     * false. */
    uint32_t (*pick)(struct gate_balance_state *st, const struct gate_peer_set *set,
                     const bool *may);
};

extern const struct gate_balance_ops gate_balance_round_robin;
extern const struct gate_balance_ops gate_balance_least_requests;

/* The algorithm that a configuration names. Never NULL. */
const struct gate_balance_ops *gate_balance_ops_of(enum gate_balance which);

/* Frees what a state owns; a zeroed state is ready for use. */
void gate_balance_state_fini(struct gate_balance_state *st);

/* Which peers may take a request now, by index; NULL: none. Valid until the next call. */
const bool *gate_balance_may(struct gate_balance_state *st, const struct gate_peer_set *set,
                             uint64_t now_ms, const struct gate_peer *const *tried,
                             uint32_t n_tried);

/* The whole choice: leaves out what is administratively down, marked down, tried before (`tried`,
 * n_tried), full; backups only when no other is left; when all are marked down, the marks are
 * ignored (never refuse for a guess; never the only peer). *peer is borrowed from the set.
 * GATE_E_NOTFOUND: none (fault no_peer). */
enum gate_err gate_balance_pick(const struct gate_balance_ops *ops, struct gate_balance_state *st,
                                const struct gate_peer_set *set, uint64_t now_ms,
                                const struct gate_peer *const *tried, uint32_t n_tried,
                                struct gate_peer **peer);

/* Whether a peer is left that would be picked without a guess: neither marked down, nor `failed`,
 * nor tried before. A retry is worth its time only then. */
bool gate_balance_has_other(const struct gate_peer_set *set, uint64_t now_ms,
                            const struct gate_peer *const *tried, uint32_t n_tried,
                            const struct gate_peer *failed);

#endif
