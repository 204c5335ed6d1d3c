/* Keys of WebSocket's handshake: the example of RFC 6455, and what is no key or no answer to it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/assert.h"
#include "http/websocket.h"

static const struct gate_str sample = GATE_STR("dGhlIHNhbXBsZSBub25jZQ==");
static const struct gate_str answer = GATE_STR("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");

static void the_answer_is_that_of_the_standard(void **state)
{
    char accept[GATE_WEBSOCKET_ACCEPT];

    (void)state;
    gate_websocket_accept(sample, accept);
    assert_true(gate_str_eq(gate_str_of(accept, sizeof(accept)), answer));
}

static void keys_are_new_each_time(void **state)
{
    char a[GATE_WEBSOCKET_KEY];
    char b[GATE_WEBSOCKET_KEY];

    (void)state;
    gate_websocket_key(a);
    gate_websocket_key(b);
    assert_true(gate_websocket_key_ok(gate_str_of(a, sizeof(a))));
    assert_true(gate_websocket_key_ok(gate_str_of(b, sizeof(b))));
    assert_memory_not_equal(a, b, sizeof(a));
}

static void keys_are_16_bytes_in_base64(void **state)
{
    static const struct gate_str bad[] = {
        GATE_STR(""),
        GATE_STR("dGhlIHNhbXBsZSBub25jZQ="),
        GATE_STR("dGhlIHNhbXBsZSBub25jZQ==="),
        GATE_STR("dGhlIHNhbXBsZSBub25jZQ=A"),
        GATE_STR("dGhlIHNhbXBsZSBub25j-Q=="),
        GATE_STR("dGhlIHNhbXBsZSBub25j\0Q=="),
        GATE_STR("dGhlIHNhbXBsZSBub25jZWFh"),
        GATE_STR("=GhlIHNhbXBsZSBub25jZQ=="),
    };

    (void)state;
    assert_true(gate_websocket_key_ok(sample));
    for (size_t i = 0; i < GATE_COUNT_OF(bad); i++)
        assert_false(gate_websocket_key_ok(bad[i]));
}

static struct gate_field field(const char *name, struct gate_str value)
{
    return (struct gate_field){name, value.p, (uint16_t)strlen(name), GATE_F_OTHER,
                               (uint32_t)value.n};
}

static bool accepted(struct gate_str key, struct gate_field *v, uint32_t n)
{
    struct gate_fields fs = {.v = v, .n = n};

    return gate_websocket_accepted(key, &fs);
}

static void one_field_accepts_and_says_it_right(void **state)
{
    struct gate_field good = field("SEC-websocket-ACCEPT", answer);
    struct gate_field bad = field("sec-websocket-accept", GATE_STR("S3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    struct gate_field other = field("x-websocket-accept", answer);
    struct gate_field right[] = {other, good};
    struct gate_field twice[] = {good, good};
    struct gate_field both[] = {good, bad};

    (void)state;
    assert_true(accepted(sample, right, 2));
    assert_false(accepted(sample, &bad, 1));
    assert_false(accepted(sample, &other, 1));
    assert_false(accepted(sample, twice, 2));
    assert_false(accepted(sample, both, 2));
    assert_false(accepted(sample, NULL, 0));
    assert_false(accepted(GATE_STR("short"), &good, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_is_that_of_the_standard),
        cmocka_unit_test(keys_are_new_each_time),
        cmocka_unit_test(keys_are_16_bytes_in_base64),
        cmocka_unit_test(one_field_accepts_and_says_it_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
