/* Fields and the overlay of edits, against a plain model. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http/fields.h"

#define FIELD(n_, v_)                                                                              \
    {                                                                                              \
        .name = (n_), .value = (v_), .name_len = sizeof(n_) - 1, .value_len = sizeof(v_) - 1       \
    }

struct fixture {
    struct gate_field v[8];
    struct gate_fields fs;
    struct gate_headers h;
    struct gate_arena arena;
    char text[4096];
};

/* Host: a, X: 1, Cookie: c, x: 2, Cookie: d */
static void set_up(struct fixture *f)
{
    static const struct gate_field v[] = {
        FIELD("Host", "a"), FIELD("X", "1"),      FIELD("Cookie", "c"),
        FIELD("x", "2"),    FIELD("Cookie", "d"),
    };

    memset(f, 0, sizeof *f);
    gate_arena_init(&f->arena, NULL);
    f->fs.v = f->v;
    f->fs.n = f->fs.cap = 5;
    for (size_t i = 0; i < 5; i++) {
        f->v[i] = v[i];
        f->v[i].id = (uint16_t)gate_field_id_of(v[i].name, v[i].name_len);
        if (f->v[i].id != GATE_F_OTHER)
            f->fs.known |= GATE_F_BIT(f->v[i].id);
    }
    f->h.original = &f->fs;
    f->h.arena = &f->arena;
}

static const char *visible(struct fixture *f)
{
    struct gate_headers_cursor c = {0};
    const struct gate_field *v;
    char *to = f->text;

    *to = '\0';
    while ((v = gate_headers_next(&f->h, &c)) != NULL)
        to += sprintf(to, "%.*s=%.*s;", (int)v->name_len, v->name, (int)v->value_len, v->value);
    return f->text;
}

static bool has(struct fixture *f, const char *name, const char *value)
{
    struct gate_str v;

    if (!gate_headers_get(&f->h, gate_str_from_cstr(name), &v))
        return value == NULL;
    return value != NULL && gate_str_eq(v, gate_str_from_cstr(value));
}

static void set(struct fixture *f, const char *name, const char *value)
{
    assert_int_equal(gate_headers_set(&f->h, gate_str_from_cstr(name), gate_str_from_cstr(value)),
                     GATE_OK);
}

static void add(struct fixture *f, const char *name, const char *value)
{
    assert_int_equal(gate_headers_add(&f->h, gate_str_from_cstr(name), gate_str_from_cstr(value)),
                     GATE_OK);
}

static void take(struct fixture *f, const char *name)
{
    assert_int_equal(gate_headers_remove(&f->h, gate_str_from_cstr(name)), GATE_OK);
}

static void the_original(void **state)
{
    struct fixture f;
    struct gate_str v;

    (void)state;
    set_up(&f);
    assert_string_equal(visible(&f), "Host=a;X=1;Cookie=c;x=2;Cookie=d;");
    assert_true(has(&f, "hOST", "a") && has(&f, "x", "1") && has(&f, "cookie", "c"));
    assert_true(has(&f, "Y", NULL) && has(&f, "Accept", NULL) && has(&f, "", NULL));
    assert_true(gate_headers_get_id(&f.h, GATE_F_COOKIE, &v) && gate_str_eq(v, GATE_STR("c")));
    assert_false(gate_headers_get_id(&f.h, GATE_F_ACCEPT, &v));
    assert_ptr_equal(gate_fields_find(&f.fs, GATE_F_HOST), &f.v[0]);
    assert_null(gate_fields_find(&f.fs, GATE_F_ACCEPT));
    gate_arena_clear(&f.arena);
}

static void edits(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    set(&f, "x", "3");
    assert_string_equal(visible(&f), "Host=a;Cookie=c;Cookie=d;x=3;");
    assert_true(has(&f, "X", "3"));
    add(&f, "X", "4");
    add(&f, "cookie", "e");
    assert_string_equal(visible(&f), "Host=a;Cookie=c;Cookie=d;x=3;X=4;cookie=e;");
    assert_true(has(&f, "Cookie", "c"));
    take(&f, "COOKIE");
    assert_string_equal(visible(&f), "Host=a;x=3;X=4;");
    assert_true(has(&f, "Cookie", NULL));
    set(&f, "X", "5");
    assert_string_equal(visible(&f), "Host=a;X=5;");
    add(&f, "Cookie", "f");
    assert_true(has(&f, "cookie", "f"));
    assert_string_equal(visible(&f), "Host=a;X=5;Cookie=f;");
    take(&f, "X");
    take(&f, "X");
    take(&f, "Nobody");
    assert_string_equal(visible(&f), "Host=a;Cookie=f;");
    gate_arena_clear(&f.arena);
}

/* Added values keep their order also where places are used again. */
static void added_values_stay_in_order(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    add(&f, "Y", "1");
    add(&f, "Y", "2");
    take(&f, "Y");
    add(&f, "Y", "3");
    add(&f, "Y", "4");
    add(&f, "Y", "5");
    set(&f, "Y", "6");
    add(&f, "Y", "7");
    assert_string_equal(visible(&f), "Host=a;X=1;Cookie=c;x=2;Cookie=d;Y=6;Y=7;");
    gate_arena_clear(&f.arena);
}

static void values_are_copied_and_trimmed(void **state)
{
    struct fixture f;
    char name[] = "Y";
    char value[] = " \tv w\t ";

    (void)state;
    set_up(&f);
    set(&f, name, value);
    memset(name, '#', 1);
    memset(value, '#', 7);
    assert_true(has(&f, "Y", "v w"));
    set(&f, "Y", "");
    assert_true(has(&f, "Y", ""));
    gate_arena_clear(&f.arena);
}

