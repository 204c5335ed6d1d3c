/* Registry: all upstreams and their peers, outside generations, keyed by upstream name and address:
 * health, counters and marks survive a reload. Shared by all threads: the table has its own lock,
 * taken when a generation is applied or DNS answers; of peers, peer.h says what is shared. */
#ifndef GATE_UPSTREAM_REGISTRY_H
#define GATE_UPSTREAM_REGISTRY_H

#include "config/config.h"
#include "upstream/peer.h"

struct gate_registry;

/* The peers of one upstream at one moment: immutable, reference-counted, replaced whole. */
struct gate_peer_entry {
    struct gate_peer *peer;
    uint32_t weight;
    uint32_t max_connections;
    bool backup;
    bool down;
    struct gate_str zone;
};

struct gate_peer_set {
    _Atomic uint32_t refs;
    uint64_t version;
    uint32_t n;
    struct gate_peer_entry v[];
};

/* For so many workers. */
struct gate_registry *gate_registry_new(uint32_t workers);
void gate_registry_free(struct gate_registry **r);

/* One upstream's place in the registry. */
struct gate_upstream;

/* Brings the registry to a configuration: new upstreams and peers appear, known ones keep their
 * state, gone ones lose their set and leave. Names that need DNS begin with what was resolved
 * before (or an empty set). Control thread. */
enum gate_err gate_registry_apply(struct gate_registry *r, const struct gate_config *config);

/* Finds by name; NULL: none. Borrowed, until the next gate_registry_apply; control thread. */
struct gate_upstream *gate_registry_find(struct gate_registry *r, struct gate_str name);

/* Those whose requests may go there (the registry, generations, tunnels) hold an upstream. Once
 * nobody does it is gone for ever: its name may come back as another one. Any thread. */
struct gate_upstream *gate_upstream_hold(struct gate_upstream *u);
void gate_upstream_release(struct gate_upstream **u);
bool gate_upstream_gone(const struct gate_upstream *u);

/* Who only has to do with what is left of it keeps its memory. Any thread. */
struct gate_upstream *gate_upstream_ref(struct gate_upstream *u);
void gate_upstream_unref(struct gate_upstream **u);

/* The set of an upstream as it is now, with a reference for the caller. Never NULL (may be empty).
 * Cheap: workers cache it and compare gate_upstream_version first. */
struct gate_peer_set *gate_upstream_peers(struct gate_upstream *u);
uint64_t gate_upstream_version(const struct gate_upstream *u);
void gate_peer_set_unref(struct gate_peer_set **set);

/* DNS gave the addresses of one named server (control thread); their ports are replaced by the
 * server's. None: what was known before stays. */
void gate_upstream_resolved(struct gate_upstream *u, struct gate_str server,
                            const struct gate_addr *addrs, size_t n);

/* Walks upstreams for /status, /metrics and `moongate upstreams`; takes the table's lock. NULL:
 * there is no registry yet, and nothing in it. */
void gate_registry_each(struct gate_registry *r,
                        void (*fn)(void *arg, struct gate_str upstream,
                                   const struct gate_peer_set *set),
                        void *arg);

/* Servers of the present configuration that need DNS: control asks and answers with
 * gate_upstream_resolved. */
void gate_registry_names(struct gate_registry *r,
                         void (*fn)(void *arg, struct gate_upstream *u, struct gate_str server,
                                    struct gate_str host, uint16_t port),
                         void *arg);

#endif
