#include "net/wheel.h"

#include <stddef.h>

#include "base/assert.h"

/* A time is read as digits of GATE_WHEEL_BITS. A timer stands on the level of the highest digit
 * in which it differs from now, so that on each level but the top only slots after the current
 * one are in use, and a level's timers are all earlier than those of the level above. The top
 * level is a ring: what is further away waits in its last slot and is placed again. */
#define TOP (GATE_WHEEL_LEVELS - 1)
#define MASK (GATE_WHEEL_SLOTS - 1)
#define WORDS (GATE_WHEEL_SLOTS / 64)

static unsigned shift_of(unsigned level)
{
    return level * GATE_WHEEL_BITS;
}

static unsigned digit(uint64_t time, unsigned level)
{
    return (time >> shift_of(level)) & MASK;
}

void gate_wheel_init(struct gate_wheel *w, uint64_t now_ms)
{
    w->now_ms = now_ms;
    w->count = 0;
    for (unsigned level = 0; level < GATE_WHEEL_LEVELS; level++) {
        for (unsigned i = 0; i < WORDS; i++)
            w->used[level][i] = 0;
        for (unsigned i = 0; i < GATE_WHEEL_SLOTS; i++)
            gate_list_init(&w->slots[level][i]);
    }
}

static void place(struct gate_wheel *w, struct gate_timer *t)
{
    uint64_t now = w->now_ms;
    uint64_t at = t->at_ms > now ? t->at_ms : now;
    unsigned level = (63 - (unsigned)__builtin_clzll((at ^ now) | 1)) / GATE_WHEEL_BITS;
    unsigned slot;

    if (level >= TOP) {
        uint64_t last = (now >> shift_of(TOP)) + MASK;

        level = TOP;
        at >>= shift_of(TOP);
        slot = (at < last ? at : last) & MASK;
    } else {
        slot = digit(at, level);
    }
    gate_list_push(&w->slots[level][slot], &t->node);
    w->used[level][slot / 64] |= 1ull << (slot % 64);
}

/* Unlinks; when the timer was alone in its slot, its one neighbour is the slot's head, which is
 * marked empty: a mark left behind would wake the loop for nothing. */
static void unplace(struct gate_wheel *w, struct gate_timer *t)
{
    struct gate_list *head = t->node.next;
    bool alone = head == t->node.prev;

    gate_list_remove(&t->node);
    if (alone) {
        size_t i = (size_t)(head - &w->slots[0][0]);
        size_t slot = i % GATE_WHEEL_SLOTS;

        w->used[i / GATE_WHEEL_SLOTS][slot / 64] &= ~(1ull << (slot % 64));
    }
}

void gate_wheel_start(struct gate_wheel *w, struct gate_timer *t, uint64_t at_ms)
{
    if (t->at_ms != 0) {
        unplace(w, t);
    } else {
        gate_list_remove(&t->node);
        w->count++;
    }
    t->at_ms = at_ms != 0 ? at_ms : 1;
    place(w, t);
}

void gate_wheel_stop(struct gate_wheel *w, struct gate_timer *t)
{
    if (t->at_ms == 0) {
        gate_list_remove(&t->node);     /* it may stand in a list of due ones */
        return;
    }
    unplace(w, t);
    t->at_ms = 0;
    w->count--;
}

/* First used slot at or after `from`, or GATE_WHEEL_SLOTS. */
static unsigned find_used(const uint64_t *used, unsigned from)
{
    uint64_t word;

    if (from >= GATE_WHEEL_SLOTS)
        return GATE_WHEEL_SLOTS;
    word = used[from / 64] & (~0ull << (from % 64));
    for (unsigned i = from / 64;;) {
        if (word != 0)
            return i * 64 + (unsigned)__builtin_ctzll(word);
        if (++i == WORDS)
            return GATE_WHEEL_SLOTS;
        word = used[i];
    }
}

/* Begin of the first slot in use and its level; UINT64_MAX when there is none. */
static uint64_t first_slot(const struct gate_wheel *w, unsigned *level_out)
{
    uint64_t now = w->now_ms;
    unsigned slot;

    if (w->count == 0)
        return UINT64_MAX;
    for (unsigned level = 0; level < TOP; level++) {
        slot = find_used(w->used[level], digit(now, level) + (level != 0));
        if (slot == GATE_WHEEL_SLOTS)
            continue;
        *level_out = level;
        return (now >> shift_of(level + 1) << shift_of(level + 1)) |
               ((uint64_t)slot << shift_of(level));
    }
    *level_out = TOP;
    slot = find_used(w->used[TOP], digit(now, TOP) + 1);
    if (slot == GATE_WHEEL_SLOTS)
        slot = find_used(w->used[TOP], 0);
    GATE_ASSERT(slot != GATE_WHEEL_SLOTS);
    return ((now >> shift_of(TOP)) + ((slot - digit(now, TOP)) & MASK)) << shift_of(TOP);
}

uint64_t gate_wheel_next(const struct gate_wheel *w)
{
    unsigned level;

    return first_slot(w, &level);
}

static void take_slot(struct gate_wheel *w, unsigned level, struct gate_list *to)
{
    unsigned slot = digit(w->now_ms, level);

    gate_list_splice(to, &w->slots[level][slot]);
    w->used[level][slot / 64] &= ~(1ull << (slot % 64));
}

/* The slot that begins now is spread over the levels below. */
static void cascade(struct gate_wheel *w, unsigned level)
{
    struct gate_list from;
    struct gate_list *n;

    gate_list_init(&from);
    take_slot(w, level, &from);
    while ((n = gate_list_pop(&from)) != NULL)
        place(w, gate_container_of(n, struct gate_timer, node));
}

static void take_due(struct gate_wheel *w, struct gate_list *due)
{
    struct gate_list taken;

    gate_list_init(&taken);
    take_slot(w, 0, &taken);
    for (struct gate_list *n = taken.next; n != &taken; n = n->next) {
        gate_container_of(n, struct gate_timer, node)->at_ms = 0;
        w->count--;
    }
    gate_list_splice(due, &taken);
}

void gate_wheel_advance(struct gate_wheel *w, uint64_t now_ms, struct gate_list *due)
{
    unsigned level = 0;
    uint64_t next;

    while ((next = first_slot(w, &level)) <= now_ms || next <= w->now_ms) {
        w->now_ms = next;
        if (level == 0)
            take_due(w, due);
        else
            cascade(w, level);
    }
    if (now_ms > w->now_ms)
        w->now_ms = now_ms;
}
