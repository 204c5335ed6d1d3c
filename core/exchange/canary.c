#include "exchange/canary.h"

#include <string.h>

#include "exchange/exchange.h"

/* xorshift64: good enough to be out of step. */
static uint64_t next_chance(struct gate_canary_share *s)
{
    s->chance ^= s->chance << 13;
    s->chance ^= s->chance >> 7;
    s->chance ^= s->chance << 17;
    return s->chance;
}

static void set_mark(struct gate_canary_share *s)
{
    s->mark = s->whole + 1 + next_chance(s) % GATE_CANARY_WHOLE;
    s->whole += GATE_CANARY_WHOLE;
}

void gate_canary_share_init(struct gate_canary_share *s, uint32_t share, uint64_t seed)
{
    *s = (struct gate_canary_share){ .share = share, .chance = seed | 1 };
    for (int i = 0; i < 8; i++)
        next_chance(s);
    set_mark(s);
}

bool gate_canary_share_next(struct gate_canary_share *s)
{
    s->sum += s->share;
    while (s->sum >= s->mark) {
        s->due++;
        set_mark(s);
    }
    if (s->due == 0)
        return false;
    s->due--;
    return true;
}

static void add_one(_Atomic uint64_t *n)
{
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

void gate_canary_count(struct gate_canary_tally *t, uint64_t began_ns, uint64_t ended_ns,
                       bool error)
{
    if (began_ns < t->from_ns)
        return;
    gate_histogram_add(&t->latency_us, ended_ns < began_ns ? 0 : (ended_ns - began_ns) / 1000);
    if (error)
        add_one(&t->errors);
    add_one(&t->requests);
}

/* Not one that was counted already and only runs its log hooks, nor a tunnel. */
static bool is_under_way(const struct gate_exchange *x)
{
    return x->seat->tally != NULL && x->times.begin >= x->seat->tally->from_ns &&
           x->times.end == 0 && x->res.status != 101;
}

void gate_canary_look(struct gate_worker *w)
{
    if (w->canary == NULL)
        return;
    gate_histogram_clear(&w->canary->tally->under_way_us);
    gate_histogram_clear(&w->seat->tally->under_way_us);
    for (struct gate_list *n = w->live.next; n != &w->live; n = n->next) {
        const struct gate_exchange *x = gate_container_of(n, struct gate_exchange, node);

        if (is_under_way(x))
            gate_histogram_add(&x->seat->tally->under_way_us,
                               (w->loop.now_ns - x->times.begin) / 1000);
    }
}

void gate_canary_fault(struct gate_canary_tally *t)
{
    if (t != NULL)
        add_one(&t->faults);
}

void gate_canary_kill(struct gate_canary_tally *t)
{
    if (t != NULL)
        add_one(&t->kills);
}

static uint64_t read_one(const _Atomic uint64_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

void gate_canary_sum(const struct gate_canary_tally *first, uint32_t n, size_t stride,
                     struct gate_canary_figures *out)
{
    memset(out, 0, sizeof(*out));
    for (uint32_t i = 0; i < n; i++) {
        const struct gate_canary_tally *t =
            (const struct gate_canary_tally *)((const char *)first + i * stride);

        out->requests += read_one(&t->requests);
        out->errors += read_one(&t->errors);
        out->faults += read_one(&t->faults);
        out->kills += read_one(&t->kills);
        gate_histogram_merge(&out->latency_us, &t->latency_us);
        gate_histogram_merge(&out->latency_us, &t->under_way_us);
    }
    out->p99_us = gate_histogram_quantile(&out->latency_us, 990);
}
