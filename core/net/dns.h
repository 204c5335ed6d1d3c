/* DNS: names to addresses by c-ares on a loop, with a small cache by TTL. One thread (one
 * channel per loop). */
#ifndef GATE_NET_DNS_H
#define GATE_NET_DNS_H

#include "base/addr.h"
#include "base/err.h"
#include "net/loop.h"

struct gate_dns;

struct gate_dns_answer {
    enum gate_err err;              /* GATE_OK, GATE_E_RESOLVE, GATE_E_TIMEOUT, GATE_E_CANCELLED */
    const char *why;                /* c-ares' text when it failed */
    const struct gate_addr *addrs;  /* port 0; borrowed until the callback returns; at most 64 */
    size_t count;
    uint32_t ttl_s;                 /* smallest, at least 1 */
};

typedef void gate_dns_fn(void *arg, const struct gate_dns_answer *answer);

/* servers: NULL for the system's, else "127.0.0.1:5353,[::1]:53" (tests); GATE_E_INVALID when it
 * does not parse. /etc/hosts is honoured. */
enum gate_err gate_dns_open(struct gate_dns **out, struct gate_loop *loop, const char *servers);

/* Pending questions are answered with GATE_E_CANCELLED. */
void gate_dns_close(struct gate_dns **dns);

/* Asks for A and AAAA; questions for one name share the work. The answer comes from the drain,
 * never from inside the call. *query names the question for cancel; it must stay where it is
 * until the answer comes, and is NULL then. query may be NULL. */
struct gate_dns_query;
void gate_dns_resolve(struct gate_dns *dns, struct gate_str name, gate_dns_fn *fn, void *arg,
                      struct gate_dns_query **query);

/* The callback is not called any more. NULL is fine. */
void gate_dns_cancel(struct gate_dns_query **query);

#endif
