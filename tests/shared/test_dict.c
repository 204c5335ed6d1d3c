/* Dictionaries: what each operation answers, time, room, and a long run against a simple model. */
/* covers: shared/shard.c shared/shard_read.c shared/shard_write.c shared/order.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/dict_case.h"

static int setup(void **state)
{
    return dict_case_open(state, 64 * 1024);
}

static void values_come_back(void **state)
{
    struct dict_case *c = *state;
    char text[3000];

    assert_int_equal(dict_get(c, "x").kind, GATE_DICT_NONE);
    assert_int_equal(dict_set(c, "n", dict_number(1.5), UINT64_MAX), GATE_OK);
    assert_int_equal(dict_set(c, "t", dict_bool(true), UINT64_MAX), GATE_OK);
    assert_int_equal(dict_set(c, "f", dict_bool(false), UINT64_MAX), GATE_OK);
    assert_int_equal(dict_set(c, "", dict_text("empty"), UINT64_MAX), GATE_OK);
    assert_true(dict_get(c, "n").number == 1.5);
    assert_int_equal(dict_get(c, "t").kind, GATE_DICT_TRUE);
    assert_int_equal(dict_get(c, "f").kind, GATE_DICT_FALSE);
    assert_true(dict_is_text(c, "", "empty"));
    for (size_t n = 0; n < sizeof(text); n += n < 40 ? 1 : 371) {
        memset(text, 'a' + (int)(n % 26), n);
        text[n] = '\0';
        assert_int_equal(dict_set(c, "s", dict_text(text), UINT64_MAX), GATE_OK);
        assert_true(dict_is_text(c, "s", text));
    }
    assert_true(dict_is_text(c, "", "empty"));
}

/* Keys of all lengths around whole words, which differ in one byte only. */
static void keys_are_told_apart(void **state)
{
    struct dict_case *c = *state;
    char key[64];

    for (size_t n = 1; n < 40; n++) {
        memset(key, 'k', n);
        key[n] = '\0';
        assert_int_equal(dict_set(c, key, dict_number((double)n), UINT64_MAX), GATE_OK);
        key[n - 1] = 'l';
        assert_int_equal(dict_get(c, key).kind, GATE_DICT_NONE);
        assert_int_equal(dict_set(c, key, dict_number(-(double)n), UINT64_MAX), GATE_OK);
    }
    for (size_t n = 1; n < 40; n++) {
        memset(key, 'k', n);
        key[n] = '\0';
        assert_true(dict_get(c, key).number == (double)n);
        key[n - 1] = 'l';
        assert_true(dict_get(c, key).number == -(double)n);
    }
}

static void add_replace_and_delete_look_first(void **state)
{
    struct dict_case *c = *state;

    assert_int_equal(dict_put(c, GATE_DICT_REPLACE, "k", dict_number(1), UINT64_MAX),
                     GATE_E_NOTFOUND);
    assert_int_equal(dict_put(c, GATE_DICT_ADD, "k", dict_number(2), 10), GATE_OK);
    assert_int_equal(dict_put(c, GATE_DICT_ADD, "k", dict_number(3), UINT64_MAX), GATE_E_EXISTS);
    assert_true(dict_get(c, "k").number == 2);
    assert_int_equal(dict_put(c, GATE_DICT_REPLACE, "k", dict_number(4), 10), GATE_OK);
    assert_true(dict_get(c, "k").number == 4);
    c->now += 10;
    assert_int_equal(dict_put(c, GATE_DICT_REPLACE, "k", dict_number(5), 10), GATE_E_NOTFOUND);
    assert_int_equal(dict_put(c, GATE_DICT_ADD, "k", dict_number(6), 10), GATE_OK);
    assert_true(dict_delete(c, "k"));
    assert_false(dict_delete(c, "k"));
    assert_int_equal(dict_set(c, "k", dict_number(7), 10), GATE_OK);
    c->now += 10;
    assert_false(dict_delete(c, "k"));
}

