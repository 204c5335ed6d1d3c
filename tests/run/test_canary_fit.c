#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "run/canary.h"

static char why[300];

static struct gate_cidr block = { .high = 1, .low = 2, .bits = 96 };
static struct gate_cidr other_block = { .high = 1, .low = 3, .bits = 96 };
static struct gate_listener_config listener[2];

static struct gate_config config(void)
{
    struct gate_config c;

    memset(&c, 0, sizeof(c));
    memset(listener, 0, sizeof(listener));
    assert_int_equal(gate_addr_parse(GATE_STR("127.0.0.1:80"), &listener[0].addr), GATE_OK);
    listener[1] = listener[0];
    listener[0].trust = listener[1].trust = (struct gate_cidr_set){ &block, 1 };
    c.listeners = &listener[0];
    c.n_listeners = 1;
    return c;
}

static bool fits(const struct gate_config *canary)
{
    struct gate_config current = config();

    why[0] = '\0';
    return gate_canary_fits(canary, &current, why, sizeof(why));
}

#define DIFFERS(member, value, name)                                                               \
    do {                                                                                           \
        c = config();                                                                              \
        c.member = value;                                                                          \
        assert_false(fits(&c));                                                                    \
        assert_non_null(strstr(why, name));                                                        \
    } while (0)

/* Every member counts: whoever adds one is to think of it. */
static void every_limit_must_be_the_same(void **state)
{
    struct gate_config c = config();

    (void)state;
    assert_true(fits(&c));
    DIFFERS(limits.header_bytes, 1, "gate.limits { header_bytes }");
    DIFFERS(limits.header_count, 1, "header_count");
    DIFFERS(limits.target_bytes, 1, "target_bytes");
    DIFFERS(limits.body_bytes, 1, "body_bytes");
    DIFFERS(limits.connections, 1, "{ connections }");
    DIFFERS(limits.connections_per_ip, 1, "connections_per_ip");
    DIFFERS(limits.handshakes, 1, "{ handshakes }");
    DIFFERS(limits.handshake_timeout_ms, 1, "handshake_timeout");
    DIFFERS(limits.header_timeout_ms, 1, "header_timeout");
    DIFFERS(limits.idle_timeout_ms, 1, "idle_timeout");
    DIFFERS(limits.body_rate, 1, "body_rate");
    DIFFERS(limits.write_stall_ms, 1, "write_stall");
    DIFFERS(limits.hook_cpu_us, 1, "hook_cpu");
    DIFFERS(limits.task_time_ms, 1, "task_time");
    DIFFERS(limits.vm_memory, 1, "vm_memory");
    DIFFERS(limits.load_time_ms, 1, "load_time");
    DIFFERS(limits.underscores, 1, "underscores");
    DIFFERS(limits.encoded_slash_reject, true, "encoded_slash");
    DIFFERS(limits.merge_slashes, true, "merge_slashes");
    DIFFERS(limits.outbound_allow, ((struct gate_cidr_set){ &block, 1 }), "outbound");
    DIFFERS(limits.outbound_deny, ((struct gate_cidr_set){ &block, 1 }), "outbound");
}

static void every_option_of_the_process_must_be_the_same(void **state)
{
    struct gate_config c;

    (void)state;
    DIFFERS(process.workers, 2, "gate.process { workers }");
    DIFFERS(process.log, GATE_STR("x"), "{ log }");
    DIFFERS(process.log_level, GATE_LOG_ERROR, "log_level");
    DIFFERS(process.access_log, GATE_STR("x"), "access_log");
    DIFFERS(process.access_json, true, "access_format");
    DIFFERS(process.control, GATE_STR("x"), "control");
    DIFFERS(process.drain_ms, 1, "drain");
}

static void refuses_listener(void)
{
    struct gate_config current = { .listeners = &listener[0], .n_listeners = 1 };
    struct gate_config c = { .listeners = &listener[1], .n_listeners = 1 };

    assert_false(gate_canary_fits(&c, &current, why, sizeof(why)));
    assert_non_null(strstr(why, "gate.listen differs from what serves"));
}

/* Each on its own beside the same without it. */
static void every_part_of_tls_must_be_the_same(void **state)
{
    static const struct gate_str name = { "a", 1 };
    static const struct gate_certificate_config certificates[] = {
        { .cert = { "a", 1 } }, { .cert = { "b", 1 } }, { .key = { "b", 1 } },
        { .ocsp = { "b", 1 } }, { .fallback = true },   { .names = &name, .n_names = 1 },
    };
    static const struct gate_tls_config others[] = {
        { .min_version = GATE_TLS_1_3 },
        { .client_auth = GATE_CLIENT_AUTH_REQUIRE },
        { .client_ca = { "a", 1 } },
        { .certificates = certificates, .n_certificates = 1 },
    };

    (void)state;
    config();
    for (size_t i = 0; i < GATE_COUNT_OF(others); i++) {
        listener[0].tls = &(struct gate_tls_config){ .min_version = GATE_TLS_1_2 };
        listener[1].tls = &others[i];
        refuses_listener();
    }
    for (size_t i = 1; i < GATE_COUNT_OF(certificates); i++) {
        listener[0].tls = &others[3];
        listener[1].tls = &(struct gate_tls_config){ .certificates = &certificates[i],
                                                     .n_certificates = 1 };
        refuses_listener();
    }
}

static void every_part_of_a_listener_must_be_the_same(void **state)
{
    struct gate_config c = config();

    (void)state;
    c.listeners = &listener[1];
    assert_true(gate_canary_fits(&c, &(struct gate_config){ .listeners = listener,
                                                            .n_listeners = 1 },
                                 why, sizeof(why)));
    listener[1].half_close = true;
    refuses_listener();
    config();
    listener[1].http2 = true;
    refuses_listener();
    config();
    listener[1].proxy_protocol = true;
    refuses_listener();
    config();
    listener[1].tls = &(struct gate_tls_config){ .min_version = GATE_TLS_1_3 };
    refuses_listener();
    config();
    listener[1].mode = 0600;
    refuses_listener();
    config();
    listener[1].backlog = 1;
    refuses_listener();
    config();
    listener[1].trust.v = &other_block;
    refuses_listener();
    listener[1].trust.n = 0;
    refuses_listener();
    config();
    assert_int_equal(gate_addr_parse(GATE_STR("127.0.0.1:81"), &listener[1].addr), GATE_OK);
    refuses_listener();
    c = config();
    c.n_listeners = 2;
    assert_false(fits(&c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_limit_must_be_the_same),
        cmocka_unit_test(every_option_of_the_process_must_be_the_same),
        cmocka_unit_test(every_part_of_a_listener_must_be_the_same),
        cmocka_unit_test(every_part_of_tls_must_be_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
