/* Upstreams and their servers. */
#include <stdlib.h>

#include "config/config_int.h"

static bool read_server_address(struct reader *r, const struct field *f, void *to)
{
    struct gate_server_config *s = to;
    enum gate_err err;

    if (!gate_field_str(r, f, &s->text))
        return false;
    if (gate_str_starts(s->text, GATE_STR("unix:")))
        s->host = gate_str_of(s->text.p + 5, s->text.n - 5);
    else if (gate_addr_split(s->text, &s->host, &s->port) != GATE_OK)
        s->host = GATE_STR_NONE;
    err = gate_addr_parse(s->text, &s->addr);
    s->numeric = err == GATE_OK;
    if (s->host.n > 0 && (err == GATE_OK || err == GATE_E_NOTFOUND))
        return true;
    return gate_reader_fail(r, "\"%.*s\" is no server address",
                            (int)(s->text.n > 128 ? 128 : s->text.n), s->text.p);
}

static bool one_server(struct reader *r, void *to, uint32_t index)
{
#define MEMBER(key, read, member, min, max)                                                        \
    {                                                                                              \
        key, read, offsetof(struct gate_server_config, member), min, max, NULL                     \
    }
    static const struct field fields[] = {
        {"address", read_server_address, 0, 0, 0, NULL},
        MEMBER("backup", gate_field_bool, backup, 0, 0),
        MEMBER("down", gate_field_bool, down, 0, 0),
        MEMBER("max_connections", gate_field_u32, max_connections, 0, UINT32_MAX - 1),
        MEMBER("weight", gate_field_u32, weight, 0, 1000000),
        MEMBER("zone", gate_field_str, zone, 0, 0),
    };
#undef MEMBER
    static const struct field_table table = FIELD_TABLE(fields);
    struct gate_server_config *s = to;

    (void)index;
    s->weight = 1;
    if (!gate_reader_object(r, &table, s))
        return false;
    return s->text.p != NULL || gate_reader_fail(r, "a server without address");
}

static bool read_servers(struct reader *r, const struct field *f, void *to)
{
    struct gate_upstream_config *u = to;

    (void)f;
    return gate_reader_array(r, sizeof(*u->servers), one_server, &u->servers, &u->n_servers);
}

static bool read_keepalive(struct reader *r, const struct field *f, void *to)
{
#define MEMBER(key, member)                                                                        \
    {                                                                                              \
        key, gate_field_u32, offsetof(struct gate_upstream_config, member), 0, UINT32_MAX - 1,     \
            NULL                                                                                   \
    }
    static const struct field fields[] = {
        MEMBER("idle", idle),
        MEMBER("idle_timeout_ms", idle_timeout_ms),
        MEMBER("max_age_ms", max_age_ms),
        MEMBER("max_requests", max_requests),
    };
#undef MEMBER
    static const struct field_table table = FIELD_TABLE(fields);

    (void)f;
    return gate_reader_object(r, &table, to);
}

/* "connect", "reset", "timeout", or a status. */
static bool read_retry_on(struct reader *r, const struct field *f, void *to)
{
    static const char *const causes[] = {"connect", "reset", "timeout"};
    struct gate_upstream_config *u = to;
    const struct gate_str *on;
    int *statuses;
    uint32_t n;

    (void)f;
    if (!gate_reader_strings(r, &on, &n))
        return false;
    u->retry_on = 0;
    statuses = gate_arena_alloc(r->arena, n * sizeof(int));
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = 0;
        uint64_t status;

        while (k < 3 && !gate_str_eq(on[i], gate_str_from_cstr(causes[k])))
            k++;
        if (k < 3)
            u->retry_on |= 1u << k;
        else if (gate_str_to_u64(on[i], &status) && status >= 100 && status <= 599)
            statuses[u->n_retry_statuses++] = (int)status;
        else
            return gate_reader_fail(r, "\"%.*s\" is no reason to retry",
                                    (int)(on[i].n > 64 ? 64 : on[i].n), on[i].p);
    }
    u->retry_statuses = u->n_retry_statuses > 0 ? statuses : NULL;
    return true;
}

static bool read_retry(struct reader *r, const struct field *f, void *to)
{
    static const struct field fields[] = {
        {"budget_percent", gate_field_u32, offsetof(struct gate_upstream_config, budget_percent), 0,
         1000, NULL},
        {"on", read_retry_on, 0, 0, 0, NULL},
        {"tries", gate_field_u32, offsetof(struct gate_upstream_config, tries), 1, 1000, NULL},
    };
    static const struct field_table table = FIELD_TABLE(fields);

    (void)f;
    return gate_reader_object(r, &table, to);
}

#define MEMBER(key, read, member, names)                                                           \
    {                                                                                              \
        key, read, offsetof(struct gate_upstream_config, member), 0, UINT32_MAX - 1, names         \
    }

static bool read_upstream(struct reader *r, struct gate_upstream_config *u)
{
    static const char *const balance[] = {"round_robin", "least_requests", "function", NULL};
    static const char *const host[] = {"client", "peer", "name", NULL};
    static const char *const forwarded[] = {"x", "rfc7239", "both", "none", NULL};
    static const char *const http2[] = {"never", "always", "auto", NULL};
    static const char *const proxy_protocol[] = {"none", "v1", "v2", NULL};
    static const struct field fields[] = {
        MEMBER("at", gate_field_str, at, NULL),
        MEMBER("balance", gate_field_choice, balance, balance),
        MEMBER("forwarded", gate_field_choice, forwarded, forwarded),
        MEMBER("host", gate_field_choice, host, host),
        MEMBER("http2", gate_field_choice, http2, http2),
        {"keepalive", read_keepalive, 0, 0, 0, NULL},
        MEMBER("name", gate_field_str, name, NULL),
        MEMBER("proxy_protocol", gate_field_choice, proxy_protocol, proxy_protocol),
        {"retry", read_retry, 0, 0, 0, NULL},
        {"servers", read_servers, 0, 0, 0, NULL},
        MEMBER("timeouts", gate_field_timeouts, timeouts, NULL),
        MEMBER("tls", gate_field_tls_client, tls, NULL),
    };
    static const struct field_table table = FIELD_TABLE(fields);

    return gate_reader_object(r, &table, u);
}

static bool one_upstream(struct reader *r, void *to, uint32_t index)
{
    struct gate_upstream_config *u = to;

    *u = (struct gate_upstream_config){
        .ordinal = index,
        .idle = 64,
        .idle_timeout_ms = 60000,
        .timeouts = {5000, 60000, GATE_TIMEOUT_NOT_GIVEN, GATE_TIMEOUT_NOT_GIVEN, 0},
        .tries = 2,
        .retry_on = GATE_RETRY_CONNECT | GATE_RETRY_RESET,
        .budget_percent = 20,
    };
    if (!read_upstream(r, u))
        return false;
    return u->name.n > 0 || gate_reader_fail(r, "an upstream without name");
}

bool gate_config_read_upstreams(struct reader *r, const struct field *f, void *config)
{
    struct gate_config *c = config;

    (void)f;
    return gate_reader_array(r, sizeof(*c->upstreams), one_upstream, &c->upstreams,
                             &c->n_upstreams);
}
