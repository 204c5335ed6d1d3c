/* What one engine leaves and another one takes, piece by piece. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "run/legacy.h"
#include "run/sealed.h"

static struct gate_store_name name_of(enum gate_store_kind kind, uint64_t number)
{
    return gate_store_name_of(kind, GATE_STR_NONE, number);
}

/* Adds what the descriptor holds under that name, and closes it. */
static enum gate_err add(struct gate_legacy *l, enum gate_store_kind kind, uint64_t number, int fd)
{
    struct gate_store_name name = name_of(kind, number);
    enum gate_err err = gate_legacy_add(l, &name, fd);

    close(fd);
    return err;
}

static int bundle_piece(const char *text, uint64_t *hash)
{
    struct gate_bundle *b = gate_bundle_from_memory("gateway.lua", gate_str_from_cstr(text));
    int fd;

    *hash = gate_bundle_hash(b);
    assert_int_equal(gate_legacy_write_bundle(b, &fd), GATE_OK);
    gate_bundle_free(&b);
    return fd;
}

static int record_piece(uint64_t n_kept, uint64_t n_given_up)
{
    struct gate_legacy_record r;
    int fd;

    memset(&r, 0, sizeof(r));
    r.from = 3;
    r.made_ns = 12345;
    r.last = 9;
    r.n_kept = n_kept;
    r.n_given_up = n_given_up;
    r.kept[0].number = 7;
    r.given_up[0].hash = 77;
    assert_int_equal(gate_legacy_write(&r, &fd), GATE_OK);
    return fd;
}

static void pieces_come_in_any_order(void **state)
{
    struct gate_legacy l;
    struct gate_bundle *b;
    uint64_t one, two;
    int first = bundle_piece("one", &one), second = bundle_piece("two", &two);

    (void)state;
    gate_legacy_init(&l);
    assert_int_equal(l.record.n_kept, 0);
    assert_int_equal(add(&l, GATE_STORE_BUNDLE, one, first), GATE_OK);
    assert_int_equal(add(&l, GATE_STORE_LEGACY, 0, record_piece(1, 1)), GATE_OK);
    assert_int_equal(add(&l, GATE_STORE_BUNDLE, two, second), GATE_OK);
    assert_int_equal(l.record.from, 3);
    assert_int_equal(l.record.made_ns, 12345);
    assert_int_equal(l.record.last, 9);
    assert_int_equal(l.record.kept[0].number, 7);
    assert_int_equal(l.record.given_up[0].hash, 77);
    b = gate_legacy_take(&l, one);
    assert_true(gate_str_eq(gate_bundle_main(b), GATE_STR("one")));
    gate_bundle_free(&b);
    assert_null(gate_legacy_take(&l, one));
    /* The other one is freed with the rest. */
    assert_int_equal(l.n_bundles, 1);
    gate_legacy_fini(&l);
}

static void what_is_no_record_is_refused(void **state)
{
    struct gate_legacy l;
    int fd;

    (void)state;
    gate_legacy_init(&l);
    assert_int_equal(add(&l, GATE_STORE_LEGACY, 0, record_piece(0, 0)), GATE_E_SYNTAX);
    assert_int_equal(add(&l, GATE_STORE_LEGACY, 0, record_piece(GATE_KEPT_MAX + 1, 0)),
                     GATE_E_SYNTAX);
    assert_int_equal(add(&l, GATE_STORE_LEGACY, 0, record_piece(1, GATE_GIVEN_UP_MAX + 1)),
                     GATE_E_SYNTAX);
    assert_int_equal(gate_sealed_write(GATE_STR("another version"), &fd), GATE_OK);
    assert_int_equal(add(&l, GATE_STORE_LEGACY, 0, fd), GATE_E_SYNTAX);
    assert_int_equal(add(&l, GATE_STORE_LEGACY, 0, memfd_create("empty", MFD_CLOEXEC)),
                     GATE_E_SYNTAX);
    assert_int_equal(l.record.n_kept, 0);
    gate_legacy_fini(&l);
}

static void a_bundle_must_be_the_one_that_it_is_called(void **state)
{
    struct gate_legacy l;
    uint64_t hash;
    int fd = bundle_piece("one", &hash);

    (void)state;
    gate_legacy_init(&l);
    assert_int_equal(add(&l, GATE_STORE_BUNDLE, hash + 1, fd), GATE_E_SYNTAX);
    assert_int_equal(gate_sealed_write(GATE_STR("no image"), &fd), GATE_OK);
    assert_int_equal(add(&l, GATE_STORE_BUNDLE, hash, fd), GATE_E_SYNTAX);
    assert_null(gate_legacy_take(&l, hash));
    gate_legacy_fini(&l);
}

static void there_is_an_end_to_what_is_taken(void **state)
{
    struct gate_legacy l;
    char text[2] = "a";
    uint64_t hash;
    int fd;

    (void)state;
    gate_legacy_init(&l);
    for (uint32_t i = 0; i < 2 * GATE_KEPT_MAX; i++, text[0]++) {
        fd = bundle_piece(text, &hash);
        assert_int_equal(add(&l, GATE_STORE_BUNDLE, hash, fd), GATE_OK);
    }
    fd = bundle_piece(text, &hash);
    assert_int_equal(add(&l, GATE_STORE_BUNDLE, hash, fd), GATE_E_SYNTAX);
    gate_legacy_fini(&l);
    assert_int_equal(l.n_bundles, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_come_in_any_order),
        cmocka_unit_test(what_is_no_record_is_refused),
        cmocka_unit_test(a_bundle_must_be_the_one_that_it_is_called),
        cmocka_unit_test(there_is_an_end_to_what_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
