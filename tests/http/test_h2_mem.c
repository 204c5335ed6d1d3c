/* Memory for nghttp2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/h2_mem.h"

static const size_t sizes[] = {1, 16, 48, 64, 1000, 8168, 8192, 100000};

static void every_size_is_usable_and_aligned(void **state)
{
    struct gate_h2_mem m;
    char *v[8];

    (void)state;
    gate_h2_mem_init(&m);
    for (int i = 0; i < 8; i++) {
        v[i] = m.ng.malloc(sizes[i], m.ng.mem_user_data);
        assert_non_null(v[i]);
        assert_int_equal((uintptr_t)v[i] % 16, 0);
        memset(v[i], i, sizes[i]);
    }
    for (int i = 0; i < 8; i++) {
        assert_int_equal(v[i][0], i);
        assert_int_equal(v[i][sizes[i] - 1], i);
        m.ng.free(v[i], m.ng.mem_user_data);
    }
    m.ng.free(NULL, m.ng.mem_user_data);
    gate_h2_mem_fini(&m);
}

static void what_is_given_back_is_taken_again(void **state)
{
    struct gate_h2_mem m;
    void *first, *second;

    (void)state;
    gate_h2_mem_init(&m);
    first = m.ng.malloc(200, m.ng.mem_user_data);
    m.ng.free(first, m.ng.mem_user_data);
    second = m.ng.malloc(150, m.ng.mem_user_data);
    assert_ptr_equal(first, second);
    m.ng.free(second, m.ng.mem_user_data);
    gate_h2_mem_fini(&m);
}

static void resizing_keeps_the_content(void **state)
{
    struct gate_h2_mem m;
    char *p;

    (void)state;
    gate_h2_mem_init(&m);
    p = m.ng.realloc(NULL, 10, m.ng.mem_user_data);
    memcpy(p, "123456789", 10);
    for (size_t i = 0; i < 8; i++) {
        p = m.ng.realloc(p, sizes[i] + 10, m.ng.mem_user_data);
        assert_string_equal(p, "123456789");
    }
    p = m.ng.realloc(p, 10, m.ng.mem_user_data);
    assert_string_equal(p, "123456789");
    m.ng.free(p, m.ng.mem_user_data);
    gate_h2_mem_fini(&m);
}

static void cleared_memory_is_clear(void **state)
{
    struct gate_h2_mem m;
    char *p;

    (void)state;
    gate_h2_mem_init(&m);
    p = m.ng.malloc(100, m.ng.mem_user_data);
    memset(p, 1, 100);
    m.ng.free(p, m.ng.mem_user_data);
    p = m.ng.calloc(10, 10, m.ng.mem_user_data);
    for (int i = 0; i < 100; i++)
        assert_int_equal(p[i], 0);
    m.ng.free(p, m.ng.mem_user_data);
    gate_h2_mem_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_is_usable_and_aligned),
        cmocka_unit_test(what_is_given_back_is_taken_again),
        cmocka_unit_test(resizing_keeps_the_content),
        cmocka_unit_test(cleared_memory_is_clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
