#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "admin/route_totals.h"

static uint64_t total(const struct gate_route_totals *t, const char *name, int class)
{
    for (uint32_t i = 0; i < t->n; i++) {
        if (strcmp(t->v[i].name, name) == 0)
            return t->v[i].by_class[class];
    }
    return UINT64_MAX;
}

static void sums_by_name(void **state)
{
    struct gate_route_config routes[2] = { { .name = GATE_STR("a") }, { .name = GATE_STR("b") } };
    struct gate_config config = { .routes = routes, .n_routes = 2 };
    struct gate_route_stats stats[3];
    struct gate_route_totals t, all;

    (void)state;
    memset(stats, 0, sizeof(stats));
    atomic_store(&stats[0].by_class[2], 5);
    atomic_store(&stats[1].by_class[5], 1);
    atomic_store(&stats[2].by_class[4], 7);
    gate_route_totals_init(&t);
    gate_route_totals_add(&t, &config, stats);
    gate_route_totals_add(&t, &config, stats);
    assert_int_equal(t.n, 3);
    assert_int_equal(total(&t, "a", 2), 10);
    assert_int_equal(total(&t, "b", 5), 2);
    assert_int_equal(total(&t, "", 4), 14);

    /* Another generation has other ordinals: names count. */
    routes[0].name = GATE_STR("b");
    routes[1].name = GATE_STR("c");
    gate_route_totals_add(&t, &config, stats);
    assert_int_equal(total(&t, "b", 2), 5);
    assert_int_equal(total(&t, "b", 5), 2);
    assert_int_equal(total(&t, "c", 5), 1);

    gate_route_totals_init(&all);
    gate_route_totals_merge(&all, &t);
    gate_route_totals_merge(&all, &t);
    assert_int_equal(total(&all, "", 4), 42);
    gate_route_totals_fini(&all);
    gate_route_totals_fini(&t);
}

/* Of requests without a route: no name at all is the empty one. */
static void counts_what_has_no_name(void **state)
{
    static const uint64_t by_class[6] = { [4] = 3 };
    struct gate_route_totals t;

    (void)state;
    gate_route_totals_init(&t);
    gate_route_totals_count(&t, GATE_STR_NONE, by_class);
    gate_route_totals_count(&t, GATE_STR(""), by_class);
    assert_int_equal(t.n, 1);
    assert_int_equal(total(&t, "", 4), 6);
    gate_route_totals_fini(&t);
}

static void holds_many(void **state)
{
    enum { N = 5000 };
    static struct gate_route_config routes[N];
    static struct gate_route_stats stats[N + 1];
    static char names[N][16];
    struct gate_config config = { .routes = routes, .n_routes = N };
    struct gate_route_totals t;

    (void)state;
    for (int i = 0; i < N; i++) {
        int n = snprintf(names[i], sizeof(names[i]), "route %d", i);

        routes[i].name = gate_str_of(names[i], (size_t)n);
        atomic_store(&stats[i].by_class[2], (uint64_t)i);
    }
    gate_route_totals_init(&t);
    gate_route_totals_add(&t, &config, stats);
    gate_route_totals_add(&t, &config, stats);
    assert_int_equal(t.n, N + 1);
    assert_int_equal(total(&t, "route 4999", 2), 9998);
    assert_int_equal(total(&t, "route 0", 2), 0);
    gate_route_totals_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_by_name),
        cmocka_unit_test(counts_what_has_no_name),
        cmocka_unit_test(holds_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
