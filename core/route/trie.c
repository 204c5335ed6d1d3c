/* Trie: routes by host, then by path. One hash table serves all nodes, so the cost of a step does
 * not depend on the number of routes; its key is random. A step should cost two cache lines: the
 * slot and the node. */
#include "base/mem.h"
#include "route/route_int.h"

#define FIRST_SLOTS 16

static uint64_t hash(const struct gate_router *r, struct gate_str first, uint32_t parent)
{
    uint64_t h = gate_siphash(&r->key, first.p, first.n) + (parent + 1ull) * 0x9e3779b97f4a7c15ull;

    return h ^ h >> 29;
}

static inline struct gate_str text_of(const struct node *n)
{
    return gate_str_of(n->text_len <= NODE_TEXT ? n->text.in : n->text.out, n->text_len);
}

/* The node's text is there, and ends where a segment ends. */
static inline bool fits(const struct node *n, struct gate_str left)
{
    struct gate_str text = text_of(n);

    return gate_str_starts(left, text) && (left.n == text.n || left.p[text.n] == '/');
}

uint32_t gate_trie_child(const struct gate_router *r, uint32_t parent, struct gate_str first,
                         struct gate_str left)
{
    uint64_t h = hash(r, first, parent);
    const struct slot *s = &r->slots[h & r->slot_mask];

    while (s->node != 0) {
        const struct node *n = &r->nodes[s->node - 1];

        if (s->tag == h >> 32 && n->parent == parent && fits(n, left))
            return s->node - 1;
        s = s == &r->slots[r->slot_mask] ? r->slots : s + 1;
    }
    return ROUTE_NONE;
}

static void put(struct gate_router *r, struct slot slot, uint64_t h)
{
    uint32_t at = h & r->slot_mask;

    while (r->slots[at].node != 0)
        at = (at + 1) & r->slot_mask;
    r->slots[at] = slot;
}

static uint64_t hash_node(const struct gate_router *r, uint32_t index)
{
    const struct node *n = &r->nodes[index];
    struct gate_str text = text_of(n);

    return hash(r, gate_str_of(text.p, gate_str_find(text, '/', 0)), n->parent);
}

static void grow_slots(struct gate_router *r)
{
    struct slot *old = r->slots;
    uint32_t n = old == NULL ? 0 : r->slot_mask + 1;
    uint32_t size = old == NULL ? FIRST_SLOTS : n * 2;

    r->slots = gate_calloc(size, sizeof(*r->slots));
    r->slot_mask = size - 1;
    for (uint32_t i = 0; i < n; i++) {
        if (old[i].node != 0)
            put(r, old[i], hash_node(r, old[i].node - 1));
    }
    gate_free(old);
}

void gate_trie_add_slot(struct gate_router *r, uint32_t index)
{
    uint64_t h = hash_node(r, index);

    if (r->slots == NULL || ++r->n_slots * 2 > r->slot_mask)
        grow_slots(r);
    put(r, (struct slot){(uint32_t)(h >> 32), index + 1}, h);
}

static void grow_nodes(struct gate_router *r)
{
    uint32_t cap = r->cap_nodes == 0 ? 16 : r->cap_nodes * 2;
    char *memory = gate_alloc((cap + 1) * sizeof(struct node));
    size_t past = (uintptr_t)memory % sizeof(struct node);
    struct node *nodes = (struct node *)(memory + (past == 0 ? 0 : sizeof(struct node) - past));

    if (r->n_nodes > 0)
        memcpy(nodes, r->nodes, r->n_nodes * sizeof(*nodes));
    gate_free(r->node_memory);
    r->node_memory = memory;
    r->nodes = nodes;
    r->cap_nodes = cap;
}

uint32_t gate_trie_add_node(struct gate_router *r, uint32_t parent, struct gate_str text,
                            uint32_t best)
{
    struct node *n;

    if (r->n_nodes == r->cap_nodes)
        grow_nodes(r);
    n = &r->nodes[r->n_nodes];
    *n = (struct node){
        .parent = parent,
        .text_len = (uint32_t)text.n,
        .capture = ROUTE_NONE,
        .best = best,
        .ends = ROUTE_NONE,
        .prefixes = ROUTE_NONE,
        .any = ROUTE_NONE,
    };
    if (text.n > NODE_TEXT)
        n->text.out = text.p;
    else if (text.n > 0)
        memcpy(n->text.in, text.p, text.n);
    return r->n_nodes++;
}