/* A loop that sets and removes does not make the overlay grow. */
static void the_overlay_stays_small(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    for (int i = 0; i < 1000; i++) {
        set(&f, "Y", "1");
        add(&f, "Y", "2");
        take(&f, "Y");
        set(&f, "Accept", "1");
        take(&f, "X");
    }
    assert_in_range(f.h.overlay.n, 1, 4);
    gate_arena_clear(&f.arena);
}

static void without_an_original(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    f.h.original = NULL;
    take(&f, "A");
    set(&f, "B", "1");
    assert_string_equal(visible(&f), "B=1;");
    assert_true(has(&f, "b", "1") && has(&f, "Host", NULL));
    gate_arena_clear(&f.arena);
}

static void bad_names_and_values(void **state)
{
    static const char *const names[] = {"", "a b", "a:", "a\r\nb", "\xc3\xa9", "a\tb", "(a)"};
    static const char *const values[] = {"a\r\nb: c", "a\rb", "a\nb", "\x7f", "\x01"};
    struct fixture f;
    char big[70000];

    (void)state;
    set_up(&f);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct gate_str name = gate_str_from_cstr(names[i]);

        assert_false(gate_field_name_ok(name));
        assert_int_equal(gate_headers_set(&f.h, name, GATE_STR("v")), GATE_E_SYNTAX);
        assert_int_equal(gate_headers_add(&f.h, name, GATE_STR("v")), GATE_E_SYNTAX);
        assert_int_equal(gate_headers_remove(&f.h, name), GATE_E_SYNTAX);
    }
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct gate_str value = gate_str_from_cstr(values[i]);

        assert_false(gate_field_value_ok(value));
        assert_int_equal(gate_headers_set(&f.h, GATE_STR("X"), value), GATE_E_SYNTAX);
        assert_int_equal(gate_headers_add(&f.h, GATE_STR("X"), value), GATE_E_SYNTAX);
    }
    assert_false(gate_field_value_ok(gate_str_of("a\0b", 3)));
    assert_true(gate_field_value_ok(GATE_STR("\t caf\xc3\xa9 \xff~")));
    assert_true(gate_field_value_ok(GATE_STR_NONE));
    memset(big, 'a', sizeof big);
    assert_true(gate_field_name_ok(gate_str_of(big, 256)));
    assert_false(gate_field_name_ok(gate_str_of(big, 257)));
    assert_true(gate_field_value_ok(gate_str_of(big, 65536)));
    assert_false(gate_field_value_ok(gate_str_of(big, 65537)));
    assert_string_equal(visible(&f), "Host=a;X=1;Cookie=c;x=2;Cookie=d;");
    gate_arena_clear(&f.arena);
}

static void settable(void **state)
{
    static const struct {
        const char *name;
        bool request;
        bool response;
    } table[] = {
        {"X-Any", true, true},
        {"Content-Type", true, true},
        {"Set-Cookie", true, true},
        {"Content-Length", false, false},
        {"transfer-encoding", false, false},
        {"Connection", false, false},
        {"Keep-Alive", false, false},
        {"Upgrade", false, false},
        {"TE", false, false},
        {"Trailer", false, false},
        {"HTTP2-Settings", false, false},
        {"Host", false, true},
        {"Expect", false, true},
        {"Proxy", false, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct gate_str name = gate_str_from_cstr(table[i].name);

        for (int request = 0; request < 2; request++) {
            bool want = request ? table[i].request : table[i].response;
            const char *instead = NULL;

            assert_int_equal(gate_field_settable(gate_field_id_of(name.p, name.n), request, &instead), want);
            assert_true(want || instead != NULL);
        }
    }
}

/* Every byte at every place of names and values of all short lengths. */
static void short_words(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 20; n++)
        for (size_t at = 0; at < n; at++)
            for (int c = 0; c < 256; c++) {
                char word[20];
                bool token = c > 32 && c < 127 && strchr("\"(),/:;<=>?@[\\]{}", c) == NULL;
                bool text = c >= 32 ? c != 127 : c == '\t';

                memset(word, 'x', n);
                word[at] = (char)c;
                assert_int_equal(gate_field_name_ok(gate_str_of(word, n)), token);
                assert_int_equal(gate_field_value_ok(gate_str_of(word, n)), text);
            }
}

/* A name finds a field when they differ in the case of letters at most, whatever their length. */
static void other_names(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 20; n++)
        for (size_t at = 0; at < n; at++)
            for (int c = 0; c < 256; c++) {
                char stored[20], asked[20];
                struct gate_field one = {.name = stored, .value = "v", .name_len = (uint16_t)n,
                                         .id = GATE_F_OTHER, .value_len = 1};
                struct gate_fields fs = {.v = &one, .n = 1, .cap = 1};
                struct gate_headers h = {.original = &fs};
                struct gate_str v;

                memset(stored, 'z', n);
                memset(asked, 'Z', n);
                stored[at] = "a-^Q0"[c % 5];
                asked[at] = (char)c;
                if (gate_field_id_of(asked, n) != GATE_F_OTHER)
                    continue;
                assert_int_equal(gate_headers_get(&h, gate_str_of(asked, n), &v),
                                 gate_lower((char)c) == gate_lower(stored[at]));
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_original),
        cmocka_unit_test(short_words),
        cmocka_unit_test(other_names),
        cmocka_unit_test(edits),
        cmocka_unit_test(added_values_stay_in_order),
        cmocka_unit_test(values_are_copied_and_trimmed),
        cmocka_unit_test(the_overlay_stays_small),
        cmocka_unit_test(without_an_original),
        cmocka_unit_test(bad_names_and_values),
        cmocka_unit_test(settable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
