/* Routes: each read into its struct, then tied to its upstream and policies. */
#include "base/mem.h"
#include "config/config_int.h"

/* ["name", "value"] or ["name", null]. */
static bool one_match(struct reader *r, void *to, uint32_t index)
{
    struct gate_match *m = to;

    (void)index;
    if (!gate_reader_take(r, '['))
        return gate_reader_fail(r, "expected [name, value]");
    if (!gate_reader_string(r, &m->name))
        return false;
    if (!gate_reader_take(r, ','))
        return gate_reader_fail(r, "expected [name, value]");
    if (!gate_reader_null(r) && !gate_reader_string(r, &m->value))
        return false;
    return gate_reader_take(r, ']') || gate_reader_fail(r, "expected [name, value]");
}

static bool read_matches(struct reader *r, const struct gate_match **v, uint32_t *n)
{
    return gate_reader_array(r, sizeof(**v), one_match, v, n);
}

static bool read_headers(struct reader *r, const struct field *f, void *to)
{
    struct gate_route_config *route = to;

    (void)f;
    return read_matches(r, &route->headers, &route->n_headers);
}

static bool read_query(struct reader *r, const struct field *f, void *to)
{
    struct gate_route_config *route = to;

    (void)f;
    return read_matches(r, &route->query, &route->n_query);
}

static bool read_methods(struct reader *r, const struct field *f, void *to)
{
    struct gate_route_config *route = to;

    (void)f;
    return gate_reader_strings(r, &route->methods, &route->n_methods);
}

static bool read_upgrade(struct reader *r, const struct field *f, void *to)
{
    struct gate_route_config *route = to;

    (void)f;
    return gate_reader_strings(r, &route->upgrade, &route->n_upgrade);
}

static bool read_use(struct reader *r, const struct field *f, void *to)
{
    struct gate_route_config *route = to;

    (void)f;
    return gate_reader_ordinals(r, &route->use, &route->n_use);
}

/* Hosts are compared in lower case; the text is copied only when it is not. */
static bool read_host(struct reader *r, const struct field *f, void *to)
{
    struct gate_str *host = to;
    char *lower;
    size_t i = 0;

    if (!gate_field_str(r, f, host))
        return false;
    while (i < host->n && gate_lower(host->p[i]) == host->p[i])
        i++;
    if (i == host->n)
        return true;
    lower = gate_arena_alloc(r->arena, host->n);
    for (i = 0; i < host->n; i++)
        lower[i] = gate_lower(host->p[i]);
    host->p = lower;
    return true;
}

static bool read_upstream_name(struct reader *r, const struct field *f, void *to)
{
    uint32_t *ordinal = to;
    struct gate_str name;

    if (!gate_field_str(r, f, &name))
        return false;
    if (name.n == 0)
        return true;
    if ((r->n_names & (r->n_names - 1)) == 0) {
        uint32_t cap = r->n_names == 0 ? 1 : r->n_names * 2;

        r->names = gate_realloc(r->names, cap * sizeof(*r->names));
    }
    *ordinal = r->n_names;
    r->names[r->n_names++] = name;
    return true;
}

static bool read_reply_headers(struct reader *r, const struct field *f, void *to)
{
    struct gate_reply_config *reply = to;

    (void)f;
    return read_matches(r, &reply->headers, &reply->n_headers);
}

static bool read_reply(struct reader *r, const struct field *f, void *to)
{
    static const struct field fields[] = {
        {"body", gate_field_str, offsetof(struct gate_reply_config, body), 0, 0, NULL},
        {"headers", read_reply_headers, 0, 0, 0, NULL},
        {"status", gate_field_int, offsetof(struct gate_reply_config, status), 200, 599, NULL},
    };
    static const struct field_table table = FIELD_TABLE(fields);

    (void)f;
    return gate_reader_object(r, &table, to);
}

