/* covers: route/lookup.c route/trie.c route/trie_build.c */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "route/route_int.h"
#include "route_table.h"

/* The naive side of the differential test shares no code with the router: it splits texts, tries
 * every route and sorts by the words of lua/README.md. */

struct split {
    struct gate_str v[16];
    int n;
};

static struct split split(struct gate_str s)
{
    struct split out = {.n = 0};
    size_t from = 1;

    for (size_t i = 1; i <= s.n; i++) {
        if (i < s.n && s.p[i] != '/')
            continue;
        out.v[out.n++] = gate_str_of(s.p + from, i - from);
        from = i + 1;
    }
    return out;
}

static bool is_last_open(const struct split *t)
{
    struct gate_str last = t->v[t->n - 1];

    return last.n == 0 || last.p[0] == '*';
}

static bool naive_path(struct gate_str pattern, struct gate_str path)
{
    struct split t, p;

    if (pattern.n == 0)
        return true;
    t = split(pattern);
    p = split(path);
    if (is_last_open(&t) ? p.n < t.n : p.n != t.n)
        return false;
    for (int i = 0; i < t.n - is_last_open(&t); i++) {
        if (t.v[i].n > 1 && t.v[i].p[0] == ':') {
            if (p.v[i].n == 0)
                return false;
        } else if (!gate_str_eq(t.v[i], p.v[i])) {
            return false;
        }
    }
    return true;
}

static bool naive_host(struct gate_str declared, struct gate_str host)
{
    if (declared.n == 0)
        return true;
    if (declared.p[0] != '*')
        return gate_str_eq(declared, host);
    return host.n >= declared.n &&
           memcmp(host.p + host.n - (declared.n - 1), declared.p + 1, declared.n - 1) == 0;
}

static bool naive_method(const struct gate_route_config *r, struct gate_str method)
{
    for (uint32_t i = 0; i < r->n_methods; i++) {
        if (gate_str_eq(r->methods[i], method) ||
            (gate_str_eq(r->methods[i], GATE_STR("GET")) && gate_str_eq(method, GATE_STR("HEAD"))))
            return true;
    }
    return r->n_methods == 0;
}

static bool naive_match(const struct gate_route_config *r, const struct gate_route_query *q,
                        bool *method)
{
    bool others = r->n_query == 0 || (q->query.n > 0 && q->query.p[0] == r->query[0].name.p[0]);

    *method = naive_method(r, q->method);
    return others && naive_host(r->host, q->host) && naive_path(r->path, q->path);
}

/* A number for each rule, the earlier ones first. */
static void naive_keys(const struct gate_route_config *r, long *k)
{
    struct split t = {.n = 0};
    int literals = 0, bytes = 0, named = 0;

    if (r->path.n > 0) {
        t = split(r->path);
        t.n -= is_last_open(&t);
    }
    for (int i = 0; i < t.n; i++) {
        named += t.v[i].p[0] == ':';
        literals += t.v[i].p[0] != ':';
        bytes += t.v[i].p[0] != ':' ? (int)t.v[i].n : 0;
    }
    k[0] = r->priority;
    k[1] = r->host.n == 0 ? 0 : r->host.p[0] == '*' ? (long)r->host.n : 1000;
    k[2] = r->path.n > 0 && named == 0 && !(r->path.p[r->path.n - 1] == '/') &&
           memchr(r->path.p, '*', r->path.n) == NULL;
    k[3] = literals;
    k[4] = t.n;
    k[5] = r->path.n > 0;
    k[6] = bytes;
    k[7] = (r->n_methods > 0) + r->n_query + r->when;
    k[8] = -(long)r->ordinal;
}

static bool naive_before(const struct gate_route_config *a, const struct gate_route_config *b)
{
    long ka[9], kb[9];

    naive_keys(a, ka);
    naive_keys(b, kb);
    for (int i = 0; i < 9; i++) {
        if (ka[i] != kb[i])
            return ka[i] > kb[i];
    }
    return false;
}

/* The best route that comes after `after`; NULL: none. */
static const struct gate_route_config *naive_find(const struct gate_config *c,
                                                  const struct gate_route_query *q,
                                                  const struct gate_route_config *after,
                                                  bool *other_method)
{
    const struct gate_route_config *best = NULL;

    *other_method = false;
    for (uint32_t i = 0; i < c->n_routes; i++) {
        const struct gate_route_config *r = &c->routes[i];
        bool method;

        if (!naive_match(r, q, &method) || (after != NULL && !naive_before(after, r)))
            continue;
        if (!method)
            *other_method = true;
        else if (best == NULL || naive_before(r, best))
            best = r;
    }
    return best;
}

static unsigned draw(unsigned *seed, unsigned n)
{
    *seed = *seed * 1103515245 + 12345;
    return (*seed >> 16) % n;
}

#define DRAW(seed, list) (list)[draw((seed), sizeof(list) / sizeof((list)[0]))]

static const char *const segments[] = {"a", "b", "ab", "c"};

static size_t random_path(unsigned *seed, char *to, bool pattern)
{
    static const char *const ends[] = {"", "/", "/*r", "/"};
    static const char *const captures[] = {"/:x", "/:y"};
    int depth = (int)draw(seed, 5);
    size_t n = 0;

    if (pattern && draw(seed, 12) == 0)
        return 0;
    for (int i = 0; i < depth; i++) {
        if (pattern && draw(seed, 4) == 0)
            n += (size_t)sprintf(to + n, "%s", DRAW(seed, captures));
        else if (draw(seed, 16) == 0)
            n += (size_t)sprintf(to + n, "/");
        else
            n += (size_t)sprintf(to + n, "/%s", DRAW(seed, segments));
    }
    if (n == 0 || draw(seed, 3) == 0)
        n += (size_t)sprintf(to + n, "%s", pattern ? ends[1 + draw(seed, 3)] : "/");
    return n;
}

