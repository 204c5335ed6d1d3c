/* A set of peers for the tests of balancers: weights in, counts out. */
#ifndef GATE_TESTS_UPSTREAM_BALANCE_CASE_H
#define GATE_TESTS_UPSTREAM_BALANCE_CASE_H

#include <stdlib.h>

#include "upstream/balance.h"

#define CASE_PEERS   4
#define CASE_WORKERS 2

struct balance_case {
    struct gate_balance_state st;
    struct gate_peer *peers[CASE_PEERS];
    struct gate_peer_set *set;
    uint32_t got[CASE_PEERS];
};

static inline void case_init(struct balance_case *c, const uint32_t *weights, uint32_t n)
{
    *c = (struct balance_case){.set = calloc(1, sizeof(*c->set) + n * sizeof(c->set->v[0]))};
    c->set->version = 1;
    c->set->n = n;
    for (uint32_t i = 0; i < n; i++) {
        c->peers[i] = gate_peer_new(&(struct gate_addr){0}, "o.test:80", CASE_WORKERS);
        c->set->v[i].peer = c->peers[i];
        c->set->v[i].weight = weights[i];
    }
}

static inline void case_fini(struct balance_case *c)
{
    gate_balance_state_fini(&c->st);
    for (uint32_t i = 0; i < CASE_PEERS; i++)
        gate_peer_unref(&c->peers[i]);
    free(c->set);
}

/* Requests in flight there, of these workers. */
static inline void case_active(struct balance_case *c, int peer, uint32_t first, uint32_t second)
{
    atomic_store(&c->peers[peer]->shares[0].active, first);
    atomic_store(&c->peers[peer]->shares[1].active, second);
}

/* The index of the peer that is picked, counted in `got`; -1: none. */
static inline int case_pick(struct balance_case *c, const struct gate_balance_ops *ops)
{
    struct gate_peer *p;
    int i = 0;

    if (gate_balance_pick(ops, &c->st, c->set, 1000, NULL, 0, &p) != GATE_OK)
        return -1;
    while (c->peers[i] != p)
        i++;
    c->got[i]++;
    return i;
}

#endif
