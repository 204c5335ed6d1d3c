/* Garbage of a heap: when the collector runs beside what Lua itself does, and when memory goes back
 * to the kernel. */
#include <luajit.h>
#include <time.h>

#include "base/clock.h"
#include "script/heap_int.h"

/* Calls between two tries of a heap that is full of what is in use. */
#define PATIENCE_MAX 1023

/* When the collector begins its next round, in percent of what was in use after the last: late
 * while there is little, so that most of its rounds need not be run; soon when memory is scarce. */
#define PAUSE_SMALL 400
#define PAUSE_ROOMY 200
#define PAUSE_TIGHT 115
#define SMALL       (2u * 1024 * 1024)

/* How much above what was in use is garbage that nobody minds: half of it, but this at least. */
#define STALE_LEAST (4u * 1024 * 1024)

/* Idle memory that stays for the next call. */
#define IDLE_KEPT (1u * 1024 * 1024)

/* How much more has to be kept, as a part of the cap, before compiled code is let go. */
#define PIN_PART 16

/* One slice, and how much the collector does between two looks at the clock (in KiB; it visits
 * about twice as much). */
#define SLICE_NS   (1 * GATE_MS)
#define SLICE_STEP 16

/* At least the rest of a round that had begun and one in which all garbage is seen; more while they
 * free much, for buffers only halve in each. */
#define ROUNDS_LEAST 2
#define ROUNDS_MOST  10
#define ROUND_FREES  (256u * 1024)

static uint64_t half_of(const struct gate_heap *h)
{
    return h->declared / 2;
}

static uint64_t full_at(const struct gate_heap *h)
{
    return h->declared / 5 * 4;
}

static bool is_full(const struct gate_heap *h)
{
    return gate_heap_used(h) > full_at(h);
}

static int pause_of(const struct gate_heap *h, bool tight)
{
    if (tight)
        return PAUSE_TIGHT;
    return h->after < SMALL && h->after != 0 && !h->stale ? PAUSE_SMALL : PAUSE_ROOMY;
}

static void set_pace(struct gate_heap *h)
{
    bool tight = gate_heap_used(h) > half_of(h);

    lua_gc(h->L, LUA_GCSETPAUSE, pause_of(h, tight));
    h->calm_from = tight ? half_of(h) + 1 : 0;
    h->calm_span = tight ? full_at(h) - half_of(h) - 1 : half_of(h);
}

static void set_clearing(struct gate_heap *h, bool on)
{
    h->clearing = on;
    h->rounds = 0;
    h->round_from = h->taken;
    h->cap = on ? h->declared + h->declared / 4 : h->declared;
}

void gate_heap_set_cap(struct gate_heap *h, uint64_t cap)
{
    h->declared = cap;
    h->largest = cap / 4 > GATE_HEAP_PIECE ? (size_t)(cap / 4) : GATE_HEAP_PIECE;
    set_clearing(h, h->clearing);
    set_pace(h);
}

static void begin_clearing(struct gate_heap *h);

/* Compiled code keeps the functions that it was made for, with all that they refer to: the table
 * that a closure of a call has filled stays when the call is long over. So when much more is kept
 * than before, compiled code goes, and the garbage with it; what is hot is soon compiled again. */
static void unpin(struct gate_heap *h)
{
    if (h->unpinning) {
        h->unpinning = false;
        h->unpinned = h->kept;
    } else if (h->kept > h->unpinned && h->kept - h->unpinned > h->declared / PIN_PART) {
        luaJIT_setmode(h->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_FLUSH);
        h->unpinning = true;
        begin_clearing(h);
    }
}

/* All garbage is collected. But what was taken while the last round ran may have come too late for
 * it: that much may be garbage still, and when it is too much there is another visit. */
static void collected(struct gate_heap *h)
{
    uint64_t used = gate_heap_used(h), late = h->taken - h->round_from;
    uint64_t kept = late < used ? used - late : 0;

    set_clearing(h, false);
    h->after = used;
    h->kept = kept;
    h->crowded = kept > gate_heap_crowded_at(h) ? h->crowded + 1 : 0;
    h->stale_at = kept + (kept / 2 > STALE_LEAST ? kept / 2 : STALE_LEAST);
    h->stale = used > h->stale_at;
    h->aged = false;
    h->clear = true;
    h->waited = 0;
    if (!is_full(h))
        h->patience = 0;
    else if (h->patience < PATIENCE_MAX)
        h->patience = h->patience * 2 + 1;
    set_pace(h);
    unpin(h);
}

