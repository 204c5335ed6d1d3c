/* How the cost of a lookup grows with the number of routes: 10 against 10,000, half of the lookups miss. */
#include <stdio.h>
#include <time.h>

#include "route/route_table.h"

#define ROUNDS 9

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The best of several rounds over all requests, in nanoseconds a lookup. */
static double measure(uint32_t n)
{
    struct gate_route_result result;
    struct gate_router *r;
    struct gate_arena arena;
    struct route_table t;
    double best = 0;
    uint32_t hits = 0;

    table_init(&t, n);
    gate_arena_init(&arena, NULL);
    if (gate_router_build(&t.config, &r) != GATE_OK)
        abort();
    for (int round = 0; round < ROUNDS; round++) {
        double from = now_ns(), each;

        for (uint32_t i = 0; i < t.n_requests; i++) {
            gate_router_find(r, &t.requests[i], &arena, &result);
            hits += result.route != NULL;
        }
        each = (now_ns() - from) / t.n_requests;
        if (round == 0 || each < best)
            best = each;
    }
    printf("%6u routes: %6.0f ns a lookup, %u %% found\n", n, best,
           (uint32_t)(hits * 100ull / (ROUNDS * t.n_requests)));
    gate_router_free(&r);
    gate_arena_clear(&arena);
    table_fini(&t);
    return best;
}

int main(void)
{
    double few = measure(10), many = measure(10000);

    printf("ratio: %.2f\n", many / few);
    return 0;
}
