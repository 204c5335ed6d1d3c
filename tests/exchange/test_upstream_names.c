#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "exchange/upstream_names.h"

#define N 300

static struct gate_upstream_config v[3][N];
static char names[N][16];

static struct gate_config config(int at, uint32_t n)
{
    return (struct gate_config){ .upstreams = v[at], .n_upstreams = n };
}

static void numbers_stay_while_ordinals_change(void **state)
{
    struct gate_config first = config(0, 2), second = config(1, 2), third = config(2, 2);
    struct gate_upstream_names *a, *b;

    (void)state;
    v[0][0].name = GATE_STR("a");
    v[0][1].name = GATE_STR("b");
    v[1][0].name = GATE_STR("c");
    v[1][1].name = GATE_STR("b");
    v[2][0].name = GATE_STR("b");
    v[2][1].name = GATE_STR("a");
    a = gate_upstream_names_new(NULL, &first, &second);
    assert_int_equal(a->n, 3);
    assert_int_equal(a->number_of[0], 2);
    assert_int_equal(a->number_of[1], 1);
    assert_int_equal(a->ordinal_of[0], GATE_NO_ORDINAL);
    assert_int_equal(a->ordinal_of[1], 1);
    assert_int_equal(a->ordinal_of[2], 0);
    b = gate_upstream_names_new(a, &second, &third);
    gate_upstream_names_free(&a);
    assert_int_equal(b->n, 3);
    assert_int_equal(b->number_of[0], 1);
    assert_int_equal(b->number_of[1], 0);
    assert_int_equal(b->ordinal_of[2], GATE_NO_ORDINAL);
    gate_upstream_names_free(&b);
}

static void many(void **state)
{
    struct gate_config first = config(0, N), second = config(1, N);
    struct gate_upstream_names *a;

    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        snprintf(names[i], sizeof(names[i]), "u%u", i);
        v[0][i].name = gate_str_from_cstr(names[i]);
        v[1][N - 1 - i].name = v[0][i].name;
    }
    a = gate_upstream_names_new(NULL, &first, &second);
    assert_int_equal(a->n, N);
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(a->ordinal_of[i], N - 1 - i);
    gate_upstream_names_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_stay_while_ordinals_change),
        cmocka_unit_test(many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
