/* Space: blocks do not overlap, and what is given back can be had again as a whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "shared/space_int.h"

#define END 4096u /* granules */
#define FIRST 16u
#define BLOCKS 300

static _Alignas(16) char memory[END * GATE_GRANULE];

static uint32_t chance(uint32_t below)
{
    static uint64_t x = 88172645463325252ull;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return (uint32_t)(x >> 20) % below;
}

struct taken {
    uint32_t at;
    uint32_t n;
    char mark;
};

static char *content(const struct taken *t)
{
    return memory + t->at * GATE_GRANULE + sizeof(struct gate_space_block);
}

static size_t length(const struct taken *t)
{
    return t->n * GATE_GRANULE - sizeof(struct gate_space_block);
}

static void give(struct gate_space *s, struct taken *t)
{
    for (size_t i = 0; i < length(t); i++)
        assert_int_equal(content(t)[i], t->mark);
    gate_space_give(s, memory, t->at);
    t->at = 0;
}

static void take(struct gate_space *s, struct taken *t)
{
    t->n = 1 + chance(chance(8) == 0 ? 400 : 20);
    t->at = gate_space_take(s, memory, t->n);
    t->mark = (char)chance(256);
    if (t->at == 0)
        return;
    assert_true(t->at >= FIRST && t->at + t->n <= END);
    assert_int_equal(gate_space_size(memory, t->at), t->n);
    memset(content(t), t->mark, length(t));
}

static void blocks_keep_what_is_in_them(void **state)
{
    struct taken blocks[BLOCKS] = { { 0 } };
    struct gate_space s;
    uint32_t sum = 0;

    (void)state;
    gate_space_reset(&s, memory, FIRST, END);
    for (int i = 0; i < 200000; i++) {
        struct taken *t = &blocks[chance(BLOCKS)];

        if (t->at != 0)
            give(&s, t);
        else
            take(&s, t);
    }
    for (int i = 0; i < BLOCKS; i++)
        sum += blocks[i].at != 0 ? blocks[i].n : 0;
    assert_int_equal(s.taken, sum);
    assert_true(sum > 0);
    for (int i = 0; i < BLOCKS; i++) {
        if (blocks[i].at != 0)
            give(&s, &blocks[i]);
    }
    assert_int_equal(s.taken, 0);
    /* All joined again. */
    assert_int_equal(gate_space_take(&s, memory, 3584), FIRST);
}

static void nothing_is_found_where_nothing_is(void **state)
{
    struct gate_space s;

    (void)state;
    gate_space_reset(&s, memory, FIRST, END);
    assert_int_equal(gate_space_take(&s, memory, END), 0);
    assert_int_equal(gate_space_take(&s, memory, UINT32_MAX / 32), 0);
    for (uint32_t i = 0; i < END - FIRST; i++)
        assert_int_not_equal(gate_space_take(&s, memory, 1), 0);
    assert_int_equal(gate_space_take(&s, memory, 1), 0);
    gate_space_give(&s, memory, 100);
    assert_int_equal(gate_space_take(&s, memory, 1), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_keep_what_is_in_them),
        cmocka_unit_test(nothing_is_found_where_nothing_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
