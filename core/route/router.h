/* Router: which route a request takes, compiled from the routes of a configuration; the cost hardly
 * grows with their number. Immutable after build, shared by all threads of a generation. */
#ifndef GATE_ROUTE_ROUTER_H
#define GATE_ROUTE_ROUTER_H

#include "base/arena.h"
#include "config/config.h"
#include "http/head.h"

struct gate_router;

/* The configuration is borrowed and must outlive the router. */
enum gate_err gate_router_build(const struct gate_config *config, struct gate_router **out);
void gate_router_free(struct gate_router **router);

/* What a lookup needs of a request; headers and query are looked at only where a candidate has
 * matchers for them. */
struct gate_route_query {
    struct gate_str method;
    struct gate_str host; /* lower case, no port */
    struct gate_str path; /* decoded text (path_text) */
    struct gate_str query;
    const struct gate_headers *headers;
};

/* A capture of a pattern, a view into the path. */
struct gate_capture {
    struct gate_str name; /* "*" for what a prefix path left over */
    struct gate_str value;
};
#define GATE_CAPTURES_MAX 16

struct gate_route_result {
    const struct gate_route_config *route; /* NULL: none */
    uint32_t n_captures;
    bool needs_when;   /* route->when has to be asked; when it says no: gate_router_next */
    uint32_t position; /* state for gate_router_next */
    /* With route NULL: the methods for which there are routes of this path, as an Allow value
     * (arena); empty: 404. */
    struct gate_str allow;
    struct gate_capture captures[GATE_CAPTURES_MAX];
};

/* The winner by priority, host, path, other matchers, declared order (lua/README.md). */
void gate_router_find(const struct gate_router *r, const struct gate_route_query *q,
                      struct gate_arena *arena, struct gate_route_result *out);

/* The next best after a `when` function said no. */
void gate_router_next(const struct gate_router *r, const struct gate_route_query *q,
                      struct gate_route_result *inout);

/* Fills a rewrite or redirect template from captures: "/:id", "/" with "*rest", and a bare "*" for
 * what a prefix left over. A name without capture becomes nothing. Decoded text; the result is the
 * arena's. */
struct gate_str gate_route_expand(struct gate_str pattern, const struct gate_route_result *match,
                                  struct gate_arena *arena);

/* Why the winner won, one sentence per rule that decided, for `moongate routes`. Cold. */
void gate_router_explain(const struct gate_router *r, const struct gate_route_query *q,
                         struct gate_arena *arena, struct gate_out *out);

/* Routes that never win, since another one (`by`) goes before them and takes all that they take;
 * among those of the same host and path, the names of captures aside. Cold. */
void gate_router_each_shadowed(const struct gate_router *r,
                               void (*fn)(void *arg, const struct gate_route_config *route,
                                          const struct gate_route_config *by),
                               void *arg);

/* All routes in order of precedence, as the table that `moongate routes` prints; calls `row` for
 * each. */
void gate_router_each(const struct gate_router *r,
                      void (*row)(void *arg, const struct gate_route_config *route), void *arg);

#endif
