/* What a load says of files that will not do, and what makes an identity.
 * covers: tls/client.c tls/authorities.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../support/pki.h"
#include "base/assert.h"
#include "tls/client.h"

static struct test_pki pki;
static char why[300];

static int setup_group(void **state)
{
    (void)state;
    test_pki_open(&pki);
    test_pki_make(&pki, "ca", NULL, TEST_KEY_EC, 30, NULL);
    test_pki_make(&pki, "me", "", TEST_KEY_EC, 5, "ca");
    test_pki_make(&pki, "you", "", TEST_KEY_EC, 30, "ca");
    test_pki_write(&pki, "junk.pem", "junk\n");
    test_pki_write(&pki, "half.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    return 0;
}

static int teardown_group(void **state)
{
    (void)state;
    test_pki_close(&pki);
    return 0;
}

static struct gate_tls_client *make(const struct gate_tls_client_config *config)
{
    struct gate_tls_files files = test_pki_files(&pki);
    struct gate_tls_system system = {NULL};
    struct gate_tls_client *c = NULL;
    enum gate_err err;

    why[0] = '\0';
    err = gate_tls_client_new(config, &files, &system, &c, why, sizeof(why));
    gate_tls_system_fini(&system);
    assert_int_equal(err == GATE_OK, c != NULL);
    return c;
}

static void bad_files_are_named(void **state)
{
    static const struct {
        const char *ca, *cert, *key, *words;
    } bad[] = {
        {"none.pem", "", "", "cannot read the authorities of servers none.pem: No such file"},
        {"junk.pem", "", "", "there is no whole list of certificates in junk.pem"},
        {"half.pem", "", "", "there is no whole list of certificates in half.pem"},
        {"ca.pem", "none.pem", "me.key", "cannot read the certificate none.pem: No such file"},
        {"ca.pem", "junk.pem", "me.key", "there is no certificate in junk.pem"},
        {"ca.pem", "me.pem", "none.key", "cannot read the key none.key: No such file"},
        {"ca.pem", "me.pem", "junk.pem", "there is no private key in junk.pem"},
        {"ca.pem", "me.pem", "you.key", "the key you.key does not belong to the certificate me.pem"},
    };

    (void)state;
    for (size_t i = 0; i < GATE_COUNT_OF(bad); i++) {
        struct gate_tls_client_config config = {
            .verify = true,
            .ca = gate_str_from_cstr(bad[i].ca),
            .cert = gate_str_from_cstr(bad[i].cert),
            .key = gate_str_from_cstr(bad[i].key),
        };

        assert_null(make(&config));
        if (strncmp(why, bad[i].words, strlen(bad[i].words)) != 0)
            fail_msg("%s", why);
    }
}

/* Those of the system are found by themselves, and read once. */
static void the_system_is_believed(void **state)
{
    struct gate_tls_files files = test_pki_files(&pki);
    struct gate_tls_client_config config = {.verify = true};
    struct gate_tls_system system = {NULL};
    struct gate_tls_client *a = NULL, *b = NULL;
    struct gate_authorities *read;

    (void)state;
    setenv("SSL_CERT_FILE", test_pki_path(&pki, "ca.pem"), 1);
    assert_int_equal(gate_tls_client_new(&config, &files, &system, &a, why, sizeof(why)), GATE_OK);
    read = system.read;
    assert_non_null(read);
    config.server_name = GATE_STR("a.test");
    assert_int_equal(gate_tls_client_new(&config, &files, &system, &b, why, sizeof(why)), GATE_OK);
    assert_ptr_equal(system.read, read);
    gate_tls_system_fini(&system);
    gate_tls_client_unref(&a);
    gate_tls_client_unref(&b);
    setenv("SSL_CERT_FILE", test_pki_path(&pki, "none.pem"), 1);
    assert_null(make(&config));
    assert_non_null(strstr(why, "cannot read the authorities of the system "));
    assert_non_null(strstr(why, "none.pem: No such file"));
    unsetenv("SSL_CERT_FILE");
}

/* Each of these makes another identity; the same makes the same one. */
static void identities_differ(void **state)
{
    static const struct gate_str alpn[] = {{"http/1.1", 8}, {"x", 1}};
    const struct gate_tls_client_config base = {
        .verify = true, .ca = GATE_STR("ca.pem"), .alpn = alpn, .n_alpn = 1};
    struct gate_tls_client_config v[7];
    struct gate_tls_client *c[GATE_COUNT_OF(v)], *again;

    (void)state;
    for (size_t i = 0; i < GATE_COUNT_OF(v); i++)
        v[i] = base;
    v[1].verify = false;
    v[2].ca = GATE_STR("me.pem");
    v[3].server_name = GATE_STR("a.test");
    v[4].cert = GATE_STR("me.pem");
    v[4].key = GATE_STR("me.key");
    v[5].min_version = GATE_TLS_1_3;
    v[6].n_alpn = 2;
    for (size_t i = 0; i < GATE_COUNT_OF(v); i++)
        c[i] = make(&v[i]);
    for (size_t i = 0; i < GATE_COUNT_OF(v); i++) {
        assert_non_null(c[i]);
        assert_false(gate_tls_client_same(c[i], NULL));
        for (size_t k = 0; k < GATE_COUNT_OF(v); k++) {
            assert_int_equal(gate_tls_client_same(c[i], c[k]), i == k);
            assert_int_equal(gate_tls_client_hash(c[i]) == gate_tls_client_hash(c[k]), i == k);
        }
        again = make(&v[i]);
        assert_true(gate_tls_client_same(c[i], again));
        gate_tls_client_unref(&again);
    }
    for (size_t i = 0; i < GATE_COUNT_OF(v); i++)
        gate_tls_client_unref(&c[i]);
    assert_true(gate_tls_client_same(NULL, NULL));
}

/* Not what files are called counts, but what they hold. */
static void a_new_file_is_a_new_identity(void **state)
{
    struct gate_tls_client_config config = {.verify = true, .ca = GATE_STR("moving.pem")};
    struct gate_tls_client *a, *b;

    (void)state;
    test_pki_make(&pki, "moving", NULL, TEST_KEY_EC, 30, NULL);
    a = make(&config);
    test_pki_make(&pki, "moving", NULL, TEST_KEY_EC, 30, NULL);
    b = make(&config);
    assert_false(gate_tls_client_same(a, b));
    gate_tls_client_unref(&a);
    gate_tls_client_unref(&b);
}

static int terms;

static void on_term(void *arg, const struct gate_tls_term *term)
{
    (void)arg;
    terms++;
    assert_true(gate_str_eq(term->file, GATE_STR("me.pem")));
    assert_true(term->ends_s > 0);
}

static void its_certificate_has_a_term(void **state)
{
    struct gate_tls_client_config config = {.cert = GATE_STR("me.pem"), .key = GATE_STR("me.key")};
    struct gate_tls_client *c = make(&config);

    (void)state;
    gate_tls_client_each(c, on_term, NULL);
    assert_int_equal(terms, 1);
    gate_tls_client_unref(&c);
    config.cert = config.key = GATE_STR_NONE;
    c = make(&config);
    gate_tls_client_each(c, on_term, NULL);
    assert_int_equal(terms, 1);
    gate_tls_client_unref(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_files_are_named),
        cmocka_unit_test(the_system_is_believed),
        cmocka_unit_test(identities_differ),
        cmocka_unit_test(a_new_file_is_a_new_identity),
        cmocka_unit_test(its_certificate_has_a_term),
    };

    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
