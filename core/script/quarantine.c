#include "script/quarantine.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"

/* A hook that has been stopped. */
struct cell {
    struct cell *next;
    struct gate_quarantine_key key;
    bool held;
    bool probing;
    uint64_t until_ms;                        /* held: when the next probe may begin */
    uint64_t kills_ms[GATE_QUARANTINE_KILLS]; /* the latest, as a ring; 0: none */
    uint32_t at;
};

struct gate_quarantine {
    _Atomic uint32_t refs;
    _Atomic uint32_t held; /* cells */
    pthread_mutex_t lock;
    struct cell *cells; /* under the lock */
};

struct gate_quarantine *gate_quarantine_new(void)
{
    struct gate_quarantine *q = gate_calloc(1, sizeof(*q));

    atomic_init(&q->refs, 1);
    pthread_mutex_init(&q->lock, NULL);
    return q;
}

struct gate_quarantine *gate_quarantine_ref(struct gate_quarantine *q)
{
    atomic_fetch_add(&q->refs, 1);
    return q;
}

void gate_quarantine_unref(struct gate_quarantine **quarantine)
{
    struct gate_quarantine *q = *quarantine;

    *quarantine = NULL;
    if (q == NULL || atomic_fetch_sub(&q->refs, 1) > 1)
        return;
    while (q->cells != NULL) {
        struct cell *c = q->cells;

        q->cells = c->next;
        gate_free(c);
    }
    pthread_mutex_destroy(&q->lock);
    gate_free(q);
}

static struct cell *find(struct gate_quarantine *q, struct gate_quarantine_key key)
{
    struct cell *c = q->cells;

    while (c != NULL && (c->key.hook != key.hook || c->key.ordinal != key.ordinal))
        c = c->next;
    return c;
}

static struct cell *find_or_add(struct gate_quarantine *q, struct gate_quarantine_key key)
{
    struct cell *c = find(q, key);

    if (c != NULL)
        return c;
    c = gate_calloc(1, sizeof(*c));
    c->key = key;
    c->next = q->cells;
    q->cells = c;
    return c;
}

bool gate_quarantine_any(const struct gate_quarantine *q)
{
    return atomic_load_explicit(&q->held, memory_order_relaxed) > 0;
}

bool gate_quarantine_holds(struct gate_quarantine *q, struct gate_quarantine_key key)
{
    const struct cell *c;
    bool held;

    pthread_mutex_lock(&q->lock);
    c = find(q, key);
    held = c != NULL && c->held;
    pthread_mutex_unlock(&q->lock);
    return held;
}

enum gate_quarantine_answer gate_quarantine_ask(struct gate_quarantine *q,
                                                struct gate_quarantine_key key, uint64_t now_ms)
{
    enum gate_quarantine_answer answer = GATE_QUARANTINE_GO;
    struct cell *c;

    pthread_mutex_lock(&q->lock);
    c = find(q, key);
    if (c != NULL && c->held) {
        bool probe = !c->probing && now_ms >= c->until_ms;

        c->probing |= probe;
        answer = probe ? GATE_QUARANTINE_PROBE : GATE_QUARANTINE_BARRED;
    }
    pthread_mutex_unlock(&q->lock);
    return answer;
}

/* Notes a stop; whether there are enough of them within the window. */
static bool too_many(struct cell *c, uint64_t now_ms)
{
    uint64_t oldest;

    c->kills_ms[c->at] = now_ms;
    c->at = (c->at + 1) % GATE_QUARANTINE_KILLS;
    oldest = c->kills_ms[c->at];
    return oldest != 0 && now_ms - oldest < GATE_QUARANTINE_WINDOW_MS;
}

bool gate_quarantine_killed(struct gate_quarantine *q, struct gate_quarantine_key key, bool probe,
                            uint64_t now_ms)
{
    struct cell *c;
    bool begins;

    pthread_mutex_lock(&q->lock);
    c = find_or_add(q, key);
    /* Calls that were under way when it began do not make it longer. */
    begins = (too_many(c, now_ms) && !c->held) || probe;
    if (begins) {
        if (!c->held)
            atomic_fetch_add(&q->held, 1);
        c->held = true;
        c->probing = false;
        c->until_ms = now_ms + GATE_QUARANTINE_FOR_MS;
    }
    pthread_mutex_unlock(&q->lock);
    return begins;
}

void gate_quarantine_probed(struct gate_quarantine *q, struct gate_quarantine_key key, bool passed)
{
    struct cell *c;

    pthread_mutex_lock(&q->lock);
    c = find_or_add(q, key);
    c->probing = false;
    if (passed && c->held) {
        c->held = false;
        atomic_fetch_sub(&q->held, 1);
        memset(c->kills_ms, 0, sizeof(c->kills_ms));
    }
    pthread_mutex_unlock(&q->lock);
}
