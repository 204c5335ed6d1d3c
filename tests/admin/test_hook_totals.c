#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "admin/hook_totals.h"

static void add(struct gate_hook_totals *t, const char *policy, const char *hook, uint64_t calls)
{
    gate_hook_totals_add(t, &(struct gate_hook_total){ .policy = (char *)policy, .hook = hook,
                                                       .calls = calls, .errors = 1, .cpu_ns = 10 });
}

static void sums_by_policy_and_hook(void **state)
{
    struct gate_hook_totals t, all;
    const struct gate_hook_total *v;

    (void)state;
    gate_hook_totals_init(&t);
    assert_null(gate_hook_totals_find(&t, "a", "request"));
    add(&t, "a", "request", 2);
    add(&t, "a", "log", 3);
    add(&t, "b", "request", 4);
    add(&t, "a", "request", 5);
    assert_int_equal(t.n, 3);
    v = gate_hook_totals_find(&t, "a", "request");
    assert_int_equal(v->calls, 7);
    assert_int_equal(v->errors, 2);
    assert_int_equal(v->cpu_ns, 20);
    assert_null(gate_hook_totals_find(&t, "b", "log"));

    gate_hook_totals_init(&all);
    gate_hook_totals_merge(&all, &t);
    gate_hook_totals_merge(&all, &t);
    assert_int_equal(gate_hook_totals_find(&all, "b", "request")->calls, 8);
    gate_hook_totals_fini(&all);
    gate_hook_totals_fini(&t);
}

static void holds_many(void **state)
{
    struct gate_hook_totals t;
    char name[20];

    (void)state;
    gate_hook_totals_init(&t);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 3000; i++) {
            snprintf(name, sizeof(name), "p%u", i);
            add(&t, name, "request", i);
        }
    }
    assert_int_equal(t.n, 3000);
    assert_int_equal(gate_hook_totals_find(&t, "p2999", "request")->calls, 5998);
    gate_hook_totals_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_by_policy_and_hook),
        cmocka_unit_test(holds_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
