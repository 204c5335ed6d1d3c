/* Listeners, policies and timers. */
#include "config/config_int.h"

enum gate_err gate_config_listen_addr(struct gate_str text, struct gate_addr *out)
{
    enum gate_err err = gate_addr_parse(text, out);
    struct gate_str host;
    uint16_t port;

    if (err != GATE_E_NOTFOUND || gate_addr_split(text, &host, &port) != GATE_OK ||
        !gate_str_ieq(host, GATE_STR("localhost")))
        return err;
    err = gate_addr_parse_ip(GATE_STR("127.0.0.1"), out);
    gate_addr_set_port(out, port);
    return err;
}

static bool read_address(struct reader *r, const struct field *f, void *to)
{
    struct gate_listener_config *l = to;

    if (!gate_field_str(r, f, &l->text))
        return false;
    if (gate_config_listen_addr(l->text, &l->addr) == GATE_OK)
        return true;
    return gate_reader_fail(r, "\"%.*s\" is no address to listen on",
                            (int)(l->text.n > 128 ? 128 : l->text.n), l->text.p);
}

static bool one_listener(struct reader *r, void *to, uint32_t index)
{
#define MEMBER(key, read, member, min, max)                                                        \
    {                                                                                              \
        key, read, offsetof(struct gate_listener_config, member), min, max, NULL                   \
    }
    static const struct field fields[] = {
        {"address", read_address, 0, 0, 0, NULL},
        MEMBER("at", gate_field_str, at, 0, 0),
        MEMBER("backlog", gate_field_int, backlog, 0, INT32_MAX),
        MEMBER("half_close", gate_field_bool, half_close, 0, 0),
        MEMBER("http2", gate_field_bool, http2, 0, 0),
        MEMBER("mode", gate_field_int, mode, -1, 07777),
        MEMBER("proxy_protocol", gate_field_bool, proxy_protocol, 0, 0),
        MEMBER("tls", gate_field_tls, tls, 0, 0),
        MEMBER("trust", gate_field_cidrs, trust, 0, 0),
    };
#undef MEMBER
    static const struct field_table table = FIELD_TABLE(fields);
    struct gate_listener_config *l = to;

    (void)index;
    l->mode = -1;
    if (!gate_reader_object(r, &table, l))
        return false;
    return l->text.p != NULL || gate_reader_fail(r, "a listener without address");
}

bool gate_config_read_listeners(struct reader *r, const struct field *f, void *config)
{
    struct gate_config *c = config;

    (void)f;
    return gate_reader_array(r, sizeof(*c->listeners), one_listener, &c->listeners,
                             &c->n_listeners);
}

static bool one_policy(struct reader *r, void *to, uint32_t index)
{
#define MEMBER(key, read, member, min, max, names)                                                 \
    {                                                                                              \
        key, read, offsetof(struct gate_policy_config, member), min, max, names                    \
    }
    static const char *const on_error[] = {"closed", "open", NULL};
    static const struct field fields[] = {
        MEMBER("cpu_us", gate_field_u32, cpu_us, 0, UINT32_MAX - 1, NULL),
        MEMBER("guards", gate_field_bool, guards, 0, 0, NULL),
        MEMBER("decode", gate_field_bool, decode, 0, 0, NULL),
        MEMBER("hooks", gate_field_hooks, hooks, 0, 0, NULL),
        MEMBER("name", gate_field_str, name, 0, 0, NULL),
        MEMBER("on_error", gate_field_choice8, open, 0, 0, on_error),
    };
#undef MEMBER
    static const struct field_table table = FIELD_TABLE(fields);

    (void)index;
    return gate_reader_object(r, &table, to);
}

bool gate_config_read_policies(struct reader *r, const struct field *f, void *config)
{
    struct gate_config *c = config;

    (void)f;
    return gate_reader_array(r, sizeof(*c->policies), one_policy, &c->policies, &c->n_policies);
}

bool gate_config_read_global(struct reader *r, const struct field *f, void *config)
{
    struct gate_config *c = config;

    (void)f;
    return gate_reader_ordinals(r, &c->global, &c->n_global);
}

static bool one_shared(struct reader *r, void *to, uint32_t index)
{
#define MEMBER(key, read, member, min, max)                                                        \
    {                                                                                              \
        key, read, offsetof(struct gate_shared_config, member), min, max, NULL                     \
    }
    static const struct field fields[] = {
        MEMBER("at", gate_field_str, at, 0, 0),
        MEMBER("bytes", gate_field_i64, bytes, 1, INT64_MAX),
        MEMBER("name", gate_field_str, name, 0, 0),
    };
#undef MEMBER
    static const struct field_table table = FIELD_TABLE(fields);

    (void)index;
    return gate_reader_object(r, &table, to);
}

bool gate_config_read_shared(struct reader *r, const struct field *f, void *config)
{
    struct gate_config *c = config;

    (void)f;
    return gate_reader_array(r, sizeof(*c->shared), one_shared, &c->shared, &c->n_shared);
}

static bool one_timer(struct reader *r, void *to, uint32_t index)
{
#define MEMBER(key, read, member, min, max)                                                        \
    {                                                                                              \
        key, read, offsetof(struct gate_timer_config, member), min, max, NULL                      \
    }
    static const struct field fields[] = {
        MEMBER("at", gate_field_str, at, 0, 0),
        MEMBER("on_all", gate_field_bool, on_all, 0, 0),
        MEMBER("period_ms", gate_field_u32, period_ms, 1, UINT32_MAX - 1),
    };
#undef MEMBER
    static const struct field_table table = FIELD_TABLE(fields);

    (void)index;
    return gate_reader_object(r, &table, to);
}

bool gate_config_read_timers(struct reader *r, const struct field *f, void *config)
{
    struct gate_config *c = config;

    (void)f;
    return gate_reader_array(r, sizeof(*c->timers), one_timer, &c->timers, &c->n_timers);
}
