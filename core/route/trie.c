/* Trie: routes by host, then by path, a segment a level. One hash table serves all nodes, so the cost of a step does
 * not depend on the number of routes; its key is random. */
#include "base/mem.h"
#include "route/route_int.h"

static const struct candidates no_candidates = { ROUTE_NONE, ROUTE_NONE };

static uint32_t hash(const struct gate_router *r, struct gate_str s, uint64_t salt)
{
    uint64_t h = gate_siphash(&r->key, s.p, s.n) ^ (salt + 1) * 0x9e3779b97f4a7c15ull;

    return (uint32_t)(h ^ h >> 32);
}

static void slots_put(struct slots *t, uint32_t h, uint32_t index)
{
    while (t->v[h & t->mask] != 0)
        h++;
    t->v[h & t->mask] = index + 1;
    t->n++;
}

/* Makes room for one more, at a load of at most one half. True: it is empty and has to be filled again. */
static bool slots_grow(struct slots *t)
{
    uint32_t size = t->v == NULL ? 16 : (t->mask + 1) * 2;

    if (t->v != NULL && t->n * 2 < t->mask)
        return false;
    gate_free(t->v);
    t->v = gate_calloc(size, sizeof(*t->v));
    t->mask = size - 1;
    t->n = 0;
    return true;
}

uint32_t gate_trie_group(const struct gate_router *r, struct gate_str host, bool suffix)
{
    uint32_t h;

    if (r->hosts.v == NULL)
        return ROUTE_NONE;
    for (h = hash(r, host, suffix); r->hosts.v[h & r->hosts.mask] != 0; h++) {
        uint32_t i = r->hosts.v[h & r->hosts.mask] - 1;

        if (r->groups[i].suffix == suffix && gate_str_eq(r->groups[i].host, host))
            return i;
    }
    return ROUTE_NONE;
}

uint32_t gate_trie_child(const struct gate_router *r, uint32_t parent, struct gate_str segment)
{
    uint32_t h;

    if (r->children.v == NULL)
        return ROUTE_NONE;
    for (h = hash(r, segment, parent); r->children.v[h & r->children.mask] != 0; h++) {
        uint32_t i = r->children.v[h & r->children.mask] - 1;
        const struct node *n = &r->nodes[i];

        if (n->parent == parent && n->segment_len == segment.n &&
            memcmp(n->segment, segment.p, segment.n) == 0)
            return i;
    }
    return ROUTE_NONE;
}

static uint32_t add_node(struct gate_router *r, uint32_t parent, struct gate_str segment, uint32_t rank)
{
    if (r->n_nodes == r->cap_nodes) {
        r->cap_nodes = r->cap_nodes == 0 ? 64 : r->cap_nodes * 2;
        r->nodes = gate_realloc(r->nodes, r->cap_nodes * sizeof(*r->nodes));
    }
    r->nodes[r->n_nodes] = (struct node){
        .segment = segment.p,
        .segment_len = (uint32_t)segment.n,
        .parent = parent,
        .capture = ROUTE_NONE,
        .best = rank,
        .ends = no_candidates,
        .prefixes = no_candidates,
    };
    return r->n_nodes++;
}

static uint32_t literal_child(struct gate_router *r, uint32_t parent, struct gate_str segment, uint32_t rank)
{
    uint32_t i = gate_trie_child(r, parent, segment);

    if (i != ROUTE_NONE)
        return i;
    if (slots_grow(&r->children)) {
        for (i = 0; i < r->n_nodes; i++) {
            struct gate_str s = gate_str_of(r->nodes[i].segment, r->nodes[i].segment_len);

            if (s.p != NULL)
                slots_put(&r->children, hash(r, s, r->nodes[i].parent), i);
        }
    }
    i = add_node(r, parent, segment, rank);
    slots_put(&r->children, hash(r, segment, parent), i);
    r->nodes[parent].branches = true;
    if (segment.n > r->longest_segment)
        r->longest_segment = (uint32_t)segment.n;
    return i;
}

static uint32_t capture_child(struct gate_router *r, uint32_t parent, uint32_t rank)
{
    uint32_t i = r->nodes[parent].capture;

    if (i != ROUTE_NONE)
        return i;
    i = add_node(r, parent, GATE_STR_NONE, rank);
    r->nodes[parent].capture = i;
    return i;
}

static uint32_t add_group(struct gate_router *r, struct gate_str host, bool suffix, uint32_t rank)
{
    if ((r->n_groups & (r->n_groups - 1)) == 0) {
        uint32_t cap = r->n_groups == 0 ? 1 : r->n_groups * 2;

        r->groups = gate_realloc(r->groups, cap * sizeof(*r->groups));
    }
    r->groups[r->n_groups] = (struct group){
        .host = host,
        .suffix = suffix,
        .root = add_node(r, ROUTE_NONE, GATE_STR_NONE, rank),
        .best = rank,
        .any = no_candidates,
    };
    return r->n_groups++;
}

static uint32_t group_for(struct gate_router *r, struct gate_str host, uint32_t rank)
{
    bool suffix = gate_str_starts(host, GATE_STR("*."));
    uint32_t i;

    if (host.n == 0) {
        if (r->hostless == ROUTE_NONE)
            r->hostless = add_group(r, host, false, rank);
        return r->hostless;
    }
    if (suffix) {
        host = gate_str_of(host.p + 2, host.n - 2);
        if (host.n > r->longest_suffix)
            r->longest_suffix = (uint32_t)host.n;
    }
    i = gate_trie_group(r, host, suffix);
    if (i != ROUTE_NONE)
        return i;
    if (slots_grow(&r->hosts)) {
        for (i = 0; i < r->n_groups; i++) {
            if (i != r->hostless)
                slots_put(&r->hosts, hash(r, r->groups[i].host, r->groups[i].suffix), i);
        }
    }
    i = add_group(r, host, suffix, rank);
    slots_put(&r->hosts, hash(r, host, suffix), i);
    return i;
}

static void append(struct gate_router *r, struct candidates *at, uint32_t rank)
{
    if (at->first == ROUTE_NONE)
        at->first = rank;
    else
        r->candidates[at->last].next = rank;
    at->last = rank;
}

void gate_trie_add(struct gate_router *r, uint32_t rank)
{
    const struct candidate *c = &r->candidates[rank];
    uint32_t group = group_for(r, c->route->host, rank);
    struct gate_str body = c->pattern.body, segment;
    uint32_t at = r->groups[group].root;

    if (c->pattern.any) {
        append(r, &r->groups[group].any, rank);
        return;
    }
    while (gate_pattern_next(&body, &segment)) {
        if (gate_pattern_is_capture(segment))
            at = capture_child(r, at, rank);
        else
            at = literal_child(r, at, segment, rank);
    }
    append(r, c->pattern.prefix ? &r->nodes[at].prefixes : &r->nodes[at].ends, rank);
}
