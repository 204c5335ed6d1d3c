/* Building the trie, in two passes: first a draft with one node a segment, then the trie itself, in
 * which a node that only leads to one other is one with it. That halves both the steps of a lookup
 * and the memory it touches. */
#include "base/mem.h"
#include "route/route_int.h"

/* What the second pass has to know of a node of the draft. */
struct extra {
    const char *text;   /* its segment, inside the path that made it */
    uint32_t n_literal; /* literal children */
    uint32_t to;        /* its node in the trie */
};

struct draft {
    struct gate_router *r; /* nodes and slots are the draft's until the second pass */
    struct extra *extras;  /* by node */
    uint32_t cap;
    uint32_t *last; /* by the first rank of a list: its last one */
};

static uint32_t draft_node(struct draft *d, uint32_t parent, struct gate_str text, uint32_t rank)
{
    uint32_t i = gate_trie_add_node(d->r, parent, text, rank);

    if (i >= d->cap) {
        d->cap = d->cap == 0 ? 16 : d->cap * 2;
        d->extras = gate_realloc(d->extras, d->cap * sizeof(*d->extras));
    }
    d->extras[i] = (struct extra){.text = text.p, .to = ROUTE_NONE};
    return i;
}

static uint32_t child_for(struct draft *d, uint32_t parent, struct gate_str text, uint32_t rank)
{
    uint32_t i = d->r->slots == NULL ? ROUTE_NONE : gate_trie_child(d->r, parent, text, text);

    if (i != ROUTE_NONE)
        return i;
    i = draft_node(d, parent, text, rank);
    gate_trie_add_slot(d->r, i);
    if (parent < PARENT_SUFFIX)
        d->extras[parent].n_literal++;
    return i;
}

static uint32_t capture_for(struct draft *d, uint32_t parent, uint32_t rank)
{
    uint32_t i = d->r->nodes[parent].capture;

    if (i != ROUTE_NONE)
        return i;
    i = draft_node(d, parent, GATE_STR_NONE, rank);
    d->r->nodes[parent].capture = i;
    return i;
}

static uint32_t root_for(struct draft *d, struct gate_str host, uint32_t rank)
{
    struct gate_router *r = d->r;

    if (host.n == 0) {
        if (r->hostless == ROUTE_NONE)
            r->hostless = draft_node(d, PARENT_HOST, host, rank);
        return r->hostless;
    }
    if (!gate_str_starts(host, GATE_STR("*.")))
        return child_for(d, PARENT_HOST, host, rank);
    host = gate_str_of(host.p + 2, host.n - 2);
    if (host.n > r->longest_suffix)
        r->longest_suffix = (uint32_t)host.n;
    return child_for(d, PARENT_SUFFIX, host, rank);
}

static void append(struct draft *d, uint32_t *first, uint32_t rank)
{
    if (*first == ROUTE_NONE)
        *first = rank;
    else
        d->r->candidates[d->last[*first]].next = rank;
    d->last[*first] = rank;
}

/* Ranks come in ascending order, so lists are in order and a node's best is the rank that made it.
 */
static void draft_route(struct draft *d, uint32_t rank)
{
    struct gate_router *r = d->r;
    const struct pattern *pattern = &r->patterns[rank];
    struct gate_str body = pattern->body, segment;
    uint32_t at = root_for(d, r->candidates[rank].route->host, rank);

    if (pattern->any) {
        append(d, &r->nodes[at].any, rank);
        return;
    }
    while (gate_pattern_next(&body, &segment)) {
        if (gate_pattern_is_capture(segment)) {
            at = capture_for(d, at, rank);
            continue;
        }
        if (segment.n > r->longest_segment)
            r->longest_segment = (uint32_t)segment.n;
        at = child_for(d, at, segment, rank);
    }
    append(d, pattern->prefix ? &r->nodes[at].prefixes : &r->nodes[at].ends, rank);
}

/* A node that is there only for its one literal child. Roots and nodes of captures stay. */
static bool merges(const struct node *nodes, const struct draft *d, uint32_t i)
{
    const struct node *n = &nodes[i];

    if (n->parent >= PARENT_SUFFIX || nodes[n->parent].capture == i)
        return false;
    return n->ends == ROUTE_NONE && n->prefixes == ROUTE_NONE && n->capture == ROUTE_NONE &&
           d->extras[i].n_literal == 1;
}

/* Node i of the draft, together with those above that merge into it. Their texts stand before its
 * own in the path that made all of them. */
static void keep_node(struct gate_router *r, const struct node *nodes, struct draft *d, uint32_t i)
{
    const struct node *n = &nodes[i];
    struct gate_str text = gate_str_of(d->extras[i].text, n->text_len);
    uint32_t parent = n->parent, to;
    bool literal = i != r->hostless && (parent >= PARENT_SUFFIX || nodes[parent].capture != i);

    while (literal && parent < PARENT_SUFFIX && merges(nodes, d, parent)) {
        text.p -= nodes[parent].text_len + 1;
        text.n += nodes[parent].text_len + 1;
        parent = nodes[parent].parent;
    }
    if (parent < PARENT_SUFFIX)
        parent = d->extras[parent].to;
    to = gate_trie_add_node(r, parent, text, n->best);
    d->extras[i].to = to;
    r->nodes[to].ends = n->ends;
    r->nodes[to].prefixes = n->prefixes;
    r->nodes[to].any = n->any;
    r->nodes[to].branches = d->extras[i].n_literal > 0;
    if (literal)
        gate_trie_add_slot(r, to);
    else if (parent < PARENT_SUFFIX)
        r->nodes[parent].capture = to;
}

/* Parents come before their children, in the draft and in the trie. */
static void keep_nodes(struct draft *d)
{
    struct gate_router *r = d->r;
    struct node *nodes = r->nodes;
    void *memory = r->node_memory;
    uint32_t n = r->n_nodes;

    gate_free(r->slots);
    r->slots = NULL;
    r->n_slots = 0;
    r->nodes = NULL;
    r->node_memory = NULL;
    r->n_nodes = r->cap_nodes = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!merges(nodes, d, i))
            keep_node(r, nodes, d, i);
    }
    if (r->hostless != ROUTE_NONE)
        r->hostless = d->extras[r->hostless].to;
    gate_free(memory);
}

void gate_trie_build(struct gate_router *r)
{
    struct draft d = {.r = r, .last = gate_alloc((r->n + 1) * sizeof(*d.last))};

    for (uint32_t rank = 0; rank < r->n; rank++)
        draft_route(&d, rank);
    keep_nodes(&d);
    gate_free(d.extras);
    gate_free(d.last);
}
