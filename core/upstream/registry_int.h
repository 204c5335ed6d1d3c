/* Registry, inside: the servers of an upstream and how its set is built from them. */
#ifndef GATE_UPSTREAM_REGISTRY_INT_H
#define GATE_UPSTREAM_REGISTRY_INT_H

#include <pthread.h>

#include "upstream/registry.h"

/* One server of the present configuration; texts are its own. */
struct server {
    char *text; /* as declared */
    char *zone;
    struct gate_addr *addrs; /* one when numeric, else what DNS said */
    uint32_t n_addrs;
    char *host;
    uint16_t port;
    bool numeric;
    uint32_t weight;
    uint32_t max_connections;
    bool backup;
    bool down;
};

struct gate_upstream {
    _Atomic uint32_t refs;    /* all holds together are one of them */
    _Atomic uint32_t holds;
    char *name;           /* never changes, nor does the next */
    uint32_t workers;
    pthread_mutex_t lock; /* guards all below but version, which is written under it */
    struct server *servers;
    uint32_t n_servers;
    struct gate_peer_set *set;
    _Atomic uint64_t version; /* of set; read by workers without the lock */
    bool wanted;              /* mark of gate_registry_apply */
};

/* An upstream with an empty set of version 1, held once. */
struct gate_upstream *gate_upstream_new(struct gate_str name, uint32_t workers);

/* Takes the servers of a configuration; addresses that DNS gave for the same server stay. */
void gate_upstream_configure(struct gate_upstream *u, const struct gate_server_config *servers,
                             uint32_t n);

/* A new set of the upstream's servers; peers with the same address and server are those of its
 * present set (NULL: it has none yet). The caller owns the reference. */
struct gate_peer_set *gate_peer_set_build(const struct gate_upstream *u);

/* Whether both hold the same peers with the same numbers in the same order. */
bool gate_peer_set_same(const struct gate_peer_set *a, const struct gate_peer_set *b);

#endif