static void incr_makes_a_key_only_when_told(void **state)
{
    struct dict_case *c = *state;
    double sum = 0;

    assert_int_equal(dict_incr(c, "n", 2, NAN, 10, &sum), GATE_E_NOTFOUND);
    assert_int_equal(dict_incr(c, "n", 2, 5, 10, &sum), GATE_OK);
    assert_true(sum == 7);
    c->now += 5;
    /* The ttl stays that of the making. */
    assert_int_equal(dict_incr(c, "n", -3, 5, 100, &sum), GATE_OK);
    assert_true(sum == 4);
    assert_int_equal(dict_until(c, "n"), c->now + 5);
    c->now += 5;
    assert_int_equal(dict_incr(c, "n", 2, 5, UINT64_MAX, &sum), GATE_OK);
    assert_true(sum == 7);
    assert_true(dict_until(c, "n") == UINT64_MAX);
    assert_int_equal(dict_set(c, "n", dict_text("7"), UINT64_MAX), GATE_OK);
    assert_int_equal(dict_incr(c, "n", 1, 0, UINT64_MAX, &sum), GATE_E_INVALID);
    assert_true(dict_is_text(c, "n", "7"));
}

static void cas_compares_and_keeps_the_ttl(void **state)
{
    struct dict_case *c = *state;
    struct gate_dict_value none = { .kind = GATE_DICT_NONE };

    assert_int_equal(dict_cas(c, "k", dict_number(1), dict_number(2)), GATE_E_NOTFOUND);
    assert_int_equal(dict_cas(c, "k", none, dict_text("one")), GATE_OK);
    assert_int_equal(dict_cas(c, "k", none, dict_text("two")), GATE_E_NOTFOUND);
    assert_int_equal(dict_cas(c, "k", dict_text("onE"), dict_text("two")), GATE_E_NOTFOUND);
    assert_int_equal(dict_cas(c, "k", dict_text("one"), dict_bool(true)), GATE_OK);
    assert_int_equal(dict_cas(c, "k", dict_bool(false), dict_number(1)), GATE_E_NOTFOUND);
    assert_int_equal(dict_set(c, "k", dict_bool(true), 50), GATE_OK);
    assert_int_equal(dict_cas(c, "k", dict_bool(true), dict_number(1)), GATE_OK);
    assert_int_equal(dict_until(c, "k"), c->now + 50);
    c->now += 50;
    assert_int_equal(dict_cas(c, "k", dict_number(1), dict_number(2)), GATE_E_NOTFOUND);
}

static void a_key_ends_in_time(void **state)
{
    struct dict_case *c = *state;

    assert_int_equal(dict_until(c, "k"), 0);
    assert_int_equal(dict_set(c, "k", dict_number(1), 100), GATE_OK);
    assert_int_equal(dict_until(c, "k"), c->now + 100);
    c->now += 99;
    assert_int_equal(dict_get(c, "k").kind, GATE_DICT_NUMBER);
    c->now += 1;
    assert_int_equal(dict_get(c, "k").kind, GATE_DICT_NONE);
    assert_int_equal(dict_until(c, "k"), 0);
    assert_int_equal(dict_set(c, "k", dict_number(1), 0), GATE_OK);
    assert_int_equal(dict_get(c, "k").kind, GATE_DICT_NONE);
    /* A set without an end takes it away. */
    assert_int_equal(dict_set(c, "k", dict_number(1), 100), GATE_OK);
    assert_int_equal(dict_set(c, "k", dict_number(2), UINT64_MAX), GATE_OK);
    c->now += 1000;
    assert_true(dict_get(c, "k").number == 2);
}

/* What was read is known to hold as long as nobody changes anything. */
static void a_read_says_how_long_it_holds(void **state)
{
    struct dict_case *c = *state;
    struct gate_dict_key k = dict_key(c, "k");
    struct gate_dict_seen seen;
    struct gate_dict_value v;

    assert_int_equal(dict_set(c, "k", dict_number(1), 100), GATE_OK);
    gate_dict_get(c->d, &k, c->now, &c->b, &v, &seen);
    assert_int_equal(seen.until_ns, c->now + 100);
    dict_get(c, "k");
    dict_get(c, "other");
    assert_int_equal(*seen.at, seen.seq);
    assert_int_equal(dict_set(c, "k", dict_number(2), 100), GATE_OK);
    assert_int_not_equal(*seen.at, seen.seq);
}

