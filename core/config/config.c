#include "config/config.h"

#include "base/mem.h"
#include "base/siphash.h"
#include "config/config_int.h"

const char *gate_hook_name(enum gate_hook h)
{
    static const char *const names[GATE_HOOK_COUNT] = {
        "connect",      "certificate", "request",  "route", "cache", "balance",
        "request_body", "store",       "response", "body",  "fault", "log",
    };

    return h >= 0 && h < GATE_HOOK_COUNT ? names[h] : "?";
}

static bool read_format(struct reader *r, const struct field *f, void *to)
{
    int64_t format;

    (void)f;
    (void)to;
    return gate_reader_integer(r, 1, 1, &format);
}

static bool read_config(struct reader *r, struct gate_config *c)
{
    static const struct field fields[] = {
        {"format", read_format, 0, 0, 0, NULL},
        {"global", gate_config_read_global, 0, 0, 0, NULL},
        {"limits", gate_config_read_limits, offsetof(struct gate_config, limits), 0, 0, NULL},
        {"listeners", gate_config_read_listeners, 0, 0, 0, NULL},
        {"policies", gate_config_read_policies, 0, 0, 0, NULL},
        {"process", gate_config_read_process, offsetof(struct gate_config, process), 0, 0, NULL},
        {"routes", gate_config_read_routes, 0, 0, 0, NULL},
        {"shared", gate_config_read_shared, 0, 0, 0, NULL},
        {"timers", gate_config_read_timers, 0, 0, 0, NULL},
        {"upstreams", gate_config_read_upstreams, 0, 0, 0, NULL},
    };
    static const struct field_table table = FIELD_TABLE(fields);

    if (!gate_reader_object(r, &table, c))
        return false;
    gate_reader_peek(r);
    return r->p == r->end || gate_reader_fail(r, "bytes behind the end");
}

enum gate_err gate_config_parse(struct gate_str json, struct gate_config **out, char *why,
                                size_t why_cap)
{
    static const struct gate_sipkey key; /* the same in all workers, which compare */
    struct gate_config *c = gate_calloc(1, sizeof(*c));
    struct reader r = {.arena = &c->arena, .why = why, .why_cap = why_cap};

    gate_arena_init(&c->arena, NULL);
    c->text = gate_arena_copy(&c->arena, json);
    c->hash = gate_siphash(&key, json.p, json.n);
    gate_config_default(c);
    r.begin = r.p = c->text.p;
    r.end = c->text.p + c->text.n;
    if (why_cap > 0)
        why[0] = '\0';
    if (!read_config(&r, c) || !gate_config_tie(&r, c))
        gate_config_free(&c);
    gate_free(r.names);
    *out = c;
    return r.err;
}

void gate_config_free(struct gate_config **config)
{
    struct gate_config *c = *config;

    *config = NULL;
    if (c == NULL)
        return;
    gate_names_fini(&c->upstream_names);
    gate_names_fini(&c->route_names);
    gate_arena_clear(&c->arena);
    gate_free(c);
}
