/* Burials of one VM, which has a dictionary: who frees it, and that its memory goes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "base/thread.h"
#include "run/engine_int.h"
#include "support/script_rig.h"

static bool no_threads;

/* In place of the real one. */
int gate_thread_start(pthread_t *out, const char *name, void *(*main)(void *arg), void *arg)
{
    if (no_threads && strcmp(name, "gate-burial") == 0)
        return EAGAIN;
    return pthread_create(out, NULL, main, arg);
}

static int kept;

static void keep(struct gate_broker *b, const struct gate_store_name *name, int fd)
{
    (void)b, (void)name, (void)fd;
    kept++;
}

static void drop(struct gate_broker *b, const struct gate_store_name *name)
{
    (void)b, (void)name;
    kept--;
}

static void bury_one(void)
{
    static const struct gate_broker_ops ops = {.keep = keep, .drop = drop};
    struct gate_broker broker = {.ops = &ops};
    struct gate_host host = {.signal = 0};
    struct gate_engine e = {.host = &host, .broker = &broker, .shared = gate_shared_new()};
    struct script_rig r;

    script_rig_begin(&r, "local gate = require 'moongate'\ngate.shared('d', { bytes = '64k' })\n");
    r.shared = e.shared;
    assert_int_equal(script_rig_load(&r), GATE_OK);
    assert_int_equal(gate_loop_open(&e.loop, &r.clock, &r.log), GATE_OK);
    gate_mailbox_open(&e.mail, &e.loop, &e);
    gate_bury_begin(&e);
    gate_memory_settle(&e);
    assert_int_equal(kept, 1);

    gate_vm_detach(r.seat.vm);
    gate_bury(&e, &r.seat.vm);
    assert_null(r.seat.vm);
    gate_clock_advance(&r.clock, GATE_SEC);
    gate_loop_turn(&e.loop, false);
    while (e.burials.works)
        gate_loop_turn(&e.loop, true);
    assert_int_equal(kept, 0);

    gate_bury_end(&e);
    gate_mailbox_close(&e.mail);
    gate_loop_close(&e.loop);
    script_rig_close(&r);
    gate_shared_free(&e.shared);
}

static void a_thread_frees_what_has_gone(void **state)
{
    (void)state;
    no_threads = false;
    bury_one();
}

static void without_a_thread_it_goes_all_the_same(void **state)
{
    (void)state;
    no_threads = true;
    bury_one();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_frees_what_has_gone),
        cmocka_unit_test(without_a_thread_it_goes_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