static void collect(struct gate_heap *h)
{
    h->round_from = h->taken;
    lua_gc(h->L, LUA_GCCOLLECT, 0);
    collected(h);
}

static void begin_clearing(struct gate_heap *h)
{
    set_clearing(h, true);
    if (h->on_stale != NULL)
        h->on_stale(h);
}

/* The heap is full. Usually slices clear it, and calls may take a bit more meanwhile. Who comes
 * near that bound too has to wait for all of it. */
static void make_room(struct gate_heap *h)
{
    uint64_t used = gate_heap_used(h);

    if (h->clearing) {
        if (used > h->declared + h->declared / 8)
            collect(h);
    } else if (used < h->after + h->declared / 32 && h->waited < h->patience) {
        h->waited++;
    } else {
        begin_clearing(h);
    }
}

void gate_heap_settle(struct gate_heap *h)
{
    if (is_full(h))
        make_room(h);
    set_pace(h);
}

bool gate_heap_may_lend(const struct gate_heap *h, uint64_t used)
{
    return used <= h->declared + h->declared / 4;
}

bool gate_heap_lend(struct gate_heap *h)
{
    if (!gate_heap_may_lend(h, gate_heap_used(h)))
        return false;
    if (!h->clearing)
        begin_clearing(h);
    h->limit = h->cap;
    return true;
}

bool gate_heap_packed(const struct gate_heap *h)
{
    return h->after > full_at(h);
}

void gate_heap_reclaim(struct gate_heap *h)
{
    begin_clearing(h);
}

void gate_heap_grown(struct gate_heap *h)
{
    h->stale = true;
    set_pace(h);
    if (h->on_stale != NULL)
        h->on_stale(h);
}

void gate_heap_disturbed(struct gate_heap *h)
{
    if (gate_heap_used(h) > h->stale_at && !h->clearing)
        begin_clearing(h);
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * GATE_SEC + (uint64_t)t.tv_nsec;
}

/* A round has ended; true: it was the last. */
static bool end_round(struct gate_heap *h)
{
    uint64_t used = gate_heap_used(h), before = h->after_round;

    h->after_round = used;
    h->rounds++;
    if (h->rounds == ROUNDS_MOST || (h->rounds >= ROUNDS_LEAST && used + ROUND_FREES > before))
        return true;
    h->round_from = h->taken;
    return false;
}

static void slice(struct gate_heap *h)
{
    uint64_t until = now_ns() + SLICE_NS;

    do {
        if (lua_gc(h->L, LUA_GCSTEP, SLICE_STEP) != 0 && end_round(h)) {
            collected(h);
            return;
        }
    } while (now_ns() < until);
}

static uint64_t idle(const struct gate_heap *h)
{
    return h->pages.from.idle + h->runs.idle;
}

/* What nobody has needed since the last visit. */
static void trim_spared(struct gate_regions *rs)
{
    uint64_t spared = gate_regions_spared(rs), keep = rs->idle - spared;

    gate_regions_trim(rs, keep > IDLE_KEPT ? keep : IDLE_KEPT);
}

/* After a collection all may go; true: not yet all has. */
static bool trim(struct gate_heap *h)
{
    if (h->clear)
        return gate_regions_trim(&h->pages.from, IDLE_KEPT) ||
               gate_regions_trim(&h->runs, IDLE_KEPT);
    trim_spared(&h->pages.from);
    trim_spared(&h->runs);
    return false;
}

enum gate_heap_visit gate_heap_visit(struct gate_heap *h)
{
    if (h->stale && gate_heap_used(h) <= h->stale_at)
        h->stale = h->aged = false;
    if (h->aged)
        set_clearing(h, true);
    if (h->clearing) {
        h->aged = false;
        slice(h);
        return GATE_HEAP_SOON;
    }
    if (trim(h))
        return GATE_HEAP_SOON;
    h->aged = h->stale;
    h->clear = false;
    return h->stale || idle(h) > 2 * IDLE_KEPT ? GATE_HEAP_LATER : GATE_HEAP_DONE;
}

void gate_heap_collect(struct gate_heap *h)
{
    uint64_t before;

    do {
        before = gate_heap_used(h);
        collect(h);
    } while (gate_heap_used(h) + ROUND_FREES <= before);
    while (trim(h))
        continue;
    h->clear = false;
    h->unpinned = h->kept;
}
