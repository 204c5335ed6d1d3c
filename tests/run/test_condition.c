#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "run/condition.h"

static struct gate_conditions read(const char *text)
{
    struct gate_conditions c = { .n = 0 };
    char why[200] = "";

    if (!gate_conditions_add(&c, text, why, sizeof(why)))
        fail_msg("%s: %s", text, why);
    return c;
}

static void refuses(const char *text, const char *at, const char *expected)
{
    struct gate_conditions c = { .n = 0 };
    char why[200] = "";

    assert_false(gate_conditions_add(&c, text, why, sizeof(why)));
    if (strstr(why, at) != why || strstr(why, expected) == NULL)
        fail_msg("%s: \"%s\" is not \"%s … %s\"", text, why, at, expected);
}

static void every_form_is_read_and_told_again(void **state)
{
    struct gate_conditions c = read(" errors>1%,faults > 0.5% or kills > 0 , p99 > 50ms or\n"
                                    "p99 > 1.5x or p99 > 2x+10ms or errors > +1%");
    char text[300];

    (void)state;
    assert_int_equal(c.n, 7);
    assert_int_equal(c.v[1].figure, GATE_FIGURE_FAULTS);
    assert_true(c.v[2].count && !c.v[0].count);
    gate_conditions_text(&c, text, sizeof(text));
    assert_string_equal(text, "errors > 1%, faults > 0.5%, kills > 0, p99 > 50ms, p99 > 1.5x, "
                              "p99 > 2x+10ms, errors > +1%");
    gate_conditions_text(&c, text, 12);
    assert_string_equal(text, "errors > 1%");
}

static void mistakes_are_told_with_their_place(void **state)
{
    (void)state;
    refuses("", "at its end", "errors, faults, kills or p99");
    refuses("latency > 5ms", "at \"latency\"", "errors, faults, kills or p99");
    refuses("errors", "at its end", "\">\"");
    refuses("errors >= 1%", "at \">=\"", "\">\"");
    refuses("errors < 1%", "at \"<\"", "\">\"");
    refuses("errors >", "at its end", "a limit such as 1%");
    refuses("errors > 1ms", "at \"1ms\"", "a limit such as 1%");
    refuses("errors > much", "at \"much\"", "a limit such as 1%");
    refuses("errors > -1%", "at \"-1%\"", "a limit such as 1%");
    refuses("errors > +3", "at \"+3\"", "a limit such as 1%");
    refuses("errors > 2x+3", "at \"2x+3\"", "a limit such as 1%");
    refuses("errors > 0x", "at \"0x\"", "a limit such as 1%");
    refuses("errors > 1%%", "at \"1%%\"", "a limit such as 1%");
    refuses("p99 > 5", "at \"5\"", "a limit such as 50ms");
    refuses("p99 > 5%", "at \"5%\"", "a limit such as 50ms");
    refuses("p99 > +1x", "at \"+1x\"", "a limit such as 50ms");
    refuses("p99 > 0.000000000000000000000001ms", "at \"0.0", "a limit such as 50ms");
    refuses("errors > 1% and kills > 0", "at \"and\"", "\"or\"");
    refuses("errors > 1% orkills > 0", "at \"orkills\"", "\"or\"");
    refuses("errors > 1%,", "at its end", "errors, faults, kills or p99");
    refuses("errors > 1% or", "at its end", "errors, faults, kills or p99");
}

static void there_are_sixteen_at_most(void **state)
{
    struct gate_conditions c = { .n = 0 };
    char why[200] = "";

    (void)state;
    for (int i = 0; i < GATE_CONDITIONS_MAX; i++)
        assert_true(gate_conditions_add(&c, "kills > 0", why, sizeof(why)));
    assert_false(gate_conditions_add(&c, "kills > 0", why, sizeof(why)));
    assert_non_null(strstr(why, "at most 16"));
    assert_int_equal(c.n, GATE_CONDITIONS_MAX);
}

static struct gate_canary_figures current = {
    .requests = 1000000, .errors = 12000, .faults = 1000, .kills = 0
};

/* Requests that took so long. */
static void add(struct gate_canary_figures *f, int n, uint64_t us)
{
    for (int i = 0; i < n; i++)
        gate_histogram_add(&f->latency_us, us);
    f->p99_us = gate_histogram_quantile(&f->latency_us, 990);
}

/* Figures of 100,000 requests, all of which took `p99`; of the other generation's, 20 us. */
static bool holds(const char *text, struct gate_canary_figures canary)
{
    struct gate_conditions c = read(text);

    canary.requests = 100000;
    add(&canary, 1000, canary.p99_us);
    if (current.p99_us == 0)
        add(&current, 1000, 20);
    return gate_conditions_check(&c, &canary, &current) != NULL;
}

#define FIGURES(...) ((struct gate_canary_figures){ __VA_ARGS__ })

static void a_part_of_the_requests(void **state)
{
    (void)state;
    assert_false(holds("errors > 1%", FIGURES(.errors = 1000)));
    assert_true(holds("errors > 1%", FIGURES(.errors = 1001)));
    assert_true(holds("faults > 0%", FIGURES(.faults = 1)));
    assert_false(holds("faults > 0%", FIGURES(.errors = 1, .kills = 1)));
}

static void a_number(void **state)
{
    (void)state;
    assert_false(holds("kills > 0", FIGURES(.kills = 0)));
    assert_true(holds("kills > 0", FIGURES(.kills = 1)));
    assert_false(holds("kills > 3", FIGURES(.kills = 3)));
}

static void a_time(void **state)
{
    (void)state;
    assert_false(holds("p99 > 50us", FIGURES(.p99_us = 50)));
    assert_true(holds("p99 > 50us", FIGURES(.p99_us = 51)));
}

