/* A table of n routes (mixed hosts, exact paths, prefixes, captures, methods) and requests of which
 * every second one finds nothing. For the test of cost and the bench. */
#ifndef GATE_TESTS_ROUTE_ROUTE_TABLE_H
#define GATE_TESTS_ROUTE_ROUTE_TABLE_H

#include <stdio.h>
#include <stdlib.h>

#include "route/router.h"

#define TABLE_REQUESTS 20000
#define TABLE_TEXT     64

/* Small, so that walking over the requests leaves the caches to the router: real ones come in
 * buffers that are warm. */
struct table_request {
    uint32_t text; /* host and path, one behind the other */
    uint16_t host_len;
    uint16_t path_len;
};

struct route_table {
    struct gate_config config;
    struct gate_route_config *routes;
    struct table_request *requests;
    uint32_t n_requests;
    char *text; /* of all hosts and paths */
    size_t n_text;
};

static inline struct gate_str table_text(struct route_table *t, const char *fmt, uint32_t a,
                                         uint32_t b)
{
    char *to = t->text + t->n_text;
    size_t n = (size_t)snprintf(to, TABLE_TEXT, fmt, a, b);

    t->n_text += n;
    return gate_str_of(to, n);
}

/* Six kinds of paths over n/8 + 1 hosts, so that both the hosts and the paths of a host are many.
 */
static inline void table_add_route(struct route_table *t, uint32_t i, uint32_t n)
{
    static const char *const paths[] = {
        "/api/v%u/thing-%u/", "/api/v%u/item-%u",    "/u%u/:id/orders-%u",
        "/files%u-%u/*rest",  "/u%u/:id/:part/x%u/", "/static%u/asset-%u",
    };
    static const char *const hosts[] = {"", "h%u.example.test", "*.s%u.example.test"};
    static const struct gate_str methods[] = {{"GET", 3}, {"POST", 4}};
    struct gate_route_config *r = &t->routes[i];
    uint32_t host = i % (n / 8 + 1);

    *r = (struct gate_route_config){.ordinal = i, .action = GATE_ACTION_NONE};
    r->path = table_text(t, paths[i % 6], i % 7, i);
    r->host = table_text(t, hosts[host % 3], host, 0);
    r->methods = methods;
    r->n_methods = i % 3;
}

/* Request k: one that route i takes, or, when k is odd, one that gets as far but fails at its end.
 */
static inline void table_add_request(struct route_table *t, uint32_t k, uint32_t i, uint32_t n)
{
    static const char *const paths[] = {
        "/api/v%u/thing-%u/deep/er", "/api/v%u/item-%u",       "/u%u/1234/orders-%u",
        "/files%u-%u/a/b.png",       "/u%u/1234/address/x%u/", "/static%u/asset-%u",
    };
    static const char *const hosts[] = {"www.example.test", "h%u.example.test",
                                        "a.b.s%u.example.test"};
    uint32_t host = i % (n / 8 + 1);
    struct gate_str h = table_text(t, hosts[host % 3], host, 0);
    struct gate_str p = table_text(t, paths[i % 6], i % 7, k % 2 == 0 ? i : i + n);

    t->requests[k] = (struct table_request){
        .text = (uint32_t)(h.p - t->text),
        .host_len = (uint16_t)h.n,
        .path_len = (uint16_t)p.n,
    };
}

static inline struct gate_route_query table_query(const struct route_table *t, uint32_t k)
{
    const struct table_request *q = &t->requests[k];
    const char *text = t->text + q->text;

    return (struct gate_route_query){
        .method = GATE_STR("GET"),
        .host = gate_str_of(text, q->host_len),
        .path = gate_str_of(text + q->host_len, q->path_len),
    };
}

static inline void table_init(struct route_table *t, uint32_t n)
{
    uint32_t seed = 1;

    *t = (struct route_table){.n_requests = TABLE_REQUESTS};
    t->text = malloc((size_t)(n + TABLE_REQUESTS) * 2 * TABLE_TEXT);
    t->routes = calloc(n, sizeof(*t->routes));
    t->requests = calloc(TABLE_REQUESTS, sizeof(*t->requests));
    for (uint32_t i = 0; i < n; i++)
        table_add_route(t, i, n);
    for (uint32_t k = 0; k < TABLE_REQUESTS; k++) {
        seed = seed * 1103515245 + 12345;
        table_add_request(t, k, (seed >> 8) % n, n);
    }
    t->config.routes = t->routes;
    t->config.n_routes = n;
}

static inline void table_fini(struct route_table *t)
{
    free(t->text);
    free(t->routes);
    free(t->requests);
}

#endif