/* Whoever ends first goes first, in whatever order they came; what never ends stays. */
static void a_full_one_lets_those_go_that_end_first(void **state)
{
    struct dict_case *c = *state;
    char key[16];
    int n = 0, last = -1;

    assert_int_equal(dict_set(c, "stays", dict_number(1), UINT64_MAX), GATE_OK);
    for (n = 0; dict_numbers(c).evictions == 0; n++) {
        snprintf(key, sizeof(key), "k%d", n);
        assert_int_equal(dict_set(c, key, dict_number(n), 1000 + (uint64_t)n * 7919 % 1009),
                         GATE_OK);
    }
    for (int i = 0; i < 100; i++, n++) {
        snprintf(key, sizeof(key), "k%d", n);
        assert_int_equal(dict_set(c, key, dict_number(n), 5000), GATE_OK);
    }
    assert_int_equal(dict_numbers(c).evictions, 101);
    for (int order = 0; order < 1009; order++) {
        for (int i = 0; i < n - 100; i++) {
            if (i * 7919 % 1009 != order)
                continue;
            snprintf(key, sizeof(key), "k%d", i);
            /* From the first that is there on all are there. */
            if (dict_get(c, key).kind == GATE_DICT_NONE)
                assert_int_equal(last, -1);
            else
                last = order;
        }
    }
    assert_true(last >= 0);
    assert_true(dict_get(c, "stays").number == 1);
}

static void a_full_one_says_so(void **state)
{
    struct dict_case *c = *state;
    char key[16], text[200];
    int n = 0;
    double sum;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (;; n++) {
        snprintf(key, sizeof(key), "k%d", n);
        if (dict_set(c, key, dict_text(text), UINT64_MAX) != GATE_OK)
            break;
    }
    assert_true(n > 100);
    assert_int_equal(dict_set(c, "new", dict_text(text), UINT64_MAX), GATE_E_LIMIT);
    for (int i = 0; dict_incr(c, key, 1, 0, UINT64_MAX, &sum) == GATE_OK; i++)
        snprintf(key, sizeof(key), "n%d", i);
    /* What is there can change, grow only if there is room, and shrink. */
    assert_int_equal(dict_set(c, "k1", dict_number(5), UINT64_MAX), GATE_OK);
    assert_true(dict_get(c, "k1").number == 5);
    text[100] = '\0';
    assert_int_equal(dict_set(c, "k2", dict_text(text), UINT64_MAX), GATE_OK);
    assert_true(dict_is_text(c, "k2", text));
    assert_int_equal(dict_numbers(c).evictions, 0);
    assert_true(dict_get(c, "k0").kind == GATE_DICT_STRING);
    assert_true(dict_delete(c, "k0"));
    assert_int_equal(dict_set(c, "new", dict_number(1), UINT64_MAX), GATE_OK);
}

/* One large value, many small ones that have to go: in slices. */
static void much_room_is_made_in_slices(void **state)
{
    struct dict_case *c = *state;
    uint32_t max = gate_dict_value_max(c->d);
    char *text = malloc(max + 2);
    char key[16];
    int calls = 0;
    enum gate_err err;

    memset(text, 'x', max + 1);
    text[max + 1] = '\0';
    for (int i = 0; dict_numbers(c).evictions == 0; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(dict_set(c, key, dict_number(i), 1000), GATE_OK);
    }
    assert_int_equal(dict_set(c, "big", dict_text(text), UINT64_MAX), GATE_E_LIMIT);
    assert_int_equal(dict_numbers(c).evictions, 1);
    text[max] = '\0';
    while ((err = dict_set(c, "big", dict_text(text), UINT64_MAX)) == GATE_E_AGAIN)
        calls++;
    assert_int_equal(err, GATE_OK);
    assert_true(calls > 1);
    assert_true(dict_is_text(c, "big", text));
    free(text);
}

/* What has ended makes room, and is no eviction. */
static void what_has_ended_goes_by_itself(void **state)
{
    struct dict_case *c = *state;
    char key[16];

    for (int i = 0; i < 20000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(dict_set(c, key, dict_number(i), 50), GATE_OK);
        c->now++;
    }
    assert_int_equal(dict_numbers(c).evictions, 0);
    assert_true(dict_numbers(c).entries <= 60);
}

