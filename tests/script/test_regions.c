/* Regions: runs of units, pieces that are mapped for themselves, and the way back to the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/poison.h"
#include "script/regions_int.h"

#define UNIT 4096u
#define MIB  (1024u * 1024)

/* Bytes of this process: mapped, and in memory. */
static void sizes(uint64_t *mapped, uint64_t *resident)
{
    unsigned long long m = 0, r = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%llu %llu", &m, &r), 2);
    fclose(f);
    *mapped = m * (uint64_t)sysconf(_SC_PAGESIZE);
    *resident = r * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t mapped(void)
{
    uint64_t m, r;

    sizes(&m, &r);
    return m;
}

static uint64_t resident(void)
{
    uint64_t m, r;

    sizes(&m, &r);
    return r;
}

static void fill(void *p, size_t n, int with)
{
    memset(p, with, n);
}

static void check(const unsigned char *p, size_t n, int with)
{
    for (size_t i = 0; i < n; i += 509)
        assert_int_equal(p[i], (unsigned char)with);
    assert_int_equal(p[n - 1], (unsigned char)with);
}

static void test_aligned(void **state)
{
    static const size_t units[] = {UNIT, 16384};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct gate_regions rs;

        gate_regions_init(&rs, units[i]);
        for (size_t n = 1; n < 20; n++) {
            void *p = gate_regions_take(&rs, n * 5000);

            assert_int_equal((uintptr_t)p % units[i], 0);
            fill(p, n * 5000, (int)n);
        }
        gate_regions_fini(&rs);
    }
}

/* What was given back serves again, also in other pieces. */
static void test_reuse(void **state)
{
    struct gate_regions rs;
    char *v[64];

    (void)state;
    gate_regions_init(&rs, UNIT);
    for (int i = 0; i < 64; i++)
        v[i] = gate_regions_take(&rs, 3 * UNIT);
    for (int i = 0; i < 64; i++)
        gate_regions_give(&rs, v[i], 3 * UNIT);
    assert_int_equal(rs.idle, 64 * 3 * UNIT);
    assert_ptr_equal(gate_regions_take(&rs, 100 * UNIT), v[0]);
    assert_ptr_equal(gate_regions_take(&rs, 92 * UNIT), v[0] + 100 * UNIT);
    assert_int_equal(rs.idle, 0);
    gate_regions_fini(&rs);
}

/* Idle memory goes when it is told to, a bounded amount at once; regions without any use, too. */
static void test_trim(void **state)
{
    struct gate_regions rs;
    static void *v[640];
    uint64_t before = mapped(), least, full;
    int calls = 0;

    (void)state;
    gate_regions_init(&rs, UNIT);
    least = resident();
    for (int i = 0; i < 640; i++) {
        v[i] = gate_regions_take(&rs, 100000);
        fill(v[i], 100000, i);
    }
    full = resident();
    assert_true(full > least + 60 * MIB);
    for (int i = 0; i < 640; i++)
        if (i != 2)
            gate_regions_give(&rs, v[i], 100000);
    assert_true(resident() > full - 4 * MIB); /* nothing goes by itself */
    while (gate_regions_trim(&rs, 0))
        calls++;
    assert_in_range(calls, 4, 20);
    assert_int_equal(rs.idle, 0);
    assert_true(resident() < full - 50 * MIB);
    assert_true(mapped() < before + 6 * MIB); /* one region is left */
    check(v[2], 100000, 2);
    v[0] = gate_regions_take(&rs, 500000);
    check(v[0], 500000, 0); /* fresh from the kernel */
    gate_regions_fini(&rs);
    assert_int_equal(mapped(), before);
}

static void test_keep(void **state)
{
    struct gate_regions rs;
    void *v[40];

    (void)state;
    gate_regions_init(&rs, UNIT);
    for (int i = 0; i < 40; i++)
        v[i] = gate_regions_take(&rs, 25 * UNIT);
    for (int i = 0; i < 40; i++)
        gate_regions_give(&rs, v[i], 25 * UNIT);
    assert_false(gate_regions_trim(&rs, 2 * MIB));
    assert_int_equal(rs.idle, 2 * MIB);
    gate_regions_fini(&rs);
}

/* Spared is what was idle all the time since the last look. */
static void test_spared(void **state)
{
    struct gate_regions rs;
    void *a, *b;

    (void)state;
    gate_regions_init(&rs, UNIT);
    a = gate_regions_take(&rs, 10 * UNIT);
    b = gate_regions_take(&rs, 20 * UNIT);
    gate_regions_give(&rs, a, 10 * UNIT);
    gate_regions_give(&rs, b, 20 * UNIT);
    assert_int_equal(gate_regions_spared(&rs), 0);
    assert_int_equal(gate_regions_spared(&rs), 30 * UNIT);
    b = gate_regions_take(&rs, 20 * UNIT);
    gate_regions_give(&rs, b, 20 * UNIT);
    assert_int_equal(gate_regions_spared(&rs), 10 * UNIT);
    gate_regions_fini(&rs);
}

