/* Secrets: values of the environment never come out of what tools print. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "script/secrets.h"

static const char *hidden(const struct gate_secrets *s, const char *text)
{
    static char to[256];
    struct gate_out o = gate_out_on(to, sizeof(to) - 1);

    gate_secrets_hide(s, gate_str_from_cstr(text), &o);
    to[o.n] = '\0';
    return to;
}

static void test_values_become_names(void **state)
{
    struct gate_secrets s = { NULL, 0 };

    (void)state;
    assert_string_equal(hidden(&s, "swordfish"), "swordfish");
    gate_secrets_add(&s, "KEY", "swordfish");
    gate_secrets_add(&s, "LONG", "swordfish and chips");
    gate_secrets_add(&s, "EMPTY", "");
    assert_string_equal(hidden(&s, "swordfish"), "[env KEY]");
    assert_string_equal(hidden(&s, "/a/swordfish/swordfis"), "/a/[env KEY]/swordfis");
    assert_string_equal(hidden(&s, "swordfish and chips, swordfish"), "[env LONG], [env KEY]");
    assert_string_equal(hidden(&s, ""), "");
    gate_secrets_fini(&s);
    assert_int_equal(s.n, 0);
}

static void test_short_values_only_whole(void **state)
{
    struct gate_secrets s = { NULL, 0 };

    (void)state;
    gate_secrets_add(&s, "N", "12");
    assert_string_equal(hidden(&s, "gateway.lua:12: expected 1 to 12, got '12'"),
                        "gateway.lua:12: expected 1 to 12, got '[env N]'");
    assert_string_equal(hidden(&s, "12"), "[env N]");
    gate_secrets_add(&s, "SIX", "s3cret");
    gate_secrets_add(&s, "FIVE", "debug");
    assert_string_equal(hidden(&s, "/s3cret, debug"), "/[env SIX], debug");
    assert_string_equal(hidden(&s, "'12"), "'12");
    gate_secrets_fini(&s);
}

/* A variable that is read again, even with another value, is known by its first. */
static void test_once(void **state)
{
    struct gate_secrets s = { NULL, 0 };

    (void)state;
    gate_secrets_add(&s, "KEY", "swordfish");
    gate_secrets_add(&s, "KEY", "swordfish");
    assert_int_equal(s.n, 1);
    gate_secrets_fini(&s);
}

/* What does not fit is left out, and nothing behind it comes instead. */
static void test_full(void **state)
{
    struct gate_secrets s = { NULL, 0 };
    char to[6];
    struct gate_out o = gate_out_on(to, sizeof(to));

    (void)state;
    gate_secrets_add(&s, "KEY", "swordfish");
    gate_secrets_hide(&s, GATE_STR("swordfish!"), &o);
    assert_true(o.full);
    assert_false(memchr(to, '!', o.n) != NULL);
    gate_secrets_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_become_names),
        cmocka_unit_test(test_short_values_only_whole),
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
