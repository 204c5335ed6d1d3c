/* Calls, deadlines and statuses, by gRPC's own tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http/grpc.h"

static void knows_calls(void **state)
{
    static const char *const calls[] = {
        "application/grpc", "application/grpc+proto", "application/grpc+json",
        "Application/GRPC", "application/grpc;charset=utf-8",
    };
    static const char *const others[] = {
        "",
        "application/grp",
        "application/grpc-web",
        "application/grpc-web+proto",
        "application/grpcx",
        "text/application/grpc",
        "application/json",
        "application/json;charset=utf-8",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        assert_true(gate_grpc_is(gate_str_from_cstr(calls[i])));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(gate_grpc_is(gate_str_from_cstr(others[i])));
    assert_false(gate_grpc_is(GATE_STR_NONE));
}

static void reads_deadlines(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {
        {"1H", 3600000},  {"2M", 120000}, {"3S", 3000},  {"250m", 250},     {"1u", 1},
        {"1000u", 1},     {"1001u", 2},   {"1n", 1},     {"99999999n", 100}, {"0S", 0},
        {"00000010S", 10000}, {"99999999H", 359999996400000},
    };
    static const char *const bad[] = {
        "", "S", "1", "10", "1s", "1h", "1x", "-1S", "+1S", "1.5S", " 1S", "1S ", "123456789S",
        "1 S", "0x1S",
    };
    uint64_t ms = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(gate_grpc_timeout(gate_str_from_cstr(good[i].text), &ms));
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(gate_grpc_timeout(gate_str_from_cstr(bad[i]), &ms));
}

static void maps_statuses(void **state)
{
    static const int table[][2] = {
        {400, 13}, {401, 16}, {403, 7},  {404, 12}, {429, 14}, {502, 14}, {503, 14},
        {504, 14}, {200, 2},  {302, 2},  {405, 2},  {408, 2},  {413, 2},  {500, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_int_equal(gate_grpc_of_status(table[i][0]), table[i][1]);
}

static void maps_resets(void **state)
{
    /* NO_ERROR .. INADEQUATE_SECURITY, HTTP_1_1_REQUIRED */
    static const int codes[] = {13, 13, 13, 13, 13, 13, 13, 14, 1, 13, 13, 8, 7, 13};

    (void)state;
    for (uint32_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        assert_int_equal(gate_grpc_of_reset(i), codes[i]);
}

static void says(struct gate_arena *arena, const char *text, const char *want)
{
    struct gate_str got = gate_grpc_message(gate_str_from_cstr(text), arena);

    assert_int_equal(got.n, strlen(want));
    assert_memory_equal(got.p == NULL ? "" : got.p, want, got.n);
}

static void encodes_messages(void **state)
{
    struct gate_arena memory;
    struct gate_arena *arena = &memory;

    (void)state;
    gate_arena_init(arena, NULL);
    says(arena, "plain text, 1 line", "plain text, 1 line");
    says(arena, "who are you?\n", "who are you?");
    says(arena, "\t\n a\tb \r\n", "a%09b");
    says(arena, "100%", "100%25");
    says(arena, "\xe2\x98\xba", "%E2%98%BA");
    says(arena, "\x7f", "%7F");
    says(arena, "", "");
    says(arena, " \n", "");
    gate_arena_clear(arena);
}

/* 1023 bytes and a character of three, which would not fit whole. */
static void cuts_messages(void **state)
{
    struct gate_arena arena;
    char text[2000];
    struct gate_str got;

    (void)state;
    gate_arena_init(&arena, NULL);
    memset(text, 'a', sizeof(text));
    got = gate_grpc_message(gate_str_of(text, sizeof(text)), &arena);
    assert_int_equal(got.n, 1024);
    memcpy(text + 1023, "\xe2\x98\xba", 3);
    got = gate_grpc_message(gate_str_of(text, sizeof(text)), &arena);
    assert_int_equal(got.n, 1023);
    gate_arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_calls),      cmocka_unit_test(reads_deadlines),
        cmocka_unit_test(maps_statuses),    cmocka_unit_test(maps_resets),
        cmocka_unit_test(encodes_messages), cmocka_unit_test(cuts_messages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
