#include "script/regions_int.h"

#include <string.h>
#include <sys/mman.h>

#include "base/assert.h"
#include "base/poison.h"

#define UNITS   GATE_REGIONS_UNITS
#define RUN_MAX GATE_REGIONS_RUN_MAX

/* What one trim returns at most: about a millisecond of the kernel's work. */
#define TRIM_MAX (8u * 1024 * 1024)

/* At the start of a region, which is aligned to its size; the first unit is the header's. */
struct region {
    struct gate_list node;
    uint32_t n_free;
    uint32_t first; /* no unit below is free */
    uint64_t taken[UNITS / 64];
    uint64_t warm[UNITS / 64]; /* units that lie in memory: taken once, not returned since */
};

static size_t region_size(const struct gate_regions *rs)
{
    return rs->unit * UNITS;
}

static bool is_run(const struct gate_regions *rs, size_t n)
{
    return n <= rs->unit * RUN_MAX;
}

static uint32_t units_of(const struct gate_regions *rs, size_t n)
{
    return (uint32_t)(gate_regions_room(rs, n) / rs->unit);
}

static char *unit_at(const struct gate_regions *rs, struct region *r, uint32_t i)
{
    return (char *)r + i * rs->unit;
}

/* Bits */

/* The first unit from `at` on whose bit is not as in `flip` (0: set, all ones: clear); UNITS: none.
 */
static uint32_t seek(const uint64_t *bits, uint64_t flip, uint32_t at)
{
    for (uint32_t i = at / 64; i < UNITS / 64; i++) {
        uint64_t word = bits[i] ^ flip;

        if (i == at / 64)
            word &= ~0ull << (at % 64);
        if (word != 0)
            return i * 64 + (uint32_t)__builtin_ctzll(word);
    }
    return UNITS;
}

static uint32_t next_taken(const struct region *r, uint32_t at)
{
    return seek(r->taken, 0, at);
}

static uint32_t next_free(const struct region *r, uint32_t at)
{
    return seek(r->taken, ~0ull, at);
}

/* The bits of units [at, end) that lie in their word number i. */
static uint64_t mask(uint32_t i, uint32_t at, uint32_t end)
{
    uint64_t m = ~0ull;

    if (i == at / 64)
        m &= ~0ull << (at % 64);
    if (i == end / 64)
        m &= ~(~0ull << (end % 64));
    return m;
}

/* How many of n units lie in memory; from here on all do. */
static uint32_t warm_up(struct region *r, uint32_t at, uint32_t n)
{
    uint32_t warm = 0;

    for (uint32_t i = at / 64; i <= (at + n - 1) / 64; i++) {
        uint64_t m = mask(i, at, at + n);

        warm += (uint32_t)__builtin_popcountll(r->warm[i] & m);
        r->warm[i] |= m;
    }
    return warm;
}

static void cool_down(struct region *r, uint32_t at, uint32_t n)
{
    for (uint32_t i = at / 64; i <= (at + n - 1) / 64; i++)
        r->warm[i] &= ~mask(i, at, at + n);
}

static void set_taken(struct region *r, uint32_t at, uint32_t n, bool taken)
{
    for (uint32_t i = at / 64; i <= (at + n - 1) / 64; i++)
        if (taken)
            r->taken[i] |= mask(i, at, at + n);
        else
            r->taken[i] &= ~mask(i, at, at + n);
}

/* Regions */

