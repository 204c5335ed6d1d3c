/* Peers and sets of peers: counted by reference, and marked down when connects fail. */
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "upstream/registry_int.h"

#define FAILS_TO_MARK 3
#define MARK_MS       10000
#define MARK_MAX_MS   60000

static struct gate_peer *peer_new(const struct gate_addr *addr, const char *server)
{
    struct gate_peer *p = gate_calloc(1, sizeof(*p));

    atomic_init(&p->refs, 1);
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
    if (mark > MARK_MAX_MS)
        mark = MARK_MAX_MS;
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

void gate_peer_set_unref(struct gate_peer_set **set)
{
    struct gate_peer_set *s = *set;

    *set = NULL;
    if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < s->n; i++)
        gate_peer_unref(&s->v[i].peer);
    gate_free(s);
}

/* The former peer of this address and server, with a reference, or a new one. */
static struct gate_peer *same_peer(const struct gate_peer_set *old, const struct gate_addr *addr,
                                   const char *server, uint32_t hint)
{
    for (uint32_t i = 0; old != NULL && i < old->n; i++) {
        struct gate_peer *p = old->v[(hint + i) % old->n].peer;

        if (gate_addr_eq(&p->addr, addr) && strncmp(p->name, server, sizeof(p->name) - 1) == 0) {
            gate_peer_ref(p);
            return p;
        }
    }
    return peer_new(addr, server);
}

/* Peers of one server go to the end of the set; its zone's text to the set's tail. */
static void add_server(struct gate_peer_set *set, const struct server *s,
                       const struct gate_peer_set *old, char **tail)
{
    size_t zone = strlen(s->zone);
    char *text = *tail;

    memcpy(text, s->zone, zone);
    *tail += zone;
    for (uint32_t i = 0; i < s->n_addrs; i++) {
        set->v[set->n] = (struct gate_peer_entry){
            .peer = same_peer(old, &s->addrs[i], s->text, set->n),
            .weight = s->weight,
            .max_connections = s->max_connections,
            .backup = s->backup,
            .down = s->down,
            .zone = gate_str_of(text, zone),
        };
        set->n++;
    }
}

struct gate_peer_set *gate_peer_set_build(const struct server *servers, uint32_t n,
                                          const struct gate_peer_set *old)
{
    struct gate_peer_set *set;
    size_t peers = 0, text = 0;
    char *tail;

    for (uint32_t i = 0; i < n; i++) {
        peers += servers[i].n_addrs;
        text += strlen(servers[i].zone);
    }
    set = gate_calloc(1, sizeof(*set) + peers * sizeof(set->v[0]) + text);
    tail = (char *)&set->v[peers];
    atomic_init(&set->refs, 1);
    for (uint32_t i = 0; i < n; i++)
        add_server(set, &servers[i], old, &tail);
    GATE_DEBUG_ASSERT(set->n == peers);
    return set;
}

bool gate_peer_set_same(const struct gate_peer_set *a, const struct gate_peer_set *b)
{
    if (a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++) {
        const struct gate_peer_entry *x = &a->v[i], *y = &b->v[i];

        if (x->peer != y->peer || x->weight != y->weight || x->backup != y->backup ||
            x->down != y->down || x->max_connections != y->max_connections ||
            !gate_str_eq(x->zone, y->zone))
            return false;
    }
    return true;
}