static bool read_redirect(struct reader *r, const struct field *f, void *to)
{
    static const struct field fields[] = {
        {"status", gate_field_int, offsetof(struct gate_route_config, redirect_status), 300, 399,
         NULL},
        {"to", gate_field_str, offsetof(struct gate_route_config, redirect_to), 0, 0, NULL},
    };
    static const struct field_table table = FIELD_TABLE(fields);

    (void)f;
    return gate_reader_object(r, &table, to);
}

#define MEMBER(key, read, member, min, max)                                                        \
    {                                                                                              \
        key, read, offsetof(struct gate_route_config, member), min, max, NULL                      \
    }
#define WHOLE(key, read)                                                                           \
    {                                                                                              \
        key, read, 0, 0, 0, NULL                                                                   \
    }

static bool read_route(struct reader *r, struct gate_route_config *route)
{
    static const char *const actions[] = {"upstream", "reply", "handler", "redirect", "none", NULL};
    static const struct field fields[] = {
        {"action", gate_field_choice, offsetof(struct gate_route_config, action), 0, 0, actions},
        MEMBER("at", gate_field_str, at, 0, 0),
        MEMBER("client_cert", gate_field_bool, client_cert, 0, 0),
        WHOLE("headers", read_headers),
        MEMBER("host", read_host, host, 0, 0),
        MEMBER("max_body", gate_field_i64, max_body, -1, INT64_MAX),
        WHOLE("methods", read_methods),
        MEMBER("name", gate_field_str, name, 0, 0),
        MEMBER("path", gate_field_str, path, 0, 0),
        MEMBER("priority", gate_field_int, priority, INT32_MIN, INT32_MAX),
        WHOLE("query", read_query),
        WHOLE("redirect", read_redirect),
        MEMBER("reply", read_reply, reply, 0, 0),
        MEMBER("rewrite", gate_field_str, rewrite, 0, 0),
        MEMBER("timeouts", gate_field_timeouts, timeouts, 0, 0),
        WHOLE("upgrade", read_upgrade),
        MEMBER("upstream", read_upstream_name, upstream, 0, 0),
        WHOLE("use", read_use),
        MEMBER("when", gate_field_bool, when, 0, 0),
    };
    static const struct field_table table = FIELD_TABLE(fields);

    return gate_reader_object(r, &table, route);
}

/* What people call a route without a name: its path, after its host. */
static struct gate_str default_name(struct reader *r, const struct gate_route_config *route)
{
    struct gate_str path = route->path.n > 0 ? route->path : GATE_STR("*");
    struct gate_out o;

    if (route->host.n == 0)
        return path;
    if (route->path.n == 0)
        return route->host;
    o = gate_out_on(gate_arena_alloc(r->arena, route->host.n + 1 + path.n),
                    route->host.n + 1 + path.n);
    gate_out_str(&o, route->host);
    gate_out_char(&o, ' ');
    gate_out_str(&o, path);
    return gate_out_view(&o);
}

static bool one_route(struct reader *r, void *to, uint32_t index)
{
    const uint32_t none = GATE_TIMEOUT_NOT_GIVEN;
    const struct gate_timeouts untimed = {none, none, none, none, none};
    struct gate_route_config *route = to;

    route->ordinal = index;
    route->upstream = GATE_NO_ORDINAL;
    route->action = GATE_ACTION_NONE;
    route->reply.status = 200;
    route->redirect_status = 302;
    route->max_body = -1;
    route->timeouts = untimed;
    if (!read_route(r, route))
        return false;
    route->timed = memcmp(&route->timeouts, &untimed, sizeof(untimed)) != 0;
    if (route->name.n == 0)
        route->name = default_name(r, route);
    return true;
}

bool gate_config_read_routes(struct reader *r, const struct field *f, void *config)
{
    struct gate_config *c = config;

    (void)f;
    return gate_reader_array(r, sizeof(*c->routes), one_route, &c->routes, &c->n_routes);
}
