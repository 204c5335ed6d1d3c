/* Canonical targets: RFC 3986 section 6.2.2, and what attackers make of paths. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http/target.h"

static const struct gate_head_limits merge = {.merge_slashes = true};
static const struct gate_head_limits strict = {.encoded_slash_reject = true};

/* A view that ends with its memory. */
static struct gate_str exact(const char *z, struct gate_arena *arena)
{
    size_t n = strlen(z);
    char *p = malloc(n == 0 ? 1 : n);

    assert_non_null(p);
    memcpy(p, z, n);
    gate_arena_on_clear(arena, free, p);
    return gate_str_of(p, n);
}

static bool same(struct gate_str s, const char *z)
{
    bool eq = gate_str_eq(s, gate_str_from_cstr(z));

    if (!eq)
        print_error("\"%.*s\" is not \"%s\"\n", (int)s.n, s.p, z);
    return eq;
}

static const struct {
    const char *raw;
    const char *canonical; /* NULL: refused */
    const char *text;      /* NULL: the same */
} paths[] = {
    {"/", "/", NULL},
    {"/a/b.c/d-e_f~g", "/a/b.c/d-e_f~g", NULL},
    {"/a/", "/a/", NULL},
    {"/!$&'()*+,;=:@", "/!$&'()*+,;=:@", NULL},
    {"/..;/a", "/..;/a", NULL},
    {"/account;a.css", "/account;a.css", NULL},
    {"/...", "/...", NULL},
    {"/.a/..b/c.", "/.a/..b/c.", NULL},
    /* Escapes. */
    {"/%61%2D%7e%5F%2e", "/a-~_.", NULL},
    {"/%c3%A9", "/%C3%A9", "/\xc3\xa9"},
    {"/a%20b", "/a%20b", "/a b"},
    {"/%3f%23%3b%21", "/%3F%23%3B%21", "/?#;!"},
    {"/a%2fb", "/a%2Fb", "/a%2Fb"},
    {"/a%25b", "/a%25b", "/a%25b"},
    {"/%2525", "/%2525", "/%2525"},
    {"/pub/%252e%252e/admin", "/pub/%252e%252e/admin", "/pub/%252e%252e/admin"},
    {"/pub/..%2fadmin", "/pub/..%2Fadmin", "/pub/..%2Fadmin"},
    {"/[a]", "/%5Ba%5D", "/[a]"},
    {"/\"<>^`{|}", "/%22%3C%3E%5E%60%7B%7C%7D", "/\"<>^`{|}"},
    /* Dot segments. */
    {"/pub/../admin", "/admin", NULL},
    {"/pub/%2e%2e/admin", "/admin", NULL},
    {"/pub/.%2E/admin", "/admin", NULL},
    {"/a/b/..", "/a/", NULL},
    {"/a/..", "/", NULL},
    {"/a/../", "/", NULL},
    {"/a/.", "/a/", NULL},
    {"/.", "/", NULL},
    {"/./", "/", NULL},
    {"/%2e", "/", NULL},
    {"/a/./b/../c/%2e/d", "/a/c/d", NULL},
    {"/a%20b/../c", "/c", NULL},
    {"/x/a%2fb/../c", "/x/c", NULL},
    {"/a/b/c/../../..", "/", NULL},
    /* Slashes. */
    {"//admin", "/admin", NULL},
    {"///a//b///", "/a/b/", NULL},
    {"/a//../b", "/b", NULL},
    {"/a/.//b", "/a/b", NULL},
    {"/a/b/..//c", "/a/c", NULL},
    /* Refused. */
    {"", NULL, NULL},
    {"a", NULL, NULL},
    {"*", NULL, NULL},
    {"/..", NULL, NULL},
    {"/../../etc/passwd", NULL, NULL},
    {"/a/../..", NULL, NULL},
    {"/a/../../b", NULL, NULL},
    {"/%2e%2e/a", NULL, NULL},
    {"//..", NULL, NULL},
    {"/.//..", NULL, NULL},
    {"/a\\b", NULL, NULL},
    {"/pub\\..\\admin", NULL, NULL},
    {"/a%5cb", NULL, NULL},
    {"/a%5Cb", NULL, NULL},
    {"/pub/%00/admin", NULL, NULL},
    {"/account%0Aa.css", NULL, NULL},
    {"/%1f", NULL, NULL},
    {"/%7F", NULL, NULL},
    {"/%zz", NULL, NULL},
    {"/%4", NULL, NULL},
    {"/%4g", NULL, NULL},
    {"/%", NULL, NULL},
    {"/%%41", NULL, NULL},
    {"/a#b", NULL, NULL},
    {"/a?b", NULL, NULL},
    {"/a b", NULL, NULL},
    {"/\xc3\xa9", NULL, NULL},
    {"/\t", NULL, NULL},
    {"/\x7f", NULL, NULL},
};

