#include <stdbool.h>
#include <stddef.h>

#include "base/assert.h"
#include "shared/space_int.h"
#include "shared/words_int.h"

/* Up to EXACT granules each size has a list of its own; beyond, each power of two has eight. */
#define EXACT      64u
#define EXACT_LOG2 6u
#define STEPS_LOG2 3u

struct free_block {
    struct gate_space_block block;
    uint32_t next;
    uint32_t prev;
};

static struct free_block *at_place(const char *base, uint32_t at)
{
    return (struct free_block *)(base + (size_t)at * GATE_GRANULE);
}

static uint32_t size_of(const struct free_block *b)
{
    return gate_word_get(&b->block.size) / 2;
}

static bool is_taken(const struct free_block *b)
{
    return gate_word_get(&b->block.size) % 2 != 0;
}

/* The list of blocks of this size. */
static uint32_t class_of(uint32_t n)
{
    uint32_t log2;

    if (n < EXACT)
        return n;
    log2 = 31 - (uint32_t)__builtin_clz(n);
    return EXACT + ((log2 - EXACT_LOG2) << STEPS_LOG2) +
           (n >> (log2 - STEPS_LOG2) & ((1u << STEPS_LOG2) - 1));
}

/* The first list all of whose blocks are large enough. */
static uint32_t class_for(uint32_t n)
{
    uint32_t log2;

    if (n < EXACT)
        return n;
    log2 = 31 - (uint32_t)__builtin_clz(n);
    return class_of(n + (1u << (log2 - STEPS_LOG2)) - 1);
}

static void link_free(struct gate_space *s, char *base, uint32_t at)
{
    struct free_block *b = at_place(base, at);
    uint32_t c = class_of(size_of(b));
    uint32_t head = s->lists[c];

    gate_word_put(&b->next, head);
    gate_word_put(&b->prev, 0);
    if (head != 0)
        gate_word_put(&at_place(base, head)->prev, at);
    s->lists[c] = at;
    s->filled[c / 64] |= 1ull << c % 64;
}

static void unlink_free(struct gate_space *s, char *base, uint32_t at)
{
    struct free_block *b = at_place(base, at);
    uint32_t c = class_of(size_of(b));
    uint32_t next = gate_word_get(&b->next);
    uint32_t prev = gate_word_get(&b->prev);

    if (next != 0)
        gate_word_put(&at_place(base, next)->prev, prev);
    if (prev != 0)
        gate_word_put(&at_place(base, prev)->next, next);
    else
        s->lists[c] = next;
    if (s->lists[c] == 0)
        s->filled[c / 64] &= ~(1ull << c % 64);
}

/* Sets the size of a block, which its right neighbour repeats. */
static void set_size(const struct gate_space *s, char *base, uint32_t at, uint32_t n, bool taken)
{
    gate_word_put(&at_place(base, at)->block.size, n * 2 + taken);
    if (at + n < s->end)
        gate_word_put(&at_place(base, at + n)->block.before, n);
}

void gate_space_reset(struct gate_space *s, char *base, uint32_t first, uint32_t end)
{
    memset(s, 0, sizeof(*s));
    s->first = first;
    s->end = end;
    gate_word_put(&at_place(base, first)->block.before, 0);
    set_size(s, base, first, end - first, false);
    link_free(s, base, first);
}

/* The lowest list that is not empty, from c on; GATE_SPACE_CLASSES: none. */
static uint32_t find_list(const struct gate_space *s, uint32_t c)
{
    uint64_t map;

    if (c >= GATE_SPACE_CLASSES)
        return GATE_SPACE_CLASSES;
    map = s->filled[c / 64] >> c % 64 << c % 64;
    for (c /= 64; map == 0; map = s->filled[c]) {
        if (++c == GATE_SPACE_CLASSES / 64)
            return GATE_SPACE_CLASSES;
    }
    return c * 64 + (uint32_t)__builtin_ctzll(map);
}

uint32_t gate_space_take(struct gate_space *s, char *base, uint32_t n)
{
    uint32_t c = find_list(s, class_for(n));
    uint32_t at, rest;

    if (c == GATE_SPACE_CLASSES)
        return 0;
    at = s->lists[c];
    unlink_free(s, base, at);
    rest = size_of(at_place(base, at)) - n;
    if (rest > 0) {
        set_size(s, base, at + n, rest, false);
        link_free(s, base, at + n);
    }
    set_size(s, base, at, n, true);
    s->taken += n;
    return at;
}

void gate_space_give(struct gate_space *s, char *base, uint32_t at)
{
    struct free_block *b = at_place(base, at);
    uint32_t n = size_of(b);
    uint32_t before = gate_word_get(&b->block.before);

    GATE_ASSERT(is_taken(b));
    s->taken -= n;
    if (at + n < s->end && !is_taken(at_place(base, at + n))) {
        unlink_free(s, base, at + n);
        n += size_of(at_place(base, at + n));
    }
    if (before != 0 && !is_taken(at_place(base, at - before))) {
        at -= before;
        unlink_free(s, base, at);
        n += before;
    }
    set_size(s, base, at, n, false);
    link_free(s, base, at);
}

uint32_t gate_space_size(const char *base, uint32_t at)
{
    return size_of(at_place(base, at));
}
