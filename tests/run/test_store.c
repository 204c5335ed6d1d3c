/* The store: descriptors by name and size, held until they are dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "run/store.h"

static int memory(void)
{
    return memfd_create("test", MFD_CLOEXEC);
}

static void pieces_are_held_until_they_are_dropped(void **state)
{
    struct gate_store_name a = gate_store_name_of(GATE_STORE_DICT, GATE_STR("a"), 10);
    struct gate_store_name b = gate_store_name_of(GATE_STORE_DICT, GATE_STR("b"), 10);
    struct gate_store_name larger = gate_store_name_of(GATE_STORE_DICT, GATE_STR("a"), 20);
    struct gate_store_name name;
    struct gate_store s;
    int first = memory(), second = memory(), third = memory();

    (void)state;
    gate_store_init(&s);
    assert_int_equal(gate_store_at(&s, 0, &name), -1);
    gate_store_keep(&s, &a, first);
    gate_store_keep(&s, &b, second);
    gate_store_keep(&s, &larger, third);
    assert_int_equal(gate_store_at(&s, 2, &name), third);
    assert_memory_equal(&name, &larger, sizeof(name));
    assert_int_equal(gate_store_at(&s, 3, &name), -1);
    gate_store_drop(&s, &b);
    assert_int_equal(fcntl(second, F_GETFD), -1);
    gate_store_drop(&s, &b);
    assert_int_equal(gate_store_at(&s, 1, &name), third);
    /* The newer one takes its place. */
    second = memory();
    gate_store_keep(&s, &a, second);
    assert_int_equal(gate_store_at(&s, 1, &name), second);
    assert_int_equal(gate_store_at(&s, 2, &name), -1);
    gate_store_fini(&s);
    assert_int_equal(fcntl(second, F_GETFD), -1);
    assert_int_equal(fcntl(third, F_GETFD), -1);
}

/* Whoever else has the memory sees that it has gone. */
static void what_goes_is_wiped(void **state)
{
    struct gate_store_name bundle = gate_store_name_of(GATE_STORE_BUNDLE, GATE_STR_NONE, 7);
    struct gate_store_name dict = gate_store_name_of(GATE_STORE_DICT, GATE_STR("a"), 7);
    int fds[2] = { memory(), memory() };
    struct gate_store s;
    char c;

    (void)state;
    gate_store_init(&s);
    for (int i = 0; i < 2; i++)
        assert_int_equal(write(fds[i], "x", 1), 1);
    gate_store_keep(&s, &bundle, dup(fds[0]));
    gate_store_keep(&s, &dict, dup(fds[1]));
    gate_store_fini(&s);
    assert_int_equal(pread(fds[0], &c, 1, 0), 1);
    assert_int_equal(c, 0);
    assert_int_equal(pread(fds[1], &c, 1, 0), 1);
    assert_int_equal(c, 'x');
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_held_until_they_are_dropped),
        cmocka_unit_test(what_goes_is_wiped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