static void beside_the_other_generation(void **state)
{
    (void)state;
    /* 1.2 % of the other's are errors. */
    assert_false(holds("errors > +1%", FIGURES(.errors = 2200)));
    assert_true(holds("errors > +1%", FIGURES(.errors = 2201)));
    assert_false(holds("errors > 2x", FIGURES(.errors = 2400)));
    assert_true(holds("errors > 2x", FIGURES(.errors = 2401)));
    assert_false(holds("p99 > 1.5x", FIGURES(.p99_us = 30)));
    assert_true(holds("p99 > 1.5x", FIGURES(.p99_us = 31)));
    assert_false(holds("p99 > +5us", FIGURES(.p99_us = 25)));
    assert_true(holds("p99 > +5us", FIGURES(.p99_us = 26)));
    assert_false(holds("p99 > 2x+10us", FIGURES(.p99_us = 50)));
    assert_true(holds("p99 > 2x+10us", FIGURES(.p99_us = 51)));
}

static bool errors_hold(const char *text, uint64_t n, uint64_t errors, uint64_t other_n,
                        uint64_t other_errors)
{
    struct gate_conditions c = read(text);

    return gate_conditions_check(&c, &FIGURES(.requests = n, .errors = errors),
                                 &FIGURES(.requests = other_n, .errors = other_errors)) != NULL;
}

/* Five in a hundred fail anyway: 32 of 500 are more than one point above that by chance. */
static void chance_gives_nobody_up(void **state)
{
    (void)state;
    assert_false(errors_hold("errors > +1%", 500, 32, 10000, 500));
    assert_true(errors_hold("errors > +1%", 500, 45, 10000, 500));
    assert_true(errors_hold("errors > +1%", 5000, 320, 100000, 5000));
    assert_true(errors_hold("errors > +1%", 500, 6, 9500, 0));
    assert_false(errors_hold("errors > 1x", 500, 1, 500, 0));
    assert_false(errors_hold("errors > +1%", 500, 500, 0, 0));
    /* What is said in numbers is meant so. */
    assert_true(errors_hold("errors > 6%", 500, 32, 10000, 500));
}

/* Nearly one in a hundred is slow anyway: whether it is p99 is chance. */
static void chance_is_not_slower(void **state)
{
    struct gate_conditions relative = read("p99 > 2x+10ms"), plain = read("p99 > 20ms");
    static struct gate_canary_figures other, canary, slow;

    (void)state;
    add(&other, 9910, 5000);
    add(&other, 90, 50000);
    add(&canary, 492, 5000);
    add(&canary, 8, 50000);
    assert_true(canary.p99_us > 2 * other.p99_us + 10000);
    assert_null(gate_conditions_check(&relative, &canary, &other));
    assert_non_null(gate_conditions_check(&plain, &canary, &other));
    add(&slow, 485, 5000);
    add(&slow, 15, 50000);
    assert_non_null(gate_conditions_check(&relative, &slow, &other));
}

static void the_first_that_holds_is_told(void **state)
{
    struct gate_conditions c = read("kills > 0 or p99 > 50ms or errors > 1%");
    struct gate_canary_figures canary = { .requests = 1000, .errors = 24, .p99_us = 60000 };
    struct gate_canary_figures other = { .requests = 10000, .errors = 120, .p99_us = 4000 };
    const struct gate_condition *held = gate_conditions_check(&c, &canary, &other);
    char text[200];

    (void)state;
    assert_ptr_equal(held, &c.v[1]);
    gate_condition_explain(held, &canary, &other, 7, text, sizeof(text));
    assert_string_equal(text, "p99 60.00 ms (generation 7: 4.00 ms), more than the condition "
                              "p99 > 50ms allows");
    gate_condition_explain(&c.v[2], &canary, &other, 7, text, sizeof(text));
    assert_string_equal(text, "errors 2.40% (generation 7: 1.20%), more than the condition "
                              "errors > 1% allows");
    gate_condition_explain(&c.v[0], &canary, &other, 7, text, sizeof(text));
    assert_non_null(strstr(text, "kills 0 (generation 7: 0)"));
}

static void the_default_gives_up_what_is_clearly_worse(void **state)
{
    (void)state;
    assert_false(holds(GATE_CONDITIONS_DEFAULT, FIGURES(.errors = 2000, .faults = 1000,
                                                        .kills = 1000, .p99_us = 9500)));
    assert_true(holds(GATE_CONDITIONS_DEFAULT, FIGURES(.errors = 2300)));
    assert_true(holds(GATE_CONDITIONS_DEFAULT, FIGURES(.faults = 1200)));
    assert_true(holds(GATE_CONDITIONS_DEFAULT, FIGURES(.kills = 1100)));
    assert_true(holds(GATE_CONDITIONS_DEFAULT, FIGURES(.p99_us = 10500)));
}

static void no_requests_are_no_reason(void **state)
{
    struct gate_conditions c = read(GATE_CONDITIONS_DEFAULT);
    struct gate_canary_figures none = { .requests = 0 };

    (void)state;
    assert_null(gate_conditions_check(&c, &none, &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_read_and_told_again),
        cmocka_unit_test(mistakes_are_told_with_their_place),
        cmocka_unit_test(there_are_sixteen_at_most),
        cmocka_unit_test(a_part_of_the_requests),
        cmocka_unit_test(a_number),
        cmocka_unit_test(a_time),
        cmocka_unit_test(beside_the_other_generation),
        cmocka_unit_test(chance_gives_nobody_up),
        cmocka_unit_test(chance_is_not_slower),
        cmocka_unit_test(the_first_that_holds_is_told),
        cmocka_unit_test(the_default_gives_up_what_is_clearly_worse),
        cmocka_unit_test(no_requests_are_no_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
