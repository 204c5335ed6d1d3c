/* Expand: a rewrite or redirect template with captures filled in. */
#include "route/route_int.h"

static bool is_name(char c)
{
    return (c >= '0' && c <= '9') || (gate_lower(c) >= 'a' && gate_lower(c) <= 'z') || c == '_' ||
           c == '-';
}

/* A place to fill begins right after a '/', with ':' and a name or with '*' and maybe a name. */
static size_t place_at(struct gate_str s, size_t i)
{
    size_t end = i + 1;

    if (i == 0 || s.p[i - 1] != '/' || (s.p[i] != ':' && s.p[i] != '*'))
        return 0;
    while (end < s.n && is_name(s.p[end]))
        end++;
    return s.p[i] == ':' && end == i + 1 ? 0 : end - i;
}

/* The capture of that name; a bare '*' is also what a named rest left over, which is the last one.
 */
static struct gate_str value_of(struct gate_str place, const struct gate_route_result *m)
{
    struct gate_str name = gate_str_of(place.p + 1, place.n - 1);
    struct pattern pattern;

    if (name.n == 0)
        name = GATE_STR("*");
    for (uint32_t i = 0; i < m->n_captures; i++) {
        if (gate_str_eq(m->captures[i].name, name))
            return m->captures[i].value;
    }
    if (place.n == 1 && m->route != NULL && m->n_captures > 0 &&
        gate_pattern_parse(m->route->path, &pattern) == GATE_OK && pattern.prefix)
        return m->captures[m->n_captures - 1].value;
    return GATE_STR_NONE;
}

/* One pass; counts only while o is NULL. */
static size_t expand(struct gate_str s, const struct gate_route_result *m, struct gate_out *o)
{
    size_t total = 0;

    for (size_t i = 0; i < s.n;) {
        size_t n = place_at(s, i);
        struct gate_str piece = gate_str_of(s.p + i, n > 0 ? n : 1);

        i += piece.n;
        if (n > 0)
            piece = value_of(piece, m);
        total += piece.n;
        if (o != NULL)
            gate_out_str(o, piece);
    }
    return total;
}

struct gate_str gate_route_expand(struct gate_str pattern, const struct gate_route_result *match,
                                  struct gate_arena *arena)
{
    size_t n = expand(pattern, match, NULL);
    struct gate_out o = gate_out_on(gate_arena_alloc(arena, n + 1), n);

    expand(pattern, match, &o);
    return gate_out_view(&o);
}
