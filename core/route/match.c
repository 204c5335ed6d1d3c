/* Matchers other than the path: host, methods, headers, query. Nothing here allocates. */
#include "http/fields.h"
#include "http/target.h"
#include "route/route_int.h"

bool gate_match_host(struct gate_str declared, struct gate_str host)
{
    if (declared.n == 0)
        return true;
    if (!gate_str_starts(declared, GATE_STR("*.")))
        return gate_str_eq(declared, host);
    declared = gate_str_of(declared.p + 1, declared.n - 1);
    return host.n > declared.n && gate_str_ends(host, declared);
}

uint16_t gate_match_method_mask(const struct gate_route_config *route)
{
    uint16_t mask = 0;

    if (route->n_methods == 0)
        return UINT16_MAX;
    for (uint32_t i = 0; i < route->n_methods; i++)
        mask |= (uint16_t)(1u << gate_method_of(route->methods[i]));
    if (mask & 1u << GATE_M_GET)
        mask |= (uint16_t)(1u << GATE_M_HEAD);
    return mask;
}

bool gate_match_method(const struct gate_route_config *route, uint16_t mask, enum gate_method m,
                       struct gate_str text)
{
    if (!(mask & 1u << m))
        return false;
    if (m != GATE_M_OTHER || route->n_methods == 0)
        return true;
    for (uint32_t i = 0; i < route->n_methods; i++) {
        if (gate_str_eq(route->methods[i], text))
            return true;
    }
    return false;
}

const struct gate_match *gate_match_headers(const struct gate_route_config *route,
                                            const struct gate_route_query *q)
{
    struct gate_str value;

    for (uint32_t i = 0; i < route->n_headers; i++) {
        const struct gate_match *m = &route->headers[i];

        if (q->headers == NULL || !gate_headers_get(q->headers, m->name, &value))
            return m;
        if (m->value.p != NULL && !gate_str_eq(m->value, value))
            return m;
    }
    return NULL;
}

static int hex_digit(char c)
{
    c = gate_lower(c);
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Compares a form-encoded text with a decoded one, as gate_target_form_decode would decode it. */
static bool form_eq(struct gate_str encoded, struct gate_str plain)
{
    size_t k = 0;

    for (size_t i = 0; i < encoded.n; i++) {
        char c = encoded.p[i];

        if (c == '+') {
            c = ' ';
        } else if (c == '%' && i + 2 < encoded.n && hex_digit(encoded.p[i + 1]) >= 0 &&
                   hex_digit(encoded.p[i + 2]) >= 0) {
            c = (char)(hex_digit(encoded.p[i + 1]) * 16 + hex_digit(encoded.p[i + 2]));
            i += 2;
        }
        if (k == plain.n || plain.p[k++] != c)
            return false;
    }
    return k == plain.n;
}

/* The first argument of that name decides, as `req.args.x` is the first one. */
static bool query_meets(struct gate_str query, const struct gate_match *m)
{
    struct gate_str name, value;

    while (gate_target_next_arg(&query, &name, &value)) {
        if (form_eq(name, m->name))
            return m->value.p == NULL || form_eq(value, m->value);
    }
    return false;
}

const struct gate_match *gate_match_query(const struct gate_route_config *route,
                                          const struct gate_route_query *q)
{
    for (uint32_t i = 0; i < route->n_query; i++) {
        if (!query_meets(q->query, &route->query[i]))
            return &route->query[i];
    }
    return NULL;
}
