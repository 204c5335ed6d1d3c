#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/str.h"

static struct gate_str s(const char *z)
{
    return gate_str_from_cstr(z);
}

static void assert_str(struct gate_str got, const char *want)
{
    assert_int_equal(got.n, strlen(want));
    assert_memory_equal(got.p, want, got.n);
}

static void test_comparing(void **state)
{
    (void)state;
    assert_true(gate_str_eq(s("abc"), GATE_STR("abc")));
    assert_false(gate_str_eq(s("abc"), s("abd")));
    assert_false(gate_str_eq(s("abc"), s("ab")));
    assert_true(gate_str_eq(GATE_STR_NONE, s("")));
    assert_true(gate_str_ieq(s("Content-Type"), s("content-tYPE")));
    assert_false(gate_str_ieq(s("a"), s("ab")));
    /* Only letters fold: '@' and '`', '[' and '{' differ by the same bit. */
    assert_false(gate_str_ieq(s("@["), s("`{")));
    assert_false(gate_str_ieq(s("\xc4"), s("\xe4")));
    assert_true(gate_str_starts(s("unix:/x"), s("unix:")));
    assert_true(gate_str_starts(s("x"), GATE_STR_NONE));
    assert_false(gate_str_starts(s("un"), s("unix:")));
    assert_true(gate_str_ends(s("a.lua"), s(".lua")));
    assert_false(gate_str_ends(s("lua"), s(".lua")));
    assert_true(gate_str_ends(GATE_STR_NONE, GATE_STR_NONE));
}

static void test_trim_and_find(void **state)
{
    (void)state;
    assert_str(gate_str_trim(s(" \t a b\t ")), "a b");
    assert_str(gate_str_trim(s(" \t ")), "");
    assert_str(gate_str_trim(s("\r\n")), "\r\n");
    assert_int_equal(gate_str_trim(GATE_STR_NONE).n, 0);
    assert_int_equal(gate_str_find(s("a:b:c"), ':', 0), 1);
    assert_int_equal(gate_str_find(s("a:b:c"), ':', 2), 3);
    assert_int_equal(gate_str_find(s("a:b:c"), ':', 4), 5);
    assert_int_equal(gate_str_find(s("abc"), 'x', 9), 3);
    assert_int_equal(gate_str_find(GATE_STR_NONE, 'x', 0), 0);
}

static void test_items(void **state)
{
    struct gate_str list = s(" , gzip ,,\tbr;q=0.5, ,last");
    struct gate_str item;

    (void)state;
    assert_true(gate_str_next_item(&list, &item));
    assert_str(item, "gzip");
    assert_true(gate_str_next_item(&list, &item));
    assert_str(item, "br;q=0.5");
    assert_true(gate_str_next_item(&list, &item));
    assert_str(item, "last");
    assert_false(gate_str_next_item(&list, &item));
    list = s(" , ,");
    assert_false(gate_str_next_item(&list, &item));
    list = GATE_STR_NONE;
    assert_false(gate_str_next_item(&list, &item));
}

static void test_numbers(void **state)
{
    static const char *const wrong[] = { "", "-1", "+1", " 1", "1 ", "0x1", "1.0", "9999999999999999999",
                                         "1234567890123456789" };
    uint64_t v = 7;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(gate_str_to_u64(s(wrong[i]), &v));
    assert_int_equal(v, 7);
    assert_true(gate_str_to_u64(s("0"), &v));
    assert_int_equal(v, 0);
    assert_true(gate_str_to_u64(s("007"), &v));
    assert_int_equal(v, 7);
    assert_true(gate_str_to_u64(s("999999999999999999"), &v));
    assert_true(v == 999999999999999999ull);
}

static void test_writing(void **state)
{
    char room[128];
    struct gate_out o = gate_out_on(room, sizeof(room));

    (void)state;
    gate_out_u64(&o, 0);
    gate_out_char(&o, ' ');
    gate_out_u64(&o, UINT64_MAX);
    GATE_OUT_LIT(&o, " ");
    gate_out_hex(&o, 0);
    gate_out_char(&o, ' ');
    gate_out_hex(&o, 0x1f0aull);
    gate_out_char(&o, ' ');
    gate_out_hex(&o, UINT64_MAX);
    gate_out_fmt(&o, " %s-%d", "x", -3);
    gate_out_str(&o, GATE_STR_NONE);
    assert_str(gate_out_view(&o), "0 18446744073709551615 0 1f0a ffffffffffffffff x--3");
    assert_false(o.full);
}

static void test_a_full_writer_stays_whole(void **state)
{
    char room[8] = "........";
    struct gate_out o = gate_out_on(room, 7);

    (void)state;
    GATE_OUT_LIT(&o, "abcd");
    GATE_OUT_LIT(&o, "efgh");
    assert_true(o.full);
    assert_str(gate_out_view(&o), "abcd");
    o.full = false;
    GATE_OUT_LIT(&o, "ef");
    assert_false(o.full);
    gate_out_fmt(&o, "%s", "gh");
    assert_true(o.full);
    assert_str(gate_out_view(&o), "abcdef");
    assert_int_equal(room[7], '.');
    o = gate_out_on(NULL, 0);
    gate_out_fmt(&o, "%d", 1);
    assert_true(o.full);
    assert_int_equal(o.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comparing),   cmocka_unit_test(test_trim_and_find),
        cmocka_unit_test(test_items),       cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_writing),     cmocka_unit_test(test_a_full_writer_stays_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