static void *map(size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

/* Maps twice as much and cuts what is not aligned. */
static void *map_aligned(size_t n)
{
    char *p = map(2 * n);
    size_t head = p == NULL ? 0 : -(uintptr_t)p & (n - 1);

    if (p == NULL)
        return NULL;
    if (head > 0)
        munmap(p, head);
    munmap(p + head + n, n - head);
    return p + head;
}

static struct region *add_region(struct gate_regions *rs)
{
    struct region *r = map_aligned(region_size(rs));

    if (r == NULL)
        return NULL;
    GATE_POISON((char *)r + rs->unit, region_size(rs) - rs->unit);
    set_taken(r, 0, 1, true);
    r->n_free = UNITS - 1;
    r->first = 1;
    gate_list_init(&r->node);
    gate_list_push(&rs->all, &r->node);
    return r;
}

static void drop_region(struct gate_regions *rs, struct region *r)
{
    gate_list_remove(&r->node);
    GATE_UNPOISON(r, region_size(rs));
    munmap(r, region_size(rs));
}

static struct region *region_of(const struct gate_regions *rs, void *p)
{
    return (struct region *)((uintptr_t)p & ~(uintptr_t)(region_size(rs) - 1));
}

/* The first place for n units; UNITS: none. */
static uint32_t find(const struct region *r, uint32_t n)
{
    uint32_t at = next_free(r, r->first);

    while (at + n <= UNITS) {
        uint32_t end = next_taken(r, at);

        if (end - at >= n)
            return at;
        at = next_free(r, end);
    }
    return UNITS;
}

/* Runs */

static void take_units(struct gate_regions *rs, struct region *r, uint32_t at, uint32_t n)
{
    rs->idle -= warm_up(r, at, n) * rs->unit;
    if (rs->idle < rs->low)
        rs->low = rs->idle;
    set_taken(r, at, n, true);
    r->n_free -= n;
    if (at == r->first)
        r->first = at + n;
    GATE_UNPOISON(unit_at(rs, r, at), n * rs->unit);
}

static void give_units(struct gate_regions *rs, struct region *r, uint32_t at, uint32_t n)
{
    GATE_POISON(unit_at(rs, r, at), n * rs->unit);
    set_taken(r, at, n, false);
    r->n_free += n;
    if (at < r->first)
        r->first = at;
    rs->idle += n * rs->unit;
}

static void *take_run(struct gate_regions *rs, uint32_t n)
{
    struct region *r = NULL;
    uint32_t at = UNITS;

    for (struct gate_list *l = rs->all.next; l != &rs->all && at == UNITS; l = l->next) {
        r = gate_container_of(l, struct region, node);
        if (r->n_free >= n)
            at = find(r, n);
    }
    if (at == UNITS) {
        r = add_region(rs);
        at = 1;
    }
    if (r == NULL)
        return NULL;
    take_units(rs, r, at, n);
    return unit_at(rs, r, at);
}

/* Longer or shorter where it is; false: somebody has the place. */
static bool resize_run(struct gate_regions *rs, void *p, uint32_t old, uint32_t n)
{
    struct region *r = region_of(rs, p);
    uint32_t at = (uint32_t)(((uintptr_t)p - (uintptr_t)r) / rs->unit);

    if (n < old)
        give_units(rs, r, at + n, old - n);
    if (n <= old)
        return true;
    if (next_taken(r, at + old) < at + n || at + n > UNITS)
        return false;
    take_units(rs, r, at + old, n - old);
    return true;
}

void *gate_regions_take(struct gate_regions *rs, size_t n)
{
    if (is_run(rs, n))
        return take_run(rs, units_of(rs, n));
    return map(gate_regions_room(rs, n));
}

void gate_regions_give(struct gate_regions *rs, void *p, size_t n)
{
    struct region *r;

    if (!is_run(rs, n)) {
        munmap(p, gate_regions_room(rs, n));
        return;
    }
    r = region_of(rs, p);
    give_units(rs, r, (uint32_t)(((uintptr_t)p - (uintptr_t)r) / rs->unit), units_of(rs, n));
}

static void *move(struct gate_regions *rs, void *p, size_t old, size_t n)
{
    void *to = gate_regions_take(rs, n);

    if (to == NULL)
        return NULL;
    memcpy(to, p, old < n ? old : n);
    gate_regions_give(rs, p, old);
    return to;
}

void *gate_regions_resize(struct gate_regions *rs, void *p, size_t old, size_t n)
{
    if (!is_run(rs, old) && !is_run(rs, n)) {
        p = mremap(p, gate_regions_room(rs, old), gate_regions_room(rs, n), MREMAP_MAYMOVE);
        return p == MAP_FAILED ? NULL : p;
    }
    if (is_run(rs, old) && is_run(rs, n) && resize_run(rs, p, units_of(rs, old), units_of(rs, n)))
        return p;
    return move(rs, p, old, n);
}

/* The rest */

void gate_regions_init(struct gate_regions *rs, size_t unit)
{
    gate_list_init(&rs->all);
    rs->unit = unit;
    rs->idle = 0;
    rs->low = 0;
}

void gate_regions_fini(struct gate_regions *rs)
{
    while (!gate_list_empty(&rs->all))
        drop_region(rs, gate_container_of(rs->all.next, struct region, node));
    rs->idle = 0;
    rs->low = 0;
}

/* Returns idle units of a region, up to `most` bytes; how many were. */
static uint64_t trim_region(struct gate_regions *rs, struct region *r, uint64_t most)
{
    uint64_t done = 0;
    uint32_t at = seek(r->warm, 0, 1);

    while (at < UNITS && done < most) {
        uint32_t free = next_free(r, at), end;

        if (free > at) {
            at = seek(r->warm, 0, free);
            continue;
        }
        end = next_taken(r, at);
        if (end > seek(r->warm, ~0ull, at))
            end = seek(r->warm, ~0ull, at);
        if (end - at > (most - done + rs->unit - 1) / rs->unit)
            end = at + (uint32_t)((most - done + rs->unit - 1) / rs->unit);
        madvise(unit_at(rs, r, at), (end - at) * rs->unit, MADV_DONTNEED);
        cool_down(r, at, end - at);
        done += (end - at) * rs->unit;
        at = seek(r->warm, 0, end);
    }
    return done;
}

bool gate_regions_trim(struct gate_regions *rs, uint64_t keep)
{
    uint64_t most = TRIM_MAX;
    struct gate_list *prev;

    /* The newest regions first: those before them are the first that are used again. */
    for (struct gate_list *l = rs->all.prev; l != &rs->all && rs->idle > keep; l = prev) {
        struct region *r = gate_container_of(l, struct region, node);
        uint64_t want = rs->idle - keep < most ? rs->idle - keep : most;
        uint64_t done = trim_region(rs, r, want);

        prev = l->prev;
        rs->idle -= done;
        most -= done < most ? done : most;
        if (r->n_free == UNITS - 1 && seek(r->warm, 0, 1) == UNITS)
            drop_region(rs, r);
        if (most == 0)
            break;
    }
    rs->low = rs->idle < rs->low ? rs->idle : rs->low;
    return rs->idle > keep;
}

uint64_t gate_regions_spared(struct gate_regions *rs)
{
    uint64_t low = rs->low;

    rs->low = rs->idle;
    return low;
}