static void a_walk_sees_every_key(void **state)
{
    struct dict_case *c = *state;
    struct gate_dict_walk w = { 0 };
    struct gate_dict_buffer b = { 0 };
    uint8_t seen[500] = { 0 };
    struct gate_str key;
    char text[16];
    enum gate_err err;
    int n = 0;

    for (int i = 0; i < 500; i++) {
        snprintf(text, sizeof(text), "%d", i);
        assert_int_equal(dict_set(c, text, dict_number(i), i % 2 ? UINT64_MAX : 5), GATE_OK);
    }
    c->now += 5;
    while ((err = gate_dict_walk(c->d, &w, c->now, &b, &key)) != GATE_E_EOF) {
        if (err == GATE_E_AGAIN)
            continue;
        snprintf(text, sizeof(text), "%.*s", (int)key.n, key.p);
        seen[atoi(text)]++;
        n++;
    }
    assert_int_equal(n, 250);
    for (int i = 0; i < 500; i++)
        assert_int_equal(seen[i], i % 2);
    gate_dict_buffer_fini(&b);
}

static void a_flush_leaves_nothing(void **state)
{
    struct dict_case *c = *state;
    uint32_t at = 0;
    char key[16];

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 300; i++) {
            snprintf(key, sizeof(key), "%d", i);
            assert_int_equal(dict_set(c, key, dict_number(i), 1 + (uint64_t)i), GATE_OK);
        }
        for (at = 0; gate_dict_flush(c->d, &at);)
            ;
        assert_int_equal(dict_numbers(c).entries, 0);
        assert_int_equal(dict_numbers(c).used, 0);
        assert_int_equal(dict_get(c, "7").kind, GATE_DICT_NONE);
    }
}

/* Random operations beside an array that does the same the simple way. */
#define MODEL_KEYS 400

struct model {
    bool there;
    uint64_t until;
    double number;
    int length; /* of a string; -1: a number */
};

static void model_check(struct dict_case *c, const struct model *m, int i, char *key)
{
    struct gate_dict_value v;
    bool there = m->there && m->until > c->now;

    snprintf(key, 32, "model key %d", i);
    v = dict_get(c, key);
    assert_int_equal(v.kind != GATE_DICT_NONE, there);
    if (!there)
        return;
    assert_int_equal(v.kind, m->length < 0 ? GATE_DICT_NUMBER : GATE_DICT_STRING);
    if (m->length < 0)
        assert_true(v.number == m->number);
    else
        assert_int_equal(v.text.n, m->length);
}

static void model_step(struct dict_case *c, struct model *m, const char *key, char *text)
{
    uint64_t ttl = dict_chance(c, 3) == 0 ? UINT64_MAX : dict_chance(c, 300);
    uint64_t until = ttl == UINT64_MAX ? UINT64_MAX : c->now + ttl;
    bool there = m->there && m->until > c->now;
    int length = (int)dict_chance(c, 90);
    double sum = 0;

    switch (dict_chance(c, 4)) {
    case 0:
        memset(text, 'v', (size_t)length);
        text[length] = '\0';
        assert_int_equal(dict_set(c, key, dict_text(text), ttl), GATE_OK);
        *m = (struct model){ true, until, 0, length };
        break;
    case 1:
        assert_int_equal(dict_set(c, key, dict_number(length), ttl), GATE_OK);
        *m = (struct model){ true, until, length, -1 };
        break;
    case 2:
        assert_int_equal(dict_delete(c, key), there);
        m->there = false;
        break;
    default:
        if (there && m->length >= 0) {
            assert_int_equal(dict_incr(c, key, 1, 0, ttl, &sum), GATE_E_INVALID);
            break;
        }
        assert_int_equal(dict_incr(c, key, 1, 10, ttl, &sum), GATE_OK);
        *m = (struct model){ true, there ? m->until : until, there ? m->number + 1 : 11, -1 };
        assert_true(sum == m->number);
    }
}

static void a_long_run_agrees_with_a_model(void **state)
{
    struct dict_case *c = *state;
    static struct model models[MODEL_KEYS];
    char key[32], text[100];

    memset(models, 0, sizeof(models));
    for (int i = 0; i < 200000; i++) {
        int k = (int)dict_chance(c, MODEL_KEYS);

        model_check(c, &models[k], k, key);
        model_step(c, &models[k], key, text);
        c->now += dict_chance(c, 2);
    }
    for (int k = 0; k < MODEL_KEYS; k++)
        model_check(c, &models[k], k, key);
    assert_int_equal(dict_numbers(c).evictions, 0);
}

static int setup_large(void **state)
{
    return dict_case_open(state, 64 * 1024 * 1024);
}

