/* Known-header ids: each canonical name finds itself in any case, nothing else does. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http/field_id.h"

static void names_find_themselves(void **state)
{
    (void)state;
    for (int id = 1; id < GATE_F_COUNT; id++) {
        struct gate_str name = gate_field_id_name((enum gate_field_id)id);
        char lower[32];
        char upper[32];

        assert_in_range(name.n, 2, 24);
        for (size_t i = 0; i < name.n; i++) {
            lower[i] = gate_lower(name.p[i]);
            upper[i] = lower[i] >= 'a' && lower[i] <= 'z' ? (char)(lower[i] - 32) : lower[i];
        }
        assert_int_equal(gate_field_id_of(name.p, name.n), id);
        assert_int_equal(gate_field_id_of(lower, name.n), id);
        assert_int_equal(gate_field_id_of(upper, name.n), id);
    }
    assert_int_equal(gate_field_id_name(GATE_F_OTHER).n, 0);
}

/* Any other token character in any one place makes it another name. Exact-size copies show reads
 * too far. */
static void near_misses(void **state)
{
    static const char tokens[] = "!#$%&'*+-.^_`|~019AZaz";

    (void)state;
    for (int id = 1; id < GATE_F_COUNT; id++) {
        struct gate_str name = gate_field_id_name((enum gate_field_id)id);

        for (size_t at = 0; at < name.n; at++) {
            char *copy = malloc(name.n);

            assert_non_null(copy);
            for (size_t k = 0; k < sizeof tokens - 1; k++) {
                memcpy(copy, name.p, name.n);
                copy[at] = tokens[k];
                if (gate_lower(tokens[k]) != gate_lower(name.p[at]))
                    assert_int_not_equal(gate_field_id_of(copy, name.n), id);
            }
            free(copy);
        }
        assert_int_not_equal(gate_field_id_of(name.p, name.n - 1), id);
    }
}

static void odd_lengths(void **state)
{
    static const char z[] = "x-http-method-override-and-more-of-that";

    (void)state;
    assert_int_equal(gate_field_id_of(z, 0), GATE_F_OTHER);
    assert_int_equal(gate_field_id_of(z, 1), GATE_F_OTHER);
    assert_int_equal(gate_field_id_of(z, 22), GATE_F_X_HTTP_METHOD_OVERRIDE);
    assert_int_equal(gate_field_id_of(z, sizeof z - 1), GATE_F_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_find_themselves),
        cmocka_unit_test(near_misses),
        cmocka_unit_test(odd_lengths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
