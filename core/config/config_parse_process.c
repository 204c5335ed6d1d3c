/* Process and limits: what counts for the whole engine. */
#include "config/config_int.h"

#define MEMBER(key, read, member, min, max)                                                        \
    {                                                                                              \
        key, read, offsetof(struct gate_process_config, member), min, max, NULL                    \
    }
#define CHOICE(key, read, member, names)                                                           \
    {                                                                                              \
        key, read, offsetof(struct gate_process_config, member), 0, 0, names                       \
    }

bool gate_config_read_process(struct reader *r, const struct field *f, void *to)
{
    static const char *const formats[] = {"combined", "json", NULL};
    static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
    static const struct field fields[] = {
        CHOICE("access_format", gate_field_choice8, access_json, formats),
        MEMBER("access_log", gate_field_str, access_log, 0, 0),
        MEMBER("control", gate_field_str, control, 0, 0),
        MEMBER("drain_ms", gate_field_u32, drain_ms, 0, UINT32_MAX - 1),
        MEMBER("log", gate_field_str, log, 0, 0),
        CHOICE("log_level", gate_field_choice, log_level, levels),
        MEMBER("workers", gate_field_u32, workers, 0, 1024),
    };
    static const struct field_table table = FIELD_TABLE(fields);

    (void)f;
    return gate_reader_object(r, &table, to);
}

#undef MEMBER
#undef CHOICE
#define MEMBER(name, read, min, max)                                                               \
    {                                                                                              \
#name, read, offsetof(struct gate_limits, name), min, max, NULL                            \
    }
#define COUNT(name) MEMBER(name, gate_field_u32, 0, UINT32_MAX - 1)
#define CHOICE(name, member, names)                                                                \
    {                                                                                              \
        name, gate_field_choice8, offsetof(struct gate_limits, member), 0, 0, names                \
    }

bool gate_config_read_limits(struct reader *r, const struct field *f, void *to)
{
    static const char *const slash[] = {"keep", "reject", NULL};
    static const char *const underscores[] = {"drop", "reject", "keep", NULL};
    static const struct field fields[] = {
        MEMBER(body_bytes, gate_field_i64, -1, INT64_MAX),
        COUNT(body_rate),
        COUNT(connections),
        COUNT(connections_per_ip),
        CHOICE("encoded_slash", encoded_slash_reject, slash),
        COUNT(handshake_timeout_ms),
        COUNT(handshakes),
        COUNT(header_bytes),
        COUNT(header_count),
        COUNT(header_timeout_ms),
        COUNT(hook_cpu_us),
        COUNT(idle_timeout_ms),
        COUNT(load_time_ms),
        MEMBER(merge_slashes, gate_field_bool, 0, 0),
        MEMBER(outbound_allow, gate_field_cidrs, 0, 0),
        MEMBER(outbound_deny, gate_field_cidrs, 0, 0),
        COUNT(target_bytes),
        COUNT(task_time_ms),
        CHOICE("underscores", underscores, underscores),
        MEMBER(vm_memory, gate_field_i64, 0, INT64_MAX),
        COUNT(write_stall_ms),
    };
    static const struct field_table table = FIELD_TABLE(fields);

    (void)f;
    return gate_reader_object(r, &table, to);
}

void gate_config_default(struct gate_config *c)
{
    c->process.log = GATE_STR("stderr");
    c->process.log_level = GATE_LOG_INFO;
    c->process.access_log = GATE_STR("stdout");
    c->process.drain_ms = 30000;
    c->limits = (struct gate_limits){
        .header_bytes = 32768,
        .header_count = 100,
        .target_bytes = 8192,
        .body_bytes = -1,
        .handshakes = 1000,
        .handshake_timeout_ms = 5000,
        .header_timeout_ms = 10000,
        .idle_timeout_ms = 60000,
        .body_rate = 500,
        .write_stall_ms = 30000,
        .hook_cpu_us = 50000,
        .task_time_ms = 60000,
        .vm_memory = 64u << 20,
        .load_time_ms = 5000,
        .underscores = GATE_UNDERSCORES_DROP,
        .merge_slashes = true,
    };
}
