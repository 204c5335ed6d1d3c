/* Trie: routes by host, then by path, a segment a level. One hash table serves all nodes, so the cost of a step does
 * not depend on the number of routes; its key is random. A step should cost two cache lines: the slot and the node. */
#include "base/mem.h"
#include "route/route_int.h"

static uint64_t hash(const struct gate_router *r, struct gate_str s, uint32_t parent)
{
    uint64_t h = gate_siphash(&r->key, s.p, s.n) + (parent + 1ull) * 0x9e3779b97f4a7c15ull;

    return h ^ h >> 29;
}

static struct gate_str text_of(const struct node *n)
{
    return gate_str_of(n->text_len <= NODE_TEXT ? n->text.in : n->text.out, n->text_len);
}

uint32_t gate_trie_child(const struct gate_router *r, uint32_t parent, struct gate_str text)
{
    uint64_t h = hash(r, text, parent);
    const struct slot *s = &r->slots[h & r->slot_mask];

    while (s->node != 0) {
        const struct node *n = &r->nodes[s->node - 1];

        if (s->tag == h >> 32 && n->parent == parent && gate_str_eq(text_of(n), text))
            return s->node - 1;
        s = s == &r->slots[r->slot_mask] ? r->slots : s + 1;
    }
    return ROUTE_NONE;
}

static void put_slot(struct gate_router *r, uint32_t index)
{
    const struct node *n = &r->nodes[index];
    uint64_t h = hash(r, text_of(n), n->parent);
    uint32_t at = h & r->slot_mask;

    while (r->slots[at].node != 0)
        at = (at + 1) & r->slot_mask;
    r->slots[at] = (struct slot){ (uint32_t)(h >> 32), index + 1 };
    r->n_slots++;
}

/* Nodes for captures are reached by their parent, not by a slot. */
static bool has_slot(const struct gate_router *r, uint32_t index)
{
    uint32_t parent = r->nodes[index].parent;

    if (index == r->hostless)
        return false;
    return parent >= PARENT_SUFFIX || r->nodes[parent].capture != index;
}

/* Keeps half of the slots free. */
static void grow_slots(struct gate_router *r)
{
    uint32_t size = (r->slot_mask + 1) * 2;

    if (r->n_slots * 2 < r->slot_mask)
        return;
    gate_free(r->slots);
    r->slots = gate_calloc(size, sizeof(*r->slots));
    r->slot_mask = size - 1;
    r->n_slots = 0;
    for (uint32_t i = 0; i < r->n_nodes; i++) {
        if (has_slot(r, i))
            put_slot(r, i);
    }
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

static uint32_t add_node(struct gate_router *r, uint32_t parent, struct gate_str text, uint32_t rank)
{
    struct node *n;

    if (r->n_nodes == r->cap_nodes)
        grow_nodes(r);
    n = &r->nodes[r->n_nodes];
    *n = (struct node){
        .parent = parent,
        .text_len = (uint32_t)text.n,
        .capture = ROUTE_NONE,
        .best = rank,
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

static uint32_t child_for(struct gate_router *r, uint32_t parent, struct gate_str text, uint32_t rank)
{
    uint32_t i = gate_trie_child(r, parent, text);

    if (i != ROUTE_NONE)
        return i;
    grow_slots(r);
    i = add_node(r, parent, text, rank);
    put_slot(r, i);
    return i;
}

static uint32_t segment_child(struct gate_router *r, uint32_t parent, struct gate_str segment, uint32_t rank)
{
    uint32_t i;

    if (!gate_pattern_is_capture(segment)) {
        if (segment.n > r->longest_segment)
            r->longest_segment = (uint32_t)segment.n;
        i = child_for(r, parent, segment, rank);
        r->nodes[parent].branches = true;
        return i;
    }
    i = r->nodes[parent].capture;
    if (i != ROUTE_NONE)
        return i;
    i = add_node(r, parent, GATE_STR_NONE, rank);
    r->nodes[parent].capture = i;
    return i;
}

static uint32_t root_for(struct gate_router *r, struct gate_str host, uint32_t rank)
{
    if (host.n == 0) {
        if (r->hostless == ROUTE_NONE)
            r->hostless = add_node(r, PARENT_HOST, host, rank);
        return r->hostless;
    }
    if (!gate_str_starts(host, GATE_STR("*.")))
        return child_for(r, PARENT_HOST, host, rank);
    host = gate_str_of(host.p + 2, host.n - 2);
    if (host.n > r->longest_suffix)
        r->longest_suffix = (uint32_t)host.n;
    return child_for(r, PARENT_SUFFIX, host, rank);
}

static void append(struct gate_router *r, uint32_t *first, uint32_t rank)
{
    if (*first == ROUTE_NONE)
        *first = rank;
    else
        r->candidates[r->candidates[*first].last].next = rank;
    r->candidates[*first].last = rank;
}

void gate_trie_add(struct gate_router *r, uint32_t rank)
{
    const struct pattern *pattern = &r->patterns[rank];
    struct gate_str body = pattern->body, segment;
    uint32_t at = root_for(r, r->candidates[rank].route->host, rank);

    if (pattern->any) {
        append(r, &r->nodes[at].any, rank);
        return;
    }
    while (gate_pattern_next(&body, &segment))
        at = segment_child(r, at, segment, rank);
    append(r, pattern->prefix ? &r->nodes[at].prefixes : &r->nodes[at].ends, rank);
}
