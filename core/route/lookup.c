/* Lookup: walks the nodes that a request's host and path reach, and keeps the lowest rank whose
 * other matchers hold. Subtrees that cannot beat it are not entered. */
#include "route/route_int.h"

/* Adds the names of a mask and of methods without a bit, each once. */
static void allow_name(struct gate_out *o, struct gate_str name)
{
    struct gate_str list = gate_out_view(o), item;

    while (gate_str_next_item(&list, &item)) {
        if (gate_str_eq(item, name))
            return;
    }
    if (o->n + 2 + name.n > o->cap)
        return;
    if (o->n > 0)
        GATE_OUT_LIT(o, ", ");
    gate_out_str(o, name);
}

static void allow_route(struct gate_out *o, const struct gate_route_config *route)
{
    for (uint32_t i = 0; i < route->n_methods; i++) {
        allow_name(o, route->methods[i]);
        if (gate_method_of(route->methods[i]) == GATE_M_GET)
            allow_name(o, GATE_STR("HEAD"));
    }
}

static bool others_match(const struct candidate *c, const struct gate_route_query *q)
{
    return !c->matchers ||
           (gate_match_headers(c->route, q) == NULL && gate_match_query(c->route, q) == NULL);
}

static void scan(struct lookup *l, uint32_t rank)
{
    for (; rank < l->best; rank = l->r->candidates[rank].next) {
        const struct candidate *c = &l->r->candidates[rank];
        bool method;

        l->visits++;
        if (rank < l->from)
            continue;
        method = gate_match_method(c->route, c->methods, l->method, l->q->method);
        if (!method && l->other_method && l->allow == NULL)
            continue;
        if (!others_match(c, l->q))
            continue;
        if (l->allow != NULL)
            allow_route(l->allow, c->route);
        else if (method)
            l->best = rank;
        else
            l->other_method = true;
    }
}

static void walk(struct lookup *l, uint32_t index, struct gate_str at);

/* Goes on behind the child's text. */
static void walk_literal(struct lookup *l, uint32_t index, struct gate_str first,
                         struct gate_str left)
{
    uint32_t child, n;

    if (first.n > l->r->longest_segment)
        return;
    child = gate_trie_child(l->r, index, first, left);
    if (child == ROUTE_NONE)
        return;
    n = l->r->nodes[child].text_len;
    walk(l, child, gate_str_of(left.p + n, left.n - n));
}

/* `at` is where the node's segments end in the path: at a '/', or at its end. The depth is that of
 * the declared paths. */
static void walk(struct lookup *l, uint32_t index, struct gate_str at)
{
    const struct node *n = &l->r->nodes[index];
    struct gate_str left, segment;

    l->visits++;
    if (n->best >= l->best)
        return;
    if (at.n == 0) {
        scan(l, n->ends);
        return;
    }
    scan(l, n->prefixes);
    if (!n->branches && n->capture == ROUTE_NONE)
        return;
    left = gate_str_of(at.p + 1, at.n - 1);
    gate_pattern_next(&at, &segment);
    if (n->branches)
        walk_literal(l, index, segment, left);
    if (n->capture != ROUTE_NONE && segment.n > 0)
        walk(l, n->capture, at);
}

static void walk_root(struct lookup *l, uint32_t root)
{
    if (root == ROUTE_NONE)
        return;
    scan(l, l->r->nodes[root].any);
    if (l->q->path.n > 0 && l->q->path.p[0] == '/')
        walk(l, root, l->q->path);
}

/* Each "*.suffix" that ends this host, longest first. */
static void walk_suffixes(struct lookup *l, struct gate_str host)
{
    size_t dot = 1;

    if (host.n > (size_t)l->r->longest_suffix + 1)
        dot = host.n - l->r->longest_suffix - 1;
    for (dot = gate_str_find(host, '.', dot); dot < host.n;
         dot = gate_str_find(host, '.', dot + 1)) {
        struct gate_str suffix = gate_str_of(host.p + dot + 1, host.n - dot - 1);

        walk_root(l, gate_trie_child(l->r, PARENT_SUFFIX, suffix, suffix));
    }
}

void gate_lookup_run(struct lookup *l)
{
    struct gate_str host = l->q->host;

    if (host.n > 0 && l->r->slots != NULL) {
        walk_root(l, gate_trie_child(l->r, PARENT_HOST, host, host));
        if (l->r->longest_suffix > 0)
            walk_suffixes(l, host);
    }
    walk_root(l, l->r->hostless);
}
