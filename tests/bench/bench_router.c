/* How the cost of a lookup grows with the number of routes: 10 against 10,000, half of the lookups
 * miss. */
#include <stdio.h>
#include <time.h>

#include "route/route_table.h"

#define ROUNDS 25

struct side {
    struct route_table t;
    struct gate_router *r;
    struct gate_arena arena;
    uint64_t hits;
    double best; /* nanoseconds a lookup */
};

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void side_init(struct side *s, uint32_t n)
{
    *s = (struct side){.best = 1e9};
    table_init(&s->t, n);
    gate_arena_init(&s->arena, NULL);
    if (gate_router_build(&s->t.config, &s->r) != GATE_OK)
        abort();
}

static void side_run(struct side *s)
{
    struct gate_route_result result;
    double from = now_ns(), each;

    for (uint32_t i = 0; i < s->t.n_requests; i++) {
        struct gate_route_query q = table_query(&s->t, i);

        gate_router_find(s->r, &q, &s->arena, &result);
        s->hits += result.route != NULL;
    }
    each = (now_ns() - from) / s->t.n_requests;
    if (each < s->best)
        s->best = each;
}

static void side_end(struct side *s)
{
    printf("%6u routes: %4.0f ns a lookup, %.0f %% found\n", s->t.config.n_routes, s->best,
           100.0 * (double)s->hits / ROUNDS / s->t.n_requests);
    gate_router_free(&s->r);
    gate_arena_clear(&s->arena);
    table_fini(&s->t);
}

int main(void)
{
    struct side few, many;

    side_init(&few, 10);
    side_init(&many, 10000);
    for (int i = 0; i < ROUNDS; i++) {
        side_run(&few);
        side_run(&many);
    }
    side_end(&few);
    side_end(&many);
    printf("ratio: %.2f\n", many.best / few.best);
    return 0;
}