/* Many shards: each key has its one place. */
static void a_large_one_has_many_shards(void **state)
{
    struct dict_case *c = *state;
    struct gate_dict_walk w = { 0 };
    struct gate_dict_buffer b = { 0 };
    struct gate_str key;
    enum gate_err err;
    char text[32];
    int n = 0;

    for (int i = 0; i < 50000; i++) {
        snprintf(text, sizeof(text), "client:%d", i);
        assert_int_equal(dict_set(c, text, dict_number(i), UINT64_MAX), GATE_OK);
    }
    for (int i = 0; i < 50000; i++) {
        snprintf(text, sizeof(text), "client:%d", i);
        assert_true(dict_get(c, text).number == i);
    }
    while ((err = gate_dict_walk(c->d, &w, c->now, &b, &key)) != GATE_E_EOF)
        n += err == GATE_OK;
    assert_int_equal(n, 50000);
    assert_true(w.shard > 1);
    assert_true(gate_dict_value_max(c->d) > GATE_DICT_VALUE_MAX / 4 * 3);
    gate_dict_buffer_fini(&b);
}

static void the_smallest_one_works(void **state)
{
    (void)state;
    for (uint64_t bytes = GATE_DICT_BYTES_MIN; bytes < 40 * 1024; bytes += 1000) {
        struct dict_case *c;

        assert_int_equal(dict_case_open((void **)&c, bytes), 0);
        assert_int_equal(dict_set(c, "k", dict_text("v"), 10), GATE_OK);
        assert_true(dict_is_text(c, "k", "v"));
        assert_true(gate_dict_value_max(c->d) > 1000);
        dict_case_close((void **)&c);
    }
}

static void the_longest_string_comes_back(void **state)
{
    static const uint64_t bytes[] = { GATE_DICT_BYTES_MIN, 100 * 1024, 7 * 1024 * 1024 };
    struct dict_case *c;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
        uint32_t max;
        char *text;

        assert_int_equal(dict_case_open((void **)&c, bytes[i]), 0);
        max = gate_dict_value_max(c->d);
        assert_true(max <= GATE_DICT_VALUE_MAX);
        text = malloc(max + 2);
        memset(text, 'x', max + 1);
        text[max + 1] = '\0';
        assert_int_equal(dict_set(c, "k", dict_text(text), UINT64_MAX), GATE_E_LIMIT);
        text[max] = '\0';
        assert_int_equal(dict_set(c, "k", dict_text(text), UINT64_MAX), GATE_OK);
        assert_true(dict_is_text(c, "k", text));
        free(text);
        dict_case_close((void **)&c);
        assert_true(i < 2 || max == GATE_DICT_VALUE_MAX);
    }
}

static int mappings(void)
{
    FILE *f = fopen("/proc/self/maps", "r");
    char line[512];
    int n = 0;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL)
        n += strstr(line, "moongate-shared") != NULL;
    fclose(f);
    return n;
}

static void a_closed_one_leaves_nothing(void **state)
{
    struct gate_dict *d;
    int before = mappings(), fd;

    (void)state;
    assert_int_equal(gate_dict_create(GATE_STR("d"), GATE_DICT_BYTES_MIN, &d), GATE_OK);
    fd = gate_dict_fd(d);
    assert_int_equal(mappings(), before + 1);
    gate_dict_close(&d);
    assert_null(d);
    assert_int_equal(mappings(), before);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    gate_dict_close(&d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, dict_case_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_come_back),
        TEST(keys_are_told_apart),
        TEST(add_replace_and_delete_look_first),
        TEST(incr_makes_a_key_only_when_told),
        TEST(cas_compares_and_keeps_the_ttl),
        TEST(a_key_ends_in_time),
        TEST(a_read_says_how_long_it_holds),
        TEST(a_full_one_lets_those_go_that_end_first),
        TEST(a_full_one_says_so),
        TEST(much_room_is_made_in_slices),
        TEST(what_has_ended_goes_by_itself),
        TEST(a_walk_sees_every_key),
        TEST(a_flush_leaves_nothing),
        TEST(a_long_run_agrees_with_a_model),
        cmocka_unit_test_setup_teardown(a_large_one_has_many_shards, setup_large,
                                        dict_case_close),
        cmocka_unit_test(the_smallest_one_works),
        cmocka_unit_test(the_longest_string_comes_back),
        cmocka_unit_test(a_closed_one_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
