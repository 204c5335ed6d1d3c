/* Links: a worker's upstream connections: its view of every upstream (peers, balancing state) and
 * its shelves of links that can take a request. One thread; owned by the worker. */
#ifndef GATE_UPSTREAM_LINKS_H
#define GATE_UPSTREAM_LINKS_H

#include "base/counters.h"
#include "base/mem.h"
#include "tls/sessions.h"
#include "upstream/balance.h"
#include "upstream/link.h"

/* Idle links beyond idle_max end this long after their last use. */
#define GATE_LINK_SURPLUS_MS 1000

/* The links to one peer that a request may be put on, of any identity. */
struct gate_shelf {
    struct gate_peer *peer;  /* the set's reference keeps it */
    struct gate_list idle;   /* HTTP/1; most recently used first */
    struct gate_list shared; /* HTTP/2, and those that may turn out so while they are dialed: all
                              * that have room for one more stream */
    struct gate_tls_sessions *sessions; /* of the last identity; a reference; NULL: none */
};

/* A worker's side of one upstream. */
struct gate_upstream_local {
    struct gate_list node;
    struct gate_upstream *upstream; /* a reference */
    uint32_t links;            /* open, wherever they are */
    struct gate_peer_set *set; /* a reference */
    uint64_t version;
    struct gate_balance_state balance;
    const struct gate_balance_ops *ops;
    struct gate_shelf *shelves; /* parallel to set->v */
    uint32_t idle;              /* links on all shelves that carry nothing */
    uint32_t idle_max;          /* of them, for idle_ms; 0: none is kept at all */
    uint32_t idle_ms;
    uint32_t max_requests;
    uint32_t max_age_ms;
    uint32_t budget_percent;
    uint64_t retry_milli; /* retry budget, thousandths of a retry */
    uint64_t retry_refill_ms;
};

struct gate_links {
    struct gate_loop *loop;
    struct gate_counters *counters;
    uint32_t worker; /* its index: of the shares of peers */
    struct gate_slab slab;
    struct gate_slab h2_slab;
    struct gate_h2_pool *h2_pool; /* NULL: none was needed yet */
    uint64_t serial;              /* of the newest link */
    struct gate_list live; /* links that are not on a shelf */
    struct gate_list locals;
    struct gate_upstream_local **table; /* by upstream pointer; open addressing */
    uint32_t table_cap;
    uint32_t table_n;
};

struct gate_links *gate_links_new(struct gate_loop *loop, struct gate_counters *counters,
                                  uint32_t worker);

/* Closes every link; no stream may be attached any more. */
void gate_links_free(struct gate_links **links);

/* The worker's side of an upstream, with the peers of now and the options of `config`. */
struct gate_upstream_local *gate_links_local(struct gate_links *links, struct gate_upstream *u,
                                             const struct gate_upstream_config *config);

/* The retry budget: budget_percent of the requests and 10 a second.
 * Counts a request; takes one retry, false when the budget is used up. */
void gate_local_count_request(struct gate_upstream_local *local);
bool gate_local_take_retry(struct gate_upstream_local *local, uint64_t now_ms);

/* An idle link to the peer, off its shelf, or a place on one that is shared (it may be dialed yet:
 * the caller then waits with the others); of the identity that is wanted. NULL: there is none. */
struct gate_link *gate_links_take(struct gate_links *links, struct gate_upstream_local *local,
                                  struct gate_peer *peer, const struct gate_link_want *want);

/* What the peer gave to resume by under this identity; NULL: it is no peer of the upstream any
 * more. */
struct gate_tls_sessions *gate_links_sessions(struct gate_upstream_local *local,
                                              const struct gate_peer *peer,
                                              struct gate_tls_client *tls);

/* A new link, not ready yet, on a descriptor of gate_socket_connect: for upstream/dial.h. */
struct gate_link *gate_links_make(struct gate_links *links, struct gate_upstream_local *local,
                                  struct gate_peer *peer, int fd);

/* Puts a link with a finished stream on its shelf, or closes it when it must not be kept. */
void gate_links_put(struct gate_link *l);

/* A link that is shared goes to its shelf, or leaves it: as it has room now. */
void gate_links_offer(struct gate_link *l);

/* Nothing is on a link that is shared: it idles on its shelf, or is closed for `why`. */
void gate_links_rest(struct gate_link *l, enum gate_close_reason why);

/* It has carried as many requests, or is as old, as the upstream's options allow. */
bool gate_links_worn(const struct gate_link *l);

/* What the codecs of all links share. */
struct gate_h2_pool *gate_links_h2_pool(struct gate_links *links);

/* Closes and frees. Clears the pointer. */
void gate_links_close(struct gate_link **l, enum gate_close_reason why);

#endif