static void test_resize_run(void **state)
{
    struct gate_regions rs;
    char *p, *q, *next;

    (void)state;
    gate_regions_init(&rs, UNIT);
    p = gate_regions_take(&rs, 4 * UNIT);
    fill(p, 4 * UNIT, 7);
    assert_ptr_equal(gate_regions_resize(&rs, p, 4 * UNIT, 9 * UNIT), p); /* there is room */
    assert_ptr_equal(gate_regions_resize(&rs, p, 9 * UNIT, 5 * UNIT), p);
    assert_int_equal(rs.idle, 4 * UNIT);
    next = gate_regions_take(&rs, UNIT);
    assert_ptr_equal(next, p + 5 * UNIT);
    q = gate_regions_resize(&rs, p, 5 * UNIT, 6 * UNIT); /* there is none */
    assert_ptr_not_equal(q, p);
    check((unsigned char *)q, 4 * UNIT, 7);
    gate_regions_fini(&rs);
}

/* Pieces of many MiB move as mappings, and leave at once. */
static void test_mapped_alone(void **state)
{
    struct gate_regions rs;
    size_t n = 3 * MIB;
    uint64_t before = mapped();
    unsigned char *p;

    (void)state;
    gate_regions_init(&rs, UNIT);
    p = gate_regions_take(&rs, 800000);
    fill(p, 800000, 9);
    p = gate_regions_resize(&rs, p, 800000, n); /* from a run */
    check(p, 800000, 9);
    fill(p, n, 11);
    for (; n < 100 * MIB; n *= 2) {
        p = gate_regions_resize(&rs, p, n, 2 * n);
        check(p, 3 * MIB, 11);
    }
    assert_true(mapped() > before + n);
    p = gate_regions_resize(&rs, p, n, 3 * MIB);
    check(p, 3 * MIB, 11);
    p = gate_regions_resize(&rs, p, 3 * MIB, 700000); /* to a run */
    check(p, 700000, 11);
    p = gate_regions_resize(&rs, p, 700000, 5 * MIB);
    gate_regions_give(&rs, p, 5 * MIB);
    gate_regions_fini(&rs);
    assert_int_equal(mapped(), before);
}

static void test_poison(void **state)
{
    struct gate_regions rs;
    char *p;

    (void)state;
    gate_regions_init(&rs, UNIT);
    p = gate_regions_take(&rs, 3 * UNIT);
    assert_false(GATE_POISONED(p + 3 * UNIT - 1));
    gate_regions_give(&rs, p, 3 * UNIT);
#ifdef GATE_WITH_ASAN
    assert_true(GATE_POISONED(p));
    assert_true(GATE_POISONED(p + 3 * UNIT));
#endif
    gate_regions_fini(&rs);
    assert_false(GATE_POISONED(p));
}

/* Pieces of all sizes, at random, with what the units say all the while. */
static void test_random(void **state)
{
    struct gate_regions rs;
    static unsigned char *v[256];
    static size_t n[256];

    (void)state;
    srand(1);
    gate_regions_init(&rs, UNIT);
    for (int i = 0; i < 20000; i++) {
        int k = rand() % 256;
        size_t size = 8000 + (size_t)rand() % (rand() % 50 == 0 ? 2 * MIB : 100000);

        if (v[k] == NULL) {
            v[k] = gate_regions_take(&rs, size);
        } else if (rand() % 3 == 0) {
            check(v[k], n[k], k);
            v[k] = gate_regions_resize(&rs, v[k], n[k], size);
            check(v[k], n[k] < size ? n[k] : size, k);
        } else {
            check(v[k], n[k], k);
            gate_regions_give(&rs, v[k], n[k]);
            v[k] = NULL;
            continue;
        }
        n[k] = size;
        fill(v[k], size, k);
        if (i % 100 == 0)
            gate_regions_trim(&rs, MIB);
    }
    for (int k = 0; k < 256; k++)
        if (v[k] != NULL)
            gate_regions_give(&rs, v[k], n[k]);
    while (gate_regions_trim(&rs, 0))
        continue;
    assert_true(gate_list_empty(&rs.all));
    gate_regions_fini(&rs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aligned),      cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_trim),         cmocka_unit_test(test_keep),
        cmocka_unit_test(test_spared),       cmocka_unit_test(test_resize_run),
        cmocka_unit_test(test_mapped_alone), cmocka_unit_test(test_poison),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
