/* Quarantine: when it begins, who may try, how it ends. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "script/job_int.h"
#include "script/quarantine.h"

#define MINUTE 60000

static const struct gate_quarantine_key one = {1, 7}, other = {2, 7};

static int setup(void **state)
{
    *state = gate_quarantine_new();
    return 0;
}

static int teardown(void **state)
{
    struct gate_quarantine *q = *state;

    gate_quarantine_unref(&q);
    assert_null(q);
    return 0;
}

static void hold(struct gate_quarantine *q, uint64_t at)
{
    assert_false(gate_quarantine_killed(q, one, false, at));
    assert_false(gate_quarantine_killed(q, one, false, at + 1));
    assert_true(gate_quarantine_killed(q, one, false, at + 2));
}

static void begins_with_the_third_within_a_minute(void **state)
{
    struct gate_quarantine *q = *state;

    assert_false(gate_quarantine_any(q));
    assert_int_equal(gate_quarantine_ask(q, one, 1), GATE_QUARANTINE_GO);
    assert_false(gate_quarantine_killed(q, one, false, 1000));
    assert_false(gate_quarantine_killed(q, one, false, 2000));
    assert_false(gate_quarantine_killed(q, one, false, 1000 + MINUTE)); /* the first is too old */
    assert_false(gate_quarantine_any(q));
    assert_true(gate_quarantine_killed(q, one, false, 1999 + MINUTE));
    assert_true(gate_quarantine_any(q));
    assert_true(gate_quarantine_holds(q, one));
    assert_int_equal(gate_quarantine_ask(q, one, 2000 + MINUTE), GATE_QUARANTINE_BARRED);
}

static void is_each_hook_s_own(void **state)
{
    struct gate_quarantine *q = *state;

    hold(q, 1000);
    assert_false(gate_quarantine_holds(q, other));
    assert_int_equal(gate_quarantine_ask(q, other, 1003), GATE_QUARANTINE_GO);
    assert_false(gate_quarantine_killed(q, other, false, 1003));
}

static void is_not_made_longer_by_calls_under_way(void **state)
{
    struct gate_quarantine *q = *state;

    hold(q, 1000);
    assert_false(gate_quarantine_killed(q, one, false, 50000));
    assert_int_equal(gate_quarantine_ask(q, one, 1001 + MINUTE), GATE_QUARANTINE_BARRED);
    assert_int_equal(gate_quarantine_ask(q, one, 1002 + MINUTE), GATE_QUARANTINE_PROBE);
}

static void lets_one_probe_at_a_time(void **state)
{
    struct gate_quarantine *q = *state;
    uint64_t now = 1002 + MINUTE;

    hold(q, 1000);
    assert_int_equal(gate_quarantine_ask(q, one, now), GATE_QUARANTINE_PROBE);
    assert_int_equal(gate_quarantine_ask(q, one, now), GATE_QUARANTINE_BARRED);
    gate_quarantine_probed(q, one, false); /* its client left */
    assert_true(gate_quarantine_holds(q, one));
    assert_int_equal(gate_quarantine_ask(q, one, now), GATE_QUARANTINE_PROBE);
    assert_true(gate_quarantine_killed(q, one, true, now));
    assert_int_equal(gate_quarantine_ask(q, one, now + MINUTE - 1), GATE_QUARANTINE_BARRED);
    assert_int_equal(gate_quarantine_ask(q, one, now + MINUTE), GATE_QUARANTINE_PROBE);
}

static void is_over_when_a_probe_passes(void **state)
{
    struct gate_quarantine *q = *state;

    hold(q, 1000);
    assert_int_equal(gate_quarantine_ask(q, one, 1002 + MINUTE), GATE_QUARANTINE_PROBE);
    gate_quarantine_probed(q, one, true);
    assert_false(gate_quarantine_any(q));
    assert_int_equal(gate_quarantine_ask(q, one, 1003 + MINUTE), GATE_QUARANTINE_GO);
    hold(q, 1004 + MINUTE); /* three more are needed */
}

static void is_shared(void **state)
{
    struct gate_quarantine *q = gate_quarantine_ref(*state), *same = q;

    hold(q, 1000);
    gate_quarantine_unref(&q);
    assert_true(gate_quarantine_holds(same, one));
}

static bool same(struct gate_quarantine_key a, struct gate_quarantine_key b)
{
    return a.hook == b.hook && a.ordinal == b.ordinal;
}

/* What the hooks of a policy spawn is of one kind, and so is what that spawns; what anything else
 * does is of its own. */
static void spawned_is_of_whom_it_came_from(void **state)
{
    struct gate_quarantine_key policy = gate_job_key_spawned((struct gate_quarantine_key){0, 7});

    (void)state;
    for (int hook = 1; hook < GATE_HOOK_COUNT; hook++)
        assert_true(same(gate_job_key_spawned((struct gate_quarantine_key){hook, 7}), policy));
    assert_true(same(gate_job_key_spawned(policy), policy));
    assert_false(same(gate_job_key_spawned((struct gate_quarantine_key){0, 8}), policy));
    for (int kind = GATE_CHAIN_WHEN; kind <= GATE_KEY_EVERY; kind++) {
        struct gate_quarantine_key by = {kind, 7}, key = gate_job_key_spawned(by);

        assert_false(same(key, by) || same(key, policy));
        assert_true(same(gate_job_key_spawned(key), key));
        for (int other_kind = kind + 1; other_kind <= GATE_KEY_EVERY; other_kind++)
            assert_false(same(key, gate_job_key_spawned(
                                       (struct gate_quarantine_key){other_kind, 7})));
    }
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(begins_with_the_third_within_a_minute), TEST(is_each_hook_s_own),
        TEST(is_not_made_longer_by_calls_under_way), TEST(lets_one_probe_at_a_time),
        TEST(is_over_when_a_probe_passes),           TEST(is_shared),
        cmocka_unit_test(spawned_is_of_whom_it_came_from),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