static void canonical_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct gate_str canonical, text, again, again_text;
        struct gate_arena arena;
        struct gate_refusal no;

        gate_arena_init(&arena, NULL);
        no = gate_target_path(exact(paths[i].raw, &arena), &merge, &arena, &canonical, &text);
        if ((no.status == 0) != (paths[i].canonical != NULL))
            print_error("%s\n", paths[i].raw);
        assert_int_equal(no.status, paths[i].canonical == NULL ? 400 : 0);
        if (no.status == 0) {
            assert_true(same(canonical, paths[i].canonical));
            assert_true(same(text, paths[i].text == NULL ? paths[i].canonical : paths[i].text));
            /* The canonical form of the canonical form is itself, also without options. */
            no = gate_target_path(canonical, &(struct gate_head_limits){0}, &arena, &again,
                                  &again_text);
            assert_int_equal(no.status, 0);
            assert_true(gate_str_eq(again, canonical) && gate_str_eq(again_text, text));
        }
        gate_arena_clear(&arena);
    }
}

static void options(void **state)
{
    static const struct {
        const char *raw;
        int status;
    } table[] = {
        {"/a/b", 0},     {"/a/", 0},      {"/a/./b", 0}, {"/a/../b", 0},
        {"//a", 400},    {"/a//b", 400},  {"/a//", 400}, {"/a/.//b", 400},
        {"/a%2fb", 400}, {"/a%2Fb", 400}, {"/a%25b", 0},
    };
    struct gate_arena arena;

    (void)state;
    gate_arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct gate_str canonical, text;

        assert_int_equal(
            gate_target_path(exact(table[i].raw, &arena), &strict, &arena, &canonical, &text)
                .status,
            table[i].status);
    }
    gate_arena_clear(&arena);
}

/* A canonical path is a view into what was given. */
static void no_copy_without_need(void **state)
{
    struct gate_str raw = GATE_STR("/a/b.c");
    struct gate_str canonical, text;
    struct gate_arena arena;

    (void)state;
    gate_arena_init(&arena, NULL);
    gate_target_path(raw, &merge, &arena, &canonical, &text);
    assert_ptr_equal(canonical.p, raw.p);
    assert_ptr_equal(text.p, raw.p);
    assert_int_equal(arena.bytes, 0);
    gate_arena_clear(&arena);
}