static struct gate_route_config random_route(unsigned *seed, uint32_t ordinal, char *path)
{
    static const struct gate_str hosts[] = {
        {"", 0}, {"a.test", 6}, {"b.a.test", 8}, {"*.a.test", 8}, {"*.test", 6}, {"", 0},
    };
    static const struct gate_str methods[][2] = {
        {{"GET", 3}, {"PUT", 3}},
        {{"POST", 4}, {"LOCK", 4}},
        {{"HEAD", 4}, {"MKCOL", 5}},
    };
    static const struct gate_match matches[] = {{{"k", 1}, {NULL, 0}}, {{"l", 1}, {NULL, 0}}};
    struct gate_route_config r = {.ordinal = ordinal, .host = DRAW(seed, hosts)};

    r.path = gate_str_of(path, random_path(seed, path, true));
    r.n_methods = draw(seed, 3);
    r.methods = methods[draw(seed, 3)];
    r.n_query = draw(seed, 4) == 0;
    r.query = &matches[draw(seed, 2)];
    r.when = draw(seed, 6) == 0;
    r.priority = draw(seed, 8) == 0 ? (int)draw(seed, 3) - 1 : 0;
    return r;
}

/* Captures of the winner, taken from the two split texts. */
static void check_captures(const struct gate_route_result *got, struct gate_str path)
{
    /* A route without a path leaves over what one for "/" does. */
    struct split t = split(got->route->path.n > 0 ? got->route->path : GATE_STR("/"));
    struct split p = split(path);
    uint32_t n = 0;

    for (int i = 0; i < t.n; i++) {
        struct gate_str want = t.v[i], value = p.v[i];

        if (i == t.n - 1 && is_last_open(&t)) {
            want = want.n > 1 ? want : GATE_STR("**");
            value.n = (size_t)(path.p + path.n - value.p);
        } else if (want.p[0] != ':') {
            continue;
        }
        assert_true(n < got->n_captures);
        assert_true(gate_str_eq(got->captures[n].name, gate_str_of(want.p + 1, want.n - 1)));
        assert_true(gate_str_eq(got->captures[n].value, value));
        n++;
    }
    assert_int_equal(n, got->n_captures);
}

static void check_request(const struct gate_config *c, const struct gate_router *r,
                          const struct gate_route_query *q, struct gate_arena *arena)
{
    const struct gate_route_config *want;
    struct gate_route_result got;
    bool other, unused;

    want = naive_find(c, q, NULL, &other);
    gate_router_find(r, q, arena, &got);
    if (got.route != want)
        fail_msg("%.*s %.*s %.*s: route %d, not %d", (int)q->method.n, q->method.p, (int)q->host.n,
                 q->host.p, (int)q->path.n, q->path.p, got.route ? (int)got.route->ordinal : -1,
                 want ? (int)want->ordinal : -1);
    if (want == NULL)
        assert_int_equal(got.allow.n > 0, other);
    while (want != NULL) {
        check_captures(&got, q->path);
        want = naive_find(c, q, want, &unused);
        gate_router_next(r, q, &got);
        assert_ptr_equal(got.route, want);
    }
}

static void test_random(void **state)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "LOCK", "PUT", "SEARCH"};
    static const char *const hosts[] = {"", "a.test", "b.a.test", "x.test", "c.b.a.test", "other"};
    static const char *const queries[] = {"", "", "k=1", "l"};
    static char paths[64][64];
    struct gate_route_config routes[64];
    struct gate_arena arena;
    unsigned seed = 7;
    char path[64];

    (void)state;
    gate_arena_init(&arena, NULL);
    for (int round = 0; round < 400; round++) {
        struct gate_config c = {.routes = routes, .n_routes = draw(&seed, 64)};
        struct gate_router *r;

        for (uint32_t i = 0; i < c.n_routes; i++)
            routes[i] = random_route(&seed, i, paths[i]);
        assert_int_equal(gate_router_build(&c, &r), GATE_OK);
        for (int i = 0; i < 100; i++) {
            struct gate_route_query q = {
                .method = gate_str_from_cstr(DRAW(&seed, methods)),
                .host = gate_str_from_cstr(DRAW(&seed, hosts)),
                .query = gate_str_from_cstr(DRAW(&seed, queries)),
                .path = gate_str_of(path, random_path(&seed, path, false)),
            };

            check_request(&c, r, &q, &arena);
        }
        gate_router_free(&r);
        gate_arena_clear(&arena);
    }
}

/* Nodes and candidates looked at, over all requests of the table. */
static double visits_per_lookup(uint32_t n)
{
    struct route_table t;
    struct gate_router *r;
    uint64_t visits = 0;

    table_init(&t, n);
    assert_int_equal(gate_router_build(&t.config, &r), GATE_OK);
    for (uint32_t i = 0; i < t.n_requests; i++) {
        struct gate_route_query q = table_query(&t, i);
        struct lookup l = {
            .r = r,
            .q = &q,
            .method = gate_method_of(q.method),
            .best = ROUTE_NONE,
        };

        gate_lookup_run(&l);
        assert_int_equal(l.best != ROUTE_NONE, i % 2 == 0);
        visits += l.visits;
    }
    gate_router_free(&r);
    table_fini(&t);
    return (double)visits / TABLE_REQUESTS;
}

static void test_cost_does_not_grow(void **state)
{
    double few = visits_per_lookup(10), many = visits_per_lookup(10000);

    (void)state;
    print_message("visits a lookup: 10 routes %.2f, 10,000 routes %.2f\n", few, many);
    assert_true(many < few * 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_cost_does_not_grow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
