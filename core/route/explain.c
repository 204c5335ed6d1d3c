/* Explain: why a request takes its route, for people. Cold; looks at every route. */
#include "route/route_int.h"

#define ROWS_MAX 10

static void put_match(struct gate_out *o, const char *what, const struct gate_match *m)
{
    gate_out_fmt(o, "%s %.*s ", what, (int)m->name.n, m->name.p);
    if (m->value.p == NULL)
        GATE_OUT_LIT(o, "is missing");
    else
        gate_out_fmt(o, "is not \"%.*s\"", (int)m->value.n, m->value.p);
}

static void put_route(struct gate_out *o, const struct gate_route_config *route)
{
    gate_out_str(o, route->name);
    if (route->at.n > 0)
        gate_out_fmt(o, " (%.*s)", (int)route->at.n, route->at.p);
}

/* Why the route of this precedence comes after the winner's. */
static void put_rule(struct gate_out *o, const struct precedence *winner,
                     const struct precedence *loser)
{
    static const char *const hosts[] = {"an exact host", "a host suffix", "no host"};
    enum rule rule;

    gate_precedence_compare(winner, loser, &rule);
    switch (rule) {
    case RULE_PRIORITY:
        gate_out_fmt(o, "lower priority (%d against %d)", loser->route->priority,
                     winner->route->priority);
        break;
    case RULE_HOST:
        if (winner->host == loser->host)
            GATE_OUT_LIT(o, "shorter host suffix");
        else
            gate_out_fmt(o, "%s against %s", hosts[loser->host], hosts[winner->host]);
        break;
    case RULE_EXACT:
        GATE_OUT_LIT(o, "the winner's path is exact");
        break;
    case RULE_LITERALS:
        gate_out_fmt(o, "fewer literal segments (%u against %u)", loser->pattern.n_literal,
                     winner->pattern.n_literal);
        break;
    case RULE_LENGTH:
        GATE_OUT_LIT(o, "shorter path");
        break;
    case RULE_MATCHERS:
        gate_out_fmt(o, "fewer other matchers (%u against %u)", loser->n_matchers,
                     winner->n_matchers);
        break;
    case RULE_ORDER:
        GATE_OUT_LIT(o, "declared later");
        break;
    }
}

/* The first matcher behind host and path that says no; false: all hold. */
static bool put_refusal(struct gate_out *o, const struct candidate *c,
                        const struct gate_route_query *q)
{
    const struct gate_match *m;

    if (!gate_match_method(c->route, c->methods, gate_method_of(q->method), q->method)) {
        GATE_OUT_LIT(o, "is for ");
        for (uint32_t i = 0; i < c->route->n_methods; i++)
            gate_out_fmt(o, "%s%.*s", i > 0 ? ", " : "", (int)c->route->methods[i].n,
                         c->route->methods[i].p);
        return true;
    }
    m = gate_match_headers(c->route, q);
    if (m != NULL) {
        put_match(o, "header", m);
        return true;
    }
    m = gate_match_query(c->route, q);
    if (m != NULL)
        put_match(o, "query", m);
    return m != NULL;
}

/* One line for a route that host and path fit. */
static void put_row(struct gate_out *o, const struct candidate *c, const struct gate_route_query *q,
                    const struct precedence *winner)
{
    char buf[512];
    struct gate_out refusal = gate_out_on(buf, sizeof(buf));
    struct precedence loser;

    GATE_OUT_LIT(o, "  ");
    if (put_refusal(&refusal, c, q)) {
        GATE_OUT_LIT(o, "not ");
        put_route(o, c->route);
        GATE_OUT_LIT(o, ": ");
        gate_out_str(o, gate_out_view(&refusal));
    } else {
        gate_precedence_of(c->route, &loser);
        GATE_OUT_LIT(o, "then ");
        put_route(o, c->route);
        GATE_OUT_LIT(o, ": ");
        put_rule(o, winner, &loser);
        if (c->route->when)
            GATE_OUT_LIT(o, "; depends on when");
    }
    gate_out_char(o, '\n');
}

/* What of the request the winner asked for. */
static void put_fits(struct gate_out *o, const struct gate_route_config *route)
{
    GATE_OUT_LIT(o, "  fits");
    if (route->host.n > 0)
        gate_out_fmt(o, " host %.*s,", (int)route->host.n, route->host.p);
    if (route->path.n > 0)
        gate_out_fmt(o, " path %.*s,", (int)route->path.n, route->path.p);
    for (uint32_t i = 0; i < route->n_methods; i++)
        gate_out_fmt(o, "%s%.*s%s", i == 0 ? " method " : " or ", (int)route->methods[i].n,
                     route->methods[i].p, i + 1 == route->n_methods ? "," : "");
    for (uint32_t i = 0; i < route->n_headers; i++)
        gate_out_fmt(o, " header %.*s,", (int)route->headers[i].name.n, route->headers[i].name.p);
    for (uint32_t i = 0; i < route->n_query; i++)
        gate_out_fmt(o, " query %.*s,", (int)route->query[i].name.n, route->query[i].name.p);
    if (o->p[o->n - 1] == ',')
        o->n--;
    else
        GATE_OUT_LIT(o, " any request");
    gate_out_char(o, '\n');
}

static void put_winner(struct gate_out *o, const struct gate_route_result *found)
{
    if (found->route == NULL) {
        if (found->allow.n == 0)
            GATE_OUT_LIT(o, "no route: 404\n");
        else
            gate_out_fmt(o, "no route for this method: 405, Allow: %.*s\n", (int)found->allow.n,
                         found->allow.p);
        return;
    }
    put_route(o, found->route);
    if (found->needs_when)
        GATE_OUT_LIT(o, ", depends on when: if its function says no, the next one");
    gate_out_char(o, '\n');
    put_fits(o, found->route);
    for (uint32_t i = 0; i < found->n_captures; i++) {
        const struct gate_capture *c = &found->captures[i];

        gate_out_fmt(o, "  %.*s = \"%.*s\"\n", (int)c->name.n, c->name.p, (int)c->value.n,
                     c->value.p);
    }
}

void gate_router_explain(const struct gate_router *r, const struct gate_route_query *q,
                         struct gate_arena *arena, struct gate_out *out)
{
    struct gate_route_result found;
    struct precedence winner = {0};
    uint32_t rows = 0;

    gate_router_find(r, q, arena, &found);
    put_winner(out, &found);
    if (found.route != NULL)
        gate_precedence_of(found.route, &winner);
    for (uint32_t rank = 0; rank < r->n; rank++) {
        const struct candidate *c = &r->candidates[rank];

        if (c->route == found.route || !gate_match_host(c->route->host, q->host) ||
            !gate_pattern_match(&r->patterns[rank], q->path))
            continue;
        if (rows++ < ROWS_MAX)
            put_row(out, c, q, &winner);
    }
    if (rows == 0 && found.route != NULL)
        GATE_OUT_LIT(out, "  no other route fits host and path\n");
    if (rows > ROWS_MAX)
        gate_out_fmt(out, "  and %u more\n", rows - ROWS_MAX);
}
