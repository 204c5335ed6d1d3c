#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>

#include "script/interrupt.h"

static void ours(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    (void)context;
}

static void theirs(int number)
{
    (void)number;
}

static bool is_ours(int number)
{
    struct sigaction a;

    assert_int_equal(sigaction(number, NULL, &a), 0);
    return (a.sa_flags & SA_SIGINFO) != 0 && a.sa_sigaction == ours;
}

static void is_shared_and_given_back(void **state)
{
    int number = SIGRTMIN + 2;
    struct sigaction a;

    (void)state;
    signal(number, SIG_IGN);
    assert_int_equal(gate_interrupt_take(number, ours), GATE_OK);
    assert_true(is_ours(number));
    assert_int_equal(gate_interrupt_take(number, ours), GATE_OK);
    gate_interrupt_give(number);
    assert_true(is_ours(number));
    gate_interrupt_give(number);
    assert_int_equal(sigaction(number, NULL, &a), 0);
    assert_ptr_equal(a.sa_handler, SIG_IGN);
    assert_int_equal(gate_interrupt_take(number, ours), GATE_OK);
    gate_interrupt_give(number);
    signal(number, SIG_DFL);
}

static void is_nobody_elses(void **state)
{
    int number = SIGRTMIN + 2;

    (void)state;
    signal(number, theirs);
    assert_int_equal(gate_interrupt_take(number, ours), GATE_E_EXISTS);
    assert_false(is_ours(number));
    signal(number, SIG_DFL);
    assert_int_equal(gate_interrupt_take(number, ours), GATE_OK);
    gate_interrupt_give(number);
}

static void is_a_real_time_signal(void **state)
{
    (void)state;
    assert_int_equal(gate_interrupt_take(0, ours), GATE_E_INVALID);
    assert_int_equal(gate_interrupt_take(SIGTERM, ours), GATE_E_INVALID);
    assert_int_equal(gate_interrupt_take(SIGRTMAX + 1, ours), GATE_E_INVALID);
    assert_int_equal(gate_interrupt_take(SIGRTMAX, ours), GATE_OK);
    gate_interrupt_give(SIGRTMAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_shared_and_given_back),
        cmocka_unit_test(is_nobody_elses),
        cmocka_unit_test(is_a_real_time_signal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