static void encoded_texts(void **state)
{
    static const struct {
        const char *text;
        const char *canonical;
        const char *canonical_text; /* NULL: as given */
    } table[] = {
        {"/", "/", NULL},
        {"/a b/\xc3\xa9", "/a%20b/%C3%A9", NULL},
        {"/100%", "/100%25", "/100%25"},
        {"/%41", "/%2541", "/%2541"},
        {"/a%2fb%2Fc%25d", "/a%2Fb%2Fc%25d", "/a%2Fb%2Fc%25d"},
        {"/a?b#c", "/a%3Fb%23c", NULL},
        {"/a/../b/./c", "/b/c", "/b/c"},
        {"/a//b", "/a/b", "/a/b"},
        {"/[x]|\"", "/%5Bx%5D%7C%22", NULL},
        {"/%", "/%25", "/%25"},
        {"/%2", "/%252", "/%252"},
        {"/%2G", "/%252G", "/%252G"},
        {"/a/../../b", NULL, NULL},
        {"/../b", NULL, NULL},
        {"", NULL, NULL},
        {"a", NULL, NULL},
        {"/..", NULL, NULL},
        {"/a\r\nb", NULL, NULL},
        {"/\x7f", NULL, NULL},
        {"/a\\b", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct gate_str canonical, text, again, again_text;
        struct gate_arena arena;
        struct gate_refusal no;

        gate_arena_init(&arena, NULL);
        no = gate_target_encode(exact(table[i].text, &arena), &arena, &canonical, &text);
        assert_int_equal(no.status, table[i].canonical == NULL ? 400 : 0);
        if (no.status == 0) {
            const char *want = table[i].canonical_text;

            assert_true(same(canonical, table[i].canonical));
            assert_true(same(text, want == NULL ? table[i].text : want));
            /* What is set reads back the same, and is what a request with it would give. */
            assert_int_equal(gate_target_encode(text, &arena, &again, &again_text).status, 0);
            assert_true(gate_str_eq(again, canonical) && gate_str_eq(again_text, text));
            assert_int_equal(
                gate_target_path(canonical, &merge, &arena, &again, &again_text).status, 0);
            assert_true(gate_str_eq(again, canonical) && gate_str_eq(again_text, text));
        }
        gate_arena_clear(&arena);
    }
}

static void queries(void **state)
{
    (void)state;
    assert_true(gate_target_query_ok(GATE_STR_NONE));
    assert_true(gate_target_query_ok(GATE_STR("a=1&b=%20&c=%zz&/?:@!$&'()*+,;=-._~")));
    assert_true(gate_target_query_ok(GATE_STR("|^{}[]\"<>`")));
    assert_false(gate_target_query_ok(GATE_STR("a#b")));
    assert_false(gate_target_query_ok(GATE_STR("a b")));
    assert_false(gate_target_query_ok(GATE_STR("a\\b")));
    assert_false(gate_target_query_ok(GATE_STR("\x7f")));
    assert_false(gate_target_query_ok(GATE_STR("\xc3\xa9")));
    assert_false(gate_target_query_ok(GATE_STR("a\r\n")));
    assert_false(gate_target_query_ok(gate_str_of("\0", 1)));
}

static void authorities(void **state)
{
    static const struct {
        const char *text;
        const char *host; /* NULL: refused */
        uint16_t port;
    } table[] = {
        {"a", "a", 0},
        {"Example.TEST", "example.test", 0},
        {"example.test.:80", "example.test", 80},
        {"A.TEST.", "a.test", 0},
        {".", ".", 0},
        {"a_b-c~d:65535", "a_b-c~d", 65535},
        {"127.0.0.1:1", "127.0.0.1", 1},
        {"[::1]", "[::1]", 0},
        {"[2001:DB8::A]:8080", "[2001:db8::a]", 8080},
        {"[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]", 0},
        {"", NULL, 0},
        {":80", NULL, 0},
        {"a:", NULL, 0},
        {"a:0", NULL, 0},
        {"a:080", NULL, 0},
        {"a:65536", NULL, 0},
        {"a:4294967376", NULL, 0}, /* 80 beyond 32 bits */
        {"a:99999x", NULL, 0},
        {"a:1:2", NULL, 0},
        {"a:+1", NULL, 0},
        {"a b", NULL, 0},
        {"a,b", NULL, 0},
        {"a@b", NULL, 0},
        {"a/b", NULL, 0},
        {"a?b", NULL, 0},
        {"a#b", NULL, 0},
        {"a\\b", NULL, 0},
        {"a%41", NULL, 0},
        {"a\tb", NULL, 0},
        {"\xc3\xa9", NULL, 0},
        {"::1", NULL, 0},
        {"[::1", NULL, 0},
        {"[]", NULL, 0},
        {"[1.2.3.4]", NULL, 0},
        {"[fe80::1%25eth0]", NULL, 0},
        {"[v1.x]", NULL, 0},
        {"[::1]x", NULL, 0},
        {"[::1]80", NULL, 0},
        {"[00000000000000000000000000000000000000000000000::1]", NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct gate_arena arena;
        struct gate_str host;
        uint16_t port;
        bool ok;

        gate_arena_init(&arena, NULL);
        ok = gate_target_authority(exact(table[i].text, &arena), &arena, &host, &port);
        if (ok != (table[i].host != NULL))
            print_error("%s\n", table[i].text);
        assert_int_equal(ok, table[i].host != NULL);
        if (ok) {
            assert_true(same(host, table[i].host));
            assert_int_equal(port, table[i].port);
        }
        gate_arena_clear(&arena);
    }
}

static void forms(void **state)
{
    struct gate_arena arena;

    (void)state;
    gate_arena_init(&arena, NULL);
    assert_true(
        same(gate_target_form_decode(exact("a+b%20c%zz%4%", &arena), &arena), "a b c%zz%4%"));
    assert_true(same(gate_target_form_decode(exact("", &arena), &arena), ""));
    assert_true(same(gate_target_form_decode(exact("abc", &arena), &arena), "abc"));
    assert_true(same(gate_target_form_decode(exact("a+b", &arena), &arena), "a b"));
    assert_true(same(gate_target_form_decode(exact("%4g%41", &arena), &arena), "%4gA"));
    assert_true(same(gate_target_form_decode(exact("%c3%A9", &arena), &arena), "\xc3\xa9"));
    gate_arena_clear(&arena);
}

static void args(void **state)
{
    struct gate_str rest = GATE_STR("a=1&b&&c==2&=d&e=");
    static const char *const want[][2] = {
        {"a", "1"}, {"b", ""}, {"c", "=2"}, {"", "d"}, {"e", ""},
    };
    struct gate_str name, value;

    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        assert_true(gate_target_next_arg(&rest, &name, &value));
        assert_true(same(name, want[i][0]) && same(value, want[i][1]));
    }
    assert_false(gate_target_next_arg(&rest, &name, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_paths),
        cmocka_unit_test(options),
        cmocka_unit_test(no_copy_without_need),
        cmocka_unit_test(encoded_texts),
        cmocka_unit_test(queries),
        cmocka_unit_test(authorities),
        cmocka_unit_test(forms),
        cmocka_unit_test(args),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
