/* Peers are counted by reference, and marked down when connects fail. */
#include "upstream/peer.h"

#include <stdio.h>

#define FAILS_TO_MARK 3
#define MARK_MS       10000
#define MARK_MAX_MS   60000

/* Answers that a worker's mean of latencies stands for at most; they count half as much after each
 * span of 2^33 ns. */
#define ANSWERS     8
#define ONE_ANSWER  256u
#define ANSWERS_MAX (ANSWERS * ONE_ANSWER)
#define SPAN_SHIFT  33

struct gate_peer *gate_peer_new(const struct gate_addr *addr, const char *server, uint32_t workers)
{
    struct gate_peer *p = gate_calloc_lines(sizeof(*p) + workers * sizeof(p->shares[0]));

    atomic_init(&p->refs, 1);
    p->workers = workers;
    p->addr = *addr;
    gate_addr_format(addr, p->text, sizeof(p->text));
    snprintf(p->name, sizeof(p->name), "%s", server);
    return p;
}

void gate_peer_ref(struct gate_peer *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
}

void gate_peer_unref(struct gate_peer **p)
{
    struct gate_peer *x = *p;

    *p = NULL;
    if (x == NULL)
        return;
    if (atomic_fetch_sub_explicit(&x->refs, 1, memory_order_acq_rel) == 1)
        gate_free(x);
}

uint64_t gate_peer_connect_failed(struct gate_peer *p, uint64_t now_ms)
{
    uint64_t mark = MARK_MAX_MS, before;
    uint32_t fails;

    atomic_fetch_add_explicit(&p->failures, 1, memory_order_relaxed);
    if (gate_peer_is_down(p, now_ms))
        return 0;
    fails = atomic_fetch_add_explicit(&p->connect_fails, 1, memory_order_relaxed) + 1;
    if (fails < FAILS_TO_MARK)
        return 0;
    if (fails < FAILS_TO_MARK + 3)
        mark = (uint64_t)MARK_MS << (fails - FAILS_TO_MARK);
    before = atomic_exchange_explicit(&p->down_until_ms, now_ms + mark, memory_order_relaxed);
    return before > now_ms ? 0 : mark; /* another worker was as quick */
}

/* Runs at each connect: writes only when there is something to clear, so that the line stays
 * shared. */
bool gate_peer_connect_ok(struct gate_peer *p)
{
    if (atomic_load_explicit(&p->connect_fails, memory_order_relaxed) == 0)
        return false;
    atomic_store_explicit(&p->connect_fails, 0, memory_order_relaxed);
    return atomic_exchange_explicit(&p->down_until_ms, 0, memory_order_relaxed) != 0;
}

bool gate_peer_is_down(const struct gate_peer *p, uint64_t now_ms)
{
    return now_ms < atomic_load_explicit(&p->down_until_ms, memory_order_relaxed);
}

/* ------------------------------------------------------------------ sums */

static uint32_t sum(const struct gate_peer *p, size_t offset)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < p->workers; i++) {
        const char *share = (const char *)&p->shares[i];

        n += atomic_load_explicit((const _Atomic uint32_t *)(share + offset),
                                  memory_order_relaxed);
    }
    return n;
}

uint32_t gate_peer_active(const struct gate_peer *p)
{
    return sum(p, offsetof(struct gate_peer_share, active));
}

uint32_t gate_peer_connections(const struct gate_peer *p)
{
    return sum(p, offsetof(struct gate_peer_share, connections));
}

uint32_t gate_peer_streams(const struct gate_peer *p)
{
    return sum(p, offsetof(struct gate_peer_share, streams));
}

uint64_t gate_peer_requests(const struct gate_peer *p)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < p->workers; i++)
        n += atomic_load_explicit(&p->shares[i].requests, memory_order_relaxed);
    return n;
}

/* ------------------------------------------------------------------ latency */

/* How many answers a mean stands for `spans` later. */
static uint32_t faded(uint32_t answers, uint32_t spans)
{
    return spans < 32 ? answers >> spans : 0;
}

/* It does not stand for as many as it may, or did so in another span. */
static GATE_COLD void note_anew(struct gate_peer_share *s, uint64_t ns, uint32_t now)
{
    uint32_t at = atomic_load_explicit(&s->answers_at, memory_order_relaxed);
    uint32_t n = faded(atomic_load_explicit(&s->answers, memory_order_relaxed), now - at);
    uint64_t mean = atomic_load_explicit(&s->latency_ns, memory_order_relaxed);
    uint32_t all = n + ONE_ANSWER < ANSWERS_MAX ? n + ONE_ANSWER : ANSWERS_MAX;

    mean = (mean * (all - ONE_ANSWER) + ns * ONE_ANSWER) / all;
    atomic_store_explicit(&s->latency_ns, mean, memory_order_relaxed);
    atomic_store_explicit(&s->answers, all, memory_order_relaxed);
    atomic_store_explicit(&s->answers_at, now, memory_order_relaxed);
}

void gate_peer_note_latency(struct gate_peer_share *s, uint64_t ns, uint64_t now_ns)
{
    uint32_t now = (uint32_t)(now_ns >> SPAN_SHIFT);
    uint64_t mean;

    if (GATE_UNLIKELY(atomic_load_explicit(&s->answers_at, memory_order_relaxed) != now ||
                      atomic_load_explicit(&s->answers, memory_order_relaxed) < ANSWERS_MAX)) {
        note_anew(s, ns, now);
        return;
    }
    mean = atomic_load_explicit(&s->latency_ns, memory_order_relaxed);
    mean = mean - mean / ANSWERS + ns / ANSWERS;
    atomic_store_explicit(&s->latency_ns, mean, memory_order_relaxed);
}

uint64_t gate_peer_latency_us(const struct gate_peer *p)
{
    uint32_t newest = 0;
    uint64_t all = 0, ns = 0;

    for (uint32_t i = 0; i < p->workers; i++) {
        uint32_t at = atomic_load_explicit(&p->shares[i].answers_at, memory_order_relaxed);

        newest = at > newest ? at : newest;
    }
    for (uint32_t i = 0; i < p->workers; i++) {
        const struct gate_peer_share *s = &p->shares[i];
        uint32_t at = atomic_load_explicit(&s->answers_at, memory_order_relaxed);
        uint32_t n = faded(atomic_load_explicit(&s->answers, memory_order_relaxed), newest - at);

        all += n;
        ns += n * atomic_load_explicit(&s->latency_ns, memory_order_relaxed);
    }
    return all > 0 ? ns / all / 1000 : 0;
}
