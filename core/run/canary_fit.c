/* What a canary may not change: it is the gateway's, not a request's. */
#include <stdio.h>

#include "base/assert.h"
#include "run/canary.h"

static bool same_set(const struct gate_cidr_set *a, const struct gate_cidr_set *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (a->v[i].high != b->v[i].high || a->v[i].low != b->v[i].low ||
            a->v[i].bits != b->v[i].bits)
            return false;
    }
    return true;
}

static bool same_certificate(const struct gate_certificate_config *a,
                             const struct gate_certificate_config *b)
{
    if (!gate_str_eq(a->cert, b->cert) || !gate_str_eq(a->key, b->key) ||
        !gate_str_eq(a->ocsp, b->ocsp) || a->fallback != b->fallback || a->n_names != b->n_names)
        return false;
    for (uint32_t i = 0; i < a->n_names; i++) {
        if (!gate_str_eq(a->names[i], b->names[i]))
            return false;
    }
    return true;
}

static bool same_tls(const struct gate_tls_config *a, const struct gate_tls_config *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    if (a->n_certificates != b->n_certificates || a->min_version != b->min_version ||
        a->client_auth != b->client_auth || !gate_str_eq(a->client_ca, b->client_ca))
        return false;
    for (uint32_t i = 0; i < a->n_certificates; i++) {
        if (!same_certificate(&a->certificates[i], &b->certificates[i]))
            return false;
    }
    return true;
}

static bool same_listener(const struct gate_listener_config *a,
                          const struct gate_listener_config *b)
{
    return gate_addr_eq(&a->addr, &b->addr) && same_set(&a->trust, &b->trust) &&
           a->mode == b->mode && a->backlog == b->backlog && a->half_close == b->half_close &&
           a->proxy_protocol == b->proxy_protocol && a->http2 == b->http2 &&
           same_tls(a->tls, b->tls);
}

static bool same_listeners(const struct gate_config *a, const struct gate_config *b)
{
    if (a->n_listeners != b->n_listeners)
        return false;
    for (uint32_t i = 0; i < a->n_listeners; i++) {
        if (!same_listener(&a->listeners[i], &b->listeners[i]))
            return false;
    }
    return true;
}

/* The first limit that differs; NULL: none does. */
static const char *other_limit(const struct gate_limits *a, const struct gate_limits *b)
{
    const struct {
        const char *name;
        bool same;
    } all[] = {
        { "header_bytes", a->header_bytes == b->header_bytes },
        { "header_count", a->header_count == b->header_count },
        { "target_bytes", a->target_bytes == b->target_bytes },
        { "body_bytes", a->body_bytes == b->body_bytes },
        { "connections", a->connections == b->connections },
        { "connections_per_ip", a->connections_per_ip == b->connections_per_ip },
        { "handshakes", a->handshakes == b->handshakes },
        { "handshake_timeout", a->handshake_timeout_ms == b->handshake_timeout_ms },
        { "header_timeout", a->header_timeout_ms == b->header_timeout_ms },
        { "idle_timeout", a->idle_timeout_ms == b->idle_timeout_ms },
        { "body_rate", a->body_rate == b->body_rate },
        { "write_stall", a->write_stall_ms == b->write_stall_ms },
        { "hook_cpu", a->hook_cpu_us == b->hook_cpu_us },
        { "task_time", a->task_time_ms == b->task_time_ms },
        { "vm_memory", a->vm_memory == b->vm_memory },
        { "load_time", a->load_time_ms == b->load_time_ms },
        { "underscores", a->underscores == b->underscores },
        { "encoded_slash", a->encoded_slash_reject == b->encoded_slash_reject },
        { "merge_slashes", a->merge_slashes == b->merge_slashes },
        { "outbound", same_set(&a->outbound_allow, &b->outbound_allow) &&
                          same_set(&a->outbound_deny, &b->outbound_deny) },
    };

    for (size_t i = 0; i < GATE_COUNT_OF(all); i++) {
        if (!all[i].same)
            return all[i].name;
    }
    return NULL;
}

static const char *other_process(const struct gate_process_config *a,
                                 const struct gate_process_config *b)
{
    if (a->workers != b->workers)
        return "workers";
    if (!gate_str_eq(a->log, b->log))
        return "log";
    if (a->log_level != b->log_level)
        return "log_level";
    if (!gate_str_eq(a->access_log, b->access_log))
        return "access_log";
    if (a->access_json != b->access_json)
        return "access_format";
    if (!gate_str_eq(a->control, b->control))
        return "control";
    return a->drain_ms != b->drain_ms ? "drain" : NULL;
}

bool gate_canary_fits(const struct gate_config *canary, const struct gate_config *current,
                      char *why, size_t cap)
{
    static const char mend[] = "is the same for all requests, so a canary cannot try it: change it "
                               "by a plain reload first";
    const char *limit = other_limit(&canary->limits, &current->limits);
    const char *process = other_process(&canary->process, &current->process);

    if (!same_listeners(canary, current))
        snprintf(why, cap, "gate.listen differs from what serves; it %s", mend);
    else if (limit != NULL)
        snprintf(why, cap, "gate.limits { %s } differs from what serves; it %s", limit, mend);
    else if (process != NULL)
        snprintf(why, cap, "gate.process { %s } differs from what serves; it %s", process, mend);
    else
        return true;
    return false;
}
