#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "admin/members.h"

static char text[16], other[8];

static bool reads(const char *json, struct gate_member *m)
{
    m[0] = (struct gate_member){ .name = "text", .text = text, .cap = sizeof(text) };
    m[1] = (struct gate_member){ .name = "other", .text = other, .cap = sizeof(other) };
    m[2] = (struct gate_member){ .name = "number" };
    text[0] = other[0] = '\0';
    return gate_members_read(gate_str_from_cstr(json), m, 3);
}

static void reads_members_in_any_order(void **state)
{
    struct gate_member m[3];

    (void)state;
    assert_true(reads("{\"number\":42,\"text\":\"a b\"}", m));
    assert_int_equal(m[2].number, 42);
    assert_string_equal(text, "a b");
    assert_true(m[0].given && !m[1].given && m[2].given);
    assert_true(reads(" { \"other\" :\t\"\" , \"text\" : \"x\" }\r\n", m));
    assert_true(m[1].given);
    assert_string_equal(text, "x");
    assert_true(reads("{}", m));
    assert_false(m[0].given || m[1].given || m[2].given);
    assert_true(reads("{ }", m));
}

static void reads_escapes(void **state)
{
    struct gate_member m[3];

    (void)state;
    assert_true(reads("{\"text\":\"\\\"\\\\\\/\\n\\u0041\\u003E\\t\"}", m));
    assert_string_equal(text, "\"\\/\nA>\t");
    assert_true(reads("{\"text\":\"\xc3\xa9\"}", m));
    assert_string_equal(text, "\xc3\xa9");
}

static void refuses_what_it_does_not_know(void **state)
{
    static const char *const bad[] = {
        "", " ", "[]", "null", "{", "}", "{\"text\"}", "{\"text\":}", "{\"text\":\"a\"",
        "{\"text\":\"a}", "{\"text\":\"a\",}", "{,\"text\":\"a\"}", "{\"text\":\"a\"} x",
        "{\"text\":\"a\"}{}", "{\"text\":\"a\" \"other\":\"b\"}", "{\"text\":\"a\",\"text\":\"b\"}",
        "{\"texts\":\"a\"}", "{text:\"a\"}", "{\"text\":5}", "{\"number\":\"5\"}",
        "{\"number\":-5}", "{\"number\":5.5}", "{\"number\":}", "{\"number\":1e3}",
        "{\"number\":9999999999999999999}", "{\"text\":\"\\x\"}", "{\"text\":\"\\u004\"}",
        "{\"text\":\"\\u0000\"}", "{\"text\":\"\\u00e9\"}", "{\"text\":\"\\", "{\"text\":\"a\nb\"}",
        "{\"text\":\"0123456789012345\"}", "{\"other\":\"12345678\"}",
        "{\"a name that is much longer than any\":\"\"}",
    };
    struct gate_member m[3];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (reads(bad[i], m))
            fail_msg("read: %s", bad[i]);
    }
    assert_true(reads("{\"text\":\"012345678901234\"}", m));
}

static void refuses_a_zero_byte(void **state)
{
    struct gate_member m = { .name = "text", .text = text, .cap = sizeof(text) };

    (void)state;
    assert_false(gate_members_read(gate_str_of("{\"text\":\"a\0b\"}", 14), &m, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_members_in_any_order),
        cmocka_unit_test(reads_escapes),
        cmocka_unit_test(refuses_what_it_does_not_know),
        cmocka_unit_test(refuses_a_zero_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
