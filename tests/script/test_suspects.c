#include "script/suspects_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void what_took_long_is_suspected_for_a_while(void **state)
{
    struct gate_suspects s;

    (void)state;
    gate_suspects_init(&s);
    assert_int_equal(gate_suspects_ask(&s, 7, 1000), GATE_SUSPICION_NONE);
    gate_suspects_accuse(&s, 7, 1000);
    assert_int_not_equal(s.until_ms, 0);
    assert_int_equal(gate_suspects_ask(&s, 7, 10999), GATE_SUSPICION_SLOW);
    assert_int_equal(gate_suspects_ask(&s, 8, 10999), GATE_SUSPICION_NONE);
    assert_int_equal(gate_suspects_ask(&s, 7 + GATE_SUSPECTS, 10999), GATE_SUSPICION_NONE);
    assert_int_equal(gate_suspects_ask(&s, 7, 11000), GATE_SUSPICION_NONE);
    assert_int_equal(s.until_ms, 0); /* nobody need ask */
}

static void who_was_wrongly_suspected_is_trusted_for_a_while(void **state)
{
    struct gate_suspects s;

    (void)state;
    gate_suspects_init(&s);
    gate_suspects_accuse(&s, 7, 1000);
    gate_suspects_acquit(&s, 7, 1001);
    gate_suspects_accuse(&s, 7, 2000);
    assert_int_equal(gate_suspects_ask(&s, 7, 11000), GATE_SUSPICION_LIFTED);
    gate_suspects_accuse(&s, 7, 11001);
    assert_int_equal(gate_suspects_ask(&s, 7, 11001), GATE_SUSPICION_SLOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_took_long_is_suspected_for_a_while),
        cmocka_unit_test(who_was_wrongly_suspected_is_trusted_for_a_while),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
