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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_held_until_they_are_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
