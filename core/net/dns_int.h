/* The parts of DNS: results that the cache and questions share, the cache, and opening with test
 * options. Private to net. */
#ifndef GATE_NET_DNS_INT_H
#define GATE_NET_DNS_INT_H

#include "base/siphash.h"
#include "net/dns.h"

#define GATE_DNS_MAX_ADDRS 64
#define GATE_DNS_MAX_NAME 255
#define GATE_DNS_MAX_TTL 86400u

/* What a name has, or why it has nothing. Counted: the cache and each question being answered
 * hold a reference. */
struct gate_dns_result {
    uint32_t refs;
    enum gate_err err;
    const char *why;
    uint64_t until_ms;      /* loop time; 0: not for the cache */
    size_t count;
    struct gate_addr addrs[];
};

/* With refs 1 and room for count addresses. */
struct gate_dns_result *gate_dns_result_new(enum gate_err err, const char *why, size_t count);
struct gate_dns_result *gate_dns_result_ref(struct gate_dns_result *r);
void gate_dns_result_unref(struct gate_dns_result **r);

/* Sets of four names: a new one takes the place of the one that ends first. */
#define GATE_DNS_SETS 64
#define GATE_DNS_WAYS 4

struct gate_dns_entry {
    char *name;                     /* NULL: free */
    struct gate_dns_result *result;
};

struct gate_dns_cache {
    struct gate_sipkey key;
    struct gate_dns_entry sets[GATE_DNS_SETS][GATE_DNS_WAYS];
};

void gate_dns_cache_init(struct gate_dns_cache *c);
void gate_dns_cache_fini(struct gate_dns_cache *c);

/* Borrowed; NULL: not there, or over. Names are lower case. */
struct gate_dns_result *gate_dns_cache_peek(struct gate_dns_cache *c, const char *name,
                                            uint64_t now_ms);

/* Takes a reference of its own. */
void gate_dns_cache_put(struct gate_dns_cache *c, const char *name, struct gate_dns_result *r);

struct gate_dns_options {
    const char *servers;    /* as in gate_dns_open */
    int timeout_ms;         /* of the first try; doubles */
    int tries;
};

enum gate_err gate_dns_open_with(struct gate_dns **out, struct gate_loop *loop,
                                 const struct gate_dns_options *options);

#endif
