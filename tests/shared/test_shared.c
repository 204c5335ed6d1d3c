/* The dictionaries of an engine: found by name and size, kept as long as they are used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "shared/shared.h"

#define BYTES (64 * 1024)

struct keeper {
    char said[256]; /* "+a -b " */
    int fd;         /* of the last that was to be kept */
};

static void on_keep(void *arg, struct gate_str name, uint64_t bytes, int fd)
{
    struct keeper *k = arg;

    assert_int_equal(bytes, BYTES);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    k->fd = fd;
    snprintf(k->said + strlen(k->said), 32, "+%.*s ", (int)name.n, name.p);
}

static void on_drop(void *arg, struct gate_str name, uint64_t bytes)
{
    struct keeper *k = arg;

    assert_int_equal(bytes, BYTES);
    snprintf(k->said + strlen(k->said), 32, "-%.*s ", (int)name.n, name.p);
}

static const struct gate_shared_keeper ops = { .keep = on_keep, .drop = on_drop };

static struct gate_dict *open_one(struct gate_shared *s, const char *name, uint64_t bytes)
{
    struct gate_dict *d = NULL;

    assert_int_equal(gate_shared_open(s, gate_str_from_cstr(name), bytes, &d), GATE_OK);
    return d;
}

static void name_and_size_make_it_the_same(void **state)
{
    struct gate_shared *s = gate_shared_new();
    struct gate_dict *a = open_one(s, "a", BYTES), *again = open_one(s, "a", BYTES);
    struct gate_dict *b = open_one(s, "b", BYTES), *larger = open_one(s, "a", BYTES * 2);

    (void)state;
    assert_ptr_equal(a, again);
    assert_ptr_not_equal(a, b);
    assert_ptr_not_equal(a, larger);
    gate_shared_close(s, &a);
    assert_null(a);
    gate_shared_close(s, &again);
    gate_shared_close(s, &b);
    gate_shared_close(s, &larger);
    gate_shared_free(&s);
    assert_null(s);
}

static void the_keeper_has_what_is_used(void **state)
{
    struct gate_shared *s = gate_shared_new();
    struct keeper k = { "", -1 };
    struct gate_dict *a = open_one(s, "a", BYTES), *b = open_one(s, "b", BYTES);
    struct gate_dict *kept = a;

    (void)state;
    gate_shared_settle(s, &ops, &k);
    assert_string_equal(k.said, "+a +b ");
    gate_shared_settle(s, &ops, &k);
    assert_string_equal(k.said, "+a +b ");
    /* Closed and opened again before anybody looked: still the same. */
    gate_shared_close(s, &a);
    a = open_one(s, "a", BYTES);
    assert_ptr_equal(a, kept);
    gate_shared_close(s, &b);
    gate_shared_settle(s, &ops, &k);
    assert_string_equal(k.said, "+a +b -b ");
    b = open_one(s, "b", BYTES);
    gate_shared_close(s, &b);
    /* Never kept: nothing to be dropped. */
    gate_shared_settle(s, &ops, &k);
    assert_string_equal(k.said, "+a +b -b ");
    gate_shared_close(s, &a);
    gate_shared_free(&s);
}

static void an_engine_goes_on_with_the_memory_of_another(void **state)
{
    struct gate_shared *s = gate_shared_new(), *next = gate_shared_new();
    struct keeper k = { "", -1 };
    struct gate_dict *d = open_one(s, "a", BYTES);
    struct gate_dict_key key = gate_dict_key(d, "k", 1);
    struct gate_dict_put put = { .value = { .kind = GATE_DICT_NUMBER, .number = 7 },
                                 .ttl_ns = UINT64_MAX };
    struct gate_dict_buffer b = { 0 };
    struct gate_dict_seen seen;
    struct gate_dict_value v;
    uint64_t drops = 0;

    (void)state;
    assert_int_equal(gate_dict_put(d, &key, &put), GATE_OK);
    gate_shared_settle(s, &ops, &k);
    assert_int_equal(gate_shared_adopt(next, dup(k.fd), GATE_STR("a"), BYTES, &drops), GATE_OK);
    assert_int_equal(gate_shared_adopt(next, dup(k.fd), GATE_STR("b"), BYTES * 2, &drops),
                     GATE_E_INVALID);
    gate_shared_close(s, &d);
    gate_shared_free(&s);
    d = open_one(next, "a", BYTES);
    key = gate_dict_key(d, "k", 1);
    gate_dict_get(d, &key, 1, &b, &v, &seen);
    assert_true(v.kind == GATE_DICT_NUMBER && v.number == 7);
    k.said[0] = '\0';
    gate_shared_settle(next, &ops, &k);
    assert_string_equal(k.said, "");
    gate_shared_close(next, &d);
    gate_shared_settle(next, &ops, &k);
    assert_string_equal(k.said, "-a ");
    gate_shared_free(&next);
}

static void a_report_has_those_that_are_used(void **state)
{
    struct gate_shared *s = gate_shared_new();
    struct gate_dict *a = open_one(s, "a", BYTES), *b = open_one(s, "b", BYTES * 2);
    struct gate_shared_numbers *v;

    (void)state;
    gate_shared_close(s, &a);
    assert_int_equal(gate_shared_report(s, &v), 1);
    assert_int_equal(v[0].name_n, 1);
    assert_int_equal(v[0].name[0], 'b');
    assert_int_equal(v[0].numbers.bytes, BYTES * 2);
    assert_int_equal(v[0].numbers.entries, 0);
    gate_free(v);
    gate_shared_close(s, &b);
    assert_int_equal(gate_shared_report(s, &v), 0);
    gate_free(v);
    gate_shared_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_and_size_make_it_the_same),
        cmocka_unit_test(the_keeper_has_what_is_used),
        cmocka_unit_test(an_engine_goes_on_with_the_memory_of_another),
        cmocka_unit_test(a_report_has_those_that_are_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
