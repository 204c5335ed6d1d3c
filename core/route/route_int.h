/* Route, inside: patterns, matchers, precedence, and the trie that finds candidates. */
#ifndef GATE_ROUTE_ROUTE_INT_H
#define GATE_ROUTE_ROUTE_INT_H

#include "base/siphash.h"
#include "route/router.h"

#define ROUTE_NONE UINT32_MAX

/* Segments of a declared path: bounds how deep a lookup goes. */
#define SEGMENTS_MAX 1000

/* A path as declared, taken apart. "/a/:id" has the body "/a/:id"; "/a/" and "/a/" + "*rest" have
 * the body
 * "/a" and are prefixes; "" matches anything, and leaves all over, as "/" does. */
struct pattern {
    struct gate_str body;
    struct gate_str rest; /* name of what a prefix leaves over; "*" without a name */
    bool any;
    bool prefix;
    uint32_t n_segments; /* of the body */
    uint32_t n_literal;
    uint32_t n_captures; /* with the rest */
    size_t literal_bytes;
    uint64_t captures; /* bit i: segment i is one */
};

/* GATE_E_INVALID: does not begin with '/', or '*' before the end. GATE_E_LIMIT: more than
 * GATE_CAPTURES_MAX captures, one behind the 64th segment, or more than SEGMENTS_MAX. */
enum gate_err gate_pattern_parse(struct gate_str path, struct pattern *out);

/* Takes "/segment" off the front of `rest`; false when nothing is left. */
static inline bool gate_pattern_next(struct gate_str *rest, struct gate_str *segment)
{
    size_t end;

    if (rest->n == 0)
        return false;
    end = gate_str_find(*rest, '/', 1);
    *segment = gate_str_of(rest->p + 1, end - 1);
    *rest = gate_str_of(rest->p + end, rest->n - end);
    return true;
}

static inline bool gate_pattern_is_capture(struct gate_str segment)
{
    return segment.n > 1 && segment.p[0] == ':';
}

/* The names of its captures, n_captures of them. */
void gate_pattern_names(const struct pattern *t, struct gate_str *names);

/* Whether the path matches. */
bool gate_pattern_match(const struct pattern *t, struct gate_str path);

/* Whether the route's host takes this one. */
bool gate_match_host(struct gate_str declared, struct gate_str host);

/* A set of 1 << enum gate_method; GATE_M_OTHER: there are names to compare. No methods: all bits.
 */
uint16_t gate_match_method_mask(const struct gate_route_config *route);
bool gate_match_method(const struct gate_route_config *route, uint16_t mask, enum gate_method m,
                       struct gate_str text);

/* The first header or query matcher that the request does not meet; NULL: all are met. No
 * allocation. */
const struct gate_match *gate_match_headers(const struct gate_route_config *route,
                                            const struct gate_route_query *q);
const struct gate_match *gate_match_query(const struct gate_route_config *route,
                                          const struct gate_route_query *q);

/* What decides between two routes that both match, in the order in which it decides. */
enum rule {
    RULE_PRIORITY,
    RULE_HOST,
    RULE_EXACT,
    RULE_LITERALS,
    RULE_LENGTH,
    RULE_MATCHERS,
    RULE_ORDER
};

enum host_kind { HOST_EXACT, HOST_SUFFIX, HOST_NONE };

struct precedence {
    const struct gate_route_config *route;
    enum host_kind host;
    struct pattern pattern;
    uint32_t n_matchers; /* other than host and path */
};

enum gate_err gate_precedence_of(const struct gate_route_config *route, struct precedence *out);

/* Negative: a goes before b. *rule says why. */
int gate_precedence_compare(const struct precedence *a, const struct precedence *b,
                            enum rule *rule);

/* What a lookup needs of a route, in half a cache line; its rank (place in the order of precedence)
 * is its index. */
struct candidate {
    const struct gate_route_config *route;
    uint64_t captures; /* bit i: segment i is a capture */
    uint32_t names;    /* of its captures: the first in router->names */
    uint32_t next;     /* next higher rank at the same place */
    uint16_t methods;  /* mask */
    uint16_t n_segments;
    bool matchers; /* has header or query matchers */
    bool when;
    bool prefix; /* captures what is left over, too */
};

/* Texts of up to this size lie in the node itself. */
#define NODE_TEXT 32

/* Parents of root nodes, whose text is a host. */
#define PARENT_HOST   (UINT32_MAX - 1)
#define PARENT_SUFFIX (UINT32_MAX - 2)

/* A node stands behind a host and a number of segments, and fills one cache line. Its literal
 * children are found by (node, their first segment) in one table for all. Lists of candidates are
 * in order of rank: the first one is named. */
struct node {
    uint32_t parent;
    uint32_t text_len;
    uint32_t capture;  /* the child for any non-empty segment */
    uint32_t best;     /* lowest rank here and below */
    uint32_t ends;     /* the path ends here */
    uint32_t prefixes; /* a '/' follows */
    uint32_t any;      /* of roots: routes without path */
    bool branches;     /* has literal children */
    union {
        char in[NODE_TEXT];
        const char *out;
    } text; /* segments from the parent to here, or a root's host without "*." */
};

/* Leads to a node. The tag spares a look at nodes that are not meant, above all when nothing is
 * found. */
struct slot {
    uint32_t tag;  /* upper half of the hash */
    uint32_t node; /* index + 1; 0: free */
};

struct gate_router {
    struct candidate *candidates;
    struct pattern *patterns; /* by rank; not looked at by lookups */
    struct gate_str *names;   /* of captures, those of a route in order */
    uint32_t n;
    struct node *nodes; /* aligned to their size inside node_memory */
    void *node_memory;
    uint32_t n_nodes;
    uint32_t cap_nodes;
    struct slot *slots; /* open addressing */
    uint32_t slot_mask;
    uint32_t n_slots;  /* in use; at most half of them */
    uint32_t hostless; /* root of the routes without host */
    uint32_t longest_segment;
    uint32_t longest_suffix; /* 0: no suffix hosts */
    struct gate_sipkey key;
};

/* Fills nodes and slots from the candidates and their patterns. */
void gate_trie_build(struct gate_router *r);

/* The literal child of a node for what is left of the path (behind the '/', with its first segment
 * apart), or the root of a host (PARENT_HOST, PARENT_SUFFIX; both texts are the host); ROUTE_NONE.
 */
uint32_t gate_trie_child(const struct gate_router *r, uint32_t parent, struct gate_str first,
                         struct gate_str left);

/* Appends a node, with empty lists, or the slot that leads to it. For gate_trie_build. */
uint32_t gate_trie_add_node(struct gate_router *r, uint32_t parent, struct gate_str text,
                            uint32_t best);
void gate_trie_add_slot(struct gate_router *r, uint32_t index);

/* One walk over the candidates of a request. */
struct lookup {
    const struct gate_router *r;
    const struct gate_route_query *q;
    enum gate_method method;
    uint32_t from; /* ranks below it are over */
    uint32_t best;
    bool other_method;      /* a candidate failed only by its methods */
    struct gate_out *allow; /* not NULL: collects methods instead of looking for the best */
    uint32_t visits;        /* nodes and candidates looked at */
};

/* Runs the walk: fills best and other_method, or allow. */
void gate_lookup_run(struct lookup *l);

#endif
