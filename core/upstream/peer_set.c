/* Sets of peers, counted by reference: what an upstream's servers come to. */
#include "base/assert.h"
#include "base/mem.h"
#include "upstream/registry_int.h"

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

/* The present peer of this address and server, with a reference, or a new one. */
static struct gate_peer *same_peer(const struct gate_upstream *u, const struct gate_addr *addr,
                                   const char *server, uint32_t hint)
{
    const struct gate_peer_set *old = u->set;

    for (uint32_t i = 0; old != NULL && i < old->n; i++) {
        struct gate_peer *p = old->v[(hint + i) % old->n].peer;

        if (gate_addr_eq(&p->addr, addr) && strncmp(p->name, server, sizeof(p->name) - 1) == 0) {
            gate_peer_ref(p);
            return p;
        }
    }
    return gate_peer_new(addr, server, u->workers);
}

/* Peers of one server go to the end of the set; its zone's text to the set's tail. */
static void add_server(struct gate_peer_set *set, const struct server *s,
                       const struct gate_upstream *u, char **tail)
{
    size_t zone = strlen(s->zone);
    char *text = *tail;

    memcpy(text, s->zone, zone);
    *tail += zone;
    for (uint32_t i = 0; i < s->n_addrs; i++) {
        set->v[set->n] = (struct gate_peer_entry){
            .peer = same_peer(u, &s->addrs[i], s->text, set->n),
            .weight = s->weight,
            .max_connections = s->max_connections,
            .backup = s->backup,
            .down = s->down,
            .zone = gate_str_of(text, zone),
        };
        set->n++;
    }
}

struct gate_peer_set *gate_peer_set_build(const struct gate_upstream *u)
{
    struct gate_peer_set *set;
    size_t peers = 0, text = 0;
    char *tail;

    for (uint32_t i = 0; i < u->n_servers; i++) {
        peers += u->servers[i].n_addrs;
        text += strlen(u->servers[i].zone);
    }
    set = gate_calloc(1, sizeof(*set) + peers * sizeof(set->v[0]) + text);
    tail = (char *)&set->v[peers];
    atomic_init(&set->refs, 1);
    for (uint32_t i = 0; i < u->n_servers; i++)
        add_server(set, &u->servers[i], u, &tail);
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
