/* Which certificate stands for which name, and what is said of files that cannot be used.
 * covers: tls/certificate.c tls/names.c tls/errors.c tls/pem.c */
#include <stdio.h>
#include <sys/stat.h>

#include "tls_world.h"

#define CERT(file)  .cert = {file ".pem", sizeof(file ".pem") - 1}, \
                    .key = {file ".key", sizeof(file ".key") - 1}
#define NAMES(list) .names = list, .n_names = GATE_COUNT_OF(list)

/* The subject of the certificate that the server showed for a name; "": it refused. */
static const char *shown_for(const char *sni, const char *ciphers)
{
    static char subject[64];
    X509 *x;

    open_pair(&plans[0], TLS1_2_VERSION, sni);
    if (ciphers != NULL)
        assert_int_equal(SSL_set_cipher_list(client.ssl, ciphers), 1);
    subject[0] = '\0';
    if (shake_hands()) {
        x = SSL_get1_peer_certificate(client.ssl);
        X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, subject,
                                  sizeof(subject));
        X509_free(x);
    }
    close_pair();
    return subject;
}

static void exact_wildcard_and_fallback(void **state)
{
    static const struct gate_certificate_config list[] = {
        {CERT("ec"), .fallback = true}, {CERT("b")}};
    static const struct gate_tls_config config = {.certificates = list, .n_certificates = 2};

    (void)state;
    serve(&config);
    connect_pair(&plans[2], TLS1_3_VERSION, "b.test");
    close_pair();
    assert_string_equal(shown_for("a.test", NULL), "ec");
    assert_string_equal(shown_for("b.test", NULL), "b");
    assert_string_equal(shown_for("B.TEST.", NULL), "b");
    assert_string_equal(shown_for("x.b.test", NULL), "b");
    assert_string_equal(shown_for("y.x.b.test", NULL), "ec"); /* "*" is one label */
    assert_string_equal(shown_for("other.test", NULL), "ec");
    assert_string_equal(shown_for(NULL, NULL), "ec");
    stop();
}

static void without_fallback_others_are_refused(void **state)
{
    static const struct gate_certificate_config list[] = {{CERT("ec")}, {CERT("b")}};
    static const struct gate_tls_config config = {.certificates = list, .n_certificates = 2};

    (void)state;
    serve(&config);
    assert_string_equal(shown_for("a.test", NULL), "ec");
    assert_string_equal(shown_for("other.test", NULL), "");
    assert_int_equal(failure, GATE_CLOSE_TLS_NAME);
    assert_string_equal(shown_for(NULL, NULL), "");
    assert_int_equal(failure, GATE_CLOSE_TLS_NAME);
    stop();
}

/* A name may have one certificate of each kind; the client's ciphers choose. */
static void rsa_and_ecdsa_for_one_name(void **state)
{
    static const struct gate_str names[] = {{"www.test", 8}};
    static const struct gate_certificate_config list[] = {
        {CERT("rsa"), NAMES(names)}, {CERT("ec"), NAMES(names)}, {CERT("b"), .fallback = true}};
    static const struct gate_tls_config config = {.certificates = list, .n_certificates = 3};

    (void)state;
    serve(&config);
    assert_string_equal(shown_for("www.test", "ECDHE-RSA-AES128-GCM-SHA256"), "rsa");
    assert_string_equal(shown_for("www.test", "ECDHE-ECDSA-AES128-GCM-SHA256"), "ec");
    assert_string_equal(shown_for("www.test", NULL), "ec");
    assert_string_equal(shown_for("a.test", NULL), "b"); /* names that are given replace its own */
    stop();
}

static void a_given_name_beats_a_certificates_own(void **state)
{
    static const struct gate_str names[] = {{"b.test", 6}};
    static const struct gate_certificate_config list[] = {
        {CERT("b")}, {CERT("ec"), NAMES(names)}};
    static const struct gate_tls_config config = {.certificates = list, .n_certificates = 2};

    (void)state;
    serve(&config);
    assert_string_equal(shown_for("b.test", NULL), "ec");
    assert_string_equal(shown_for("x.b.test", NULL), "b");
    stop();
}

static void odd_names_are_refused(void **state)
{
    char hello[512], sent[512];
    ssize_t n;
    char *at;
    int fd[2];

    (void)state;
    serve_ec();
    open_pair(&plans[0], TLS1_3_VERSION, "odd.test");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    SSL_set_fd(client.ssl, fd[0]);
    test_tls_connect(&client);
    n = read(fd[1], hello, sizeof(hello));
    at = memmem(hello, (size_t)n, "odd.test", 8);
    assert_non_null(at);
    memcpy(sent, hello, (size_t)n);
    sent[at - hello + 3] = '\0'; /* a NUL inside the name */
    assert_int_equal(write(client.fd, sent, (size_t)n), n);
    gate_loop_turn(&loop, false);
    assert_int_equal(handshake, GATE_E_LIMIT);
    assert_int_equal(failure, GATE_CLOSE_TLS_PROTOCOL);
    SSL_set_fd(client.ssl, client.fd);
    close(fd[0]);
    close(fd[1]);
    close_pair();
    stop();
}

/* Which requests belong on a connection. */
static void covers_says_whose_a_host_is(void **state)
{
    static const struct gate_certificate_config list[] = {
        {CERT("ec"), .fallback = true}, {CERT("b")}};
    static const struct gate_tls_config config = {.certificates = list, .n_certificates = 2};

    (void)state;
    serve(&config);
#define COVERS(sni, host) gate_tls_server_covers(server, GATE_STR(sni), GATE_STR(host))
    assert_true(COVERS("a.test", "a.test"));
    assert_false(COVERS("a.test", "b.test"));
    assert_true(COVERS("b.test", "x.b.test"));
    assert_false(COVERS("b.test", "a.test"));
    assert_true(COVERS("b.test", "other.test"));    /* nobody else's */
    assert_false(COVERS("other.test", "b.test"));
    assert_true(COVERS("other.test", "a.test"));
    assert_true(COVERS("", "b.test"));              /* no name was asked for */
#undef COVERS
    stop();
}

/* Load errors */

static char why[512];

static void refuses(const struct gate_certificate_config *list, uint32_t n, const char *says)
{
    const struct gate_tls_config config = {.certificates = list, .n_certificates = n};
    struct gate_tls_files files = test_pki_files(&pki);
    struct gate_tls_server *s = NULL;

    why[0] = '\0';
    assert_int_equal(gate_tls_server_new(&config, &files, NULL, &s, why, sizeof(why)), GATE_E_INVALID);
    assert_null(s);
    if (strstr(why, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", why, says);
}

static void refuses_one(struct gate_certificate_config c, const char *says)
{
    refuses(&c, 1, says);
}

static void faults_name_the_file_and_the_cause(void **state)
{
    static const struct gate_str names[] = {{"x.test", 6}};
    static const struct gate_certificate_config twice[] = {{CERT("ec"), NAMES(names)},
                                                           {CERT("b"), NAMES(names)}};
    static const struct gate_certificate_config fallbacks[] = {{CERT("ec"), .fallback = true},
                                                               {CERT("b"), .fallback = true}};

    (void)state;
    refuses_one((struct gate_certificate_config){CERT("none")},
                "cannot read the certificate none.pem: No such file or directory");
    refuses_one((struct gate_certificate_config){.cert = {"ec.pem", 6}, .key = {"none.key", 8}},
                "cannot read the key none.key: No such file or directory");
    refuses_one((struct gate_certificate_config){.cert = {"ec.pem", 6}, .key = {"b.key", 5}},
                "the key b.key does not belong to the certificate ec.pem");
    refuses_one((struct gate_certificate_config){.cert = {"ec.pem", 6}, .key = {"rsa.key", 7}},
                "the key rsa.key does not belong to the certificate ec.pem");
    refuses_one((struct gate_certificate_config){.cert = {"ec.key", 6}, .key = {"ec.key", 6}},
                "there is no certificate in ec.key");
    refuses_one((struct gate_certificate_config){.cert = {"ec.pem", 6}, .key = {"ec.pem", 6}},
                "there is no private key in ec.pem");
    refuses_one((struct gate_certificate_config){.cert = {"/", 1}, .key = {"ec.key", 6}},
                "cannot read the certificate /: Is a directory");
    refuses_one((struct gate_certificate_config){.cert = {"/dev/zero", 9}, .key = {"ec.key", 6}},
                "cannot read the certificate /dev/zero");
    refuses(twice, 2, "ec.pem and b.pem are both for \"x.test\", and of one kind");
    refuses(fallbacks, 2, "ec.pem and b.pem are both of one kind: cert takes one RSA and one ECDSA");
    test_pki_write(&pki, "broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n"
                                       "-----END CERTIFICATE-----\n");
    refuses_one((struct gate_certificate_config){.cert = {"broken.pem", 10}, .key = {"ec.key", 6}},
                "there is no certificate in broken.pem: ");
}

/* Nobody would ever get it. */
static void certificates_without_a_name_need_one(void **state)
{
    static const struct gate_str names[] = {{"x.test", 6}};
    static const struct gate_certificate_config named[] = {{CERT("nameless"), NAMES(names)}};
    static const struct gate_tls_config config = {.certificates = named, .n_certificates = 1};

    (void)state;
    test_pki_make(&pki, "nameless", "", TEST_KEY_EC, 30, NULL);
    refuses_one((struct gate_certificate_config){CERT("nameless")},
                "nameless.pem has no DNS name (subjectAltName), so no client would get it: give "
                "names");
    serve(&config);
    assert_string_equal(shown_for("x.test", NULL), "nameless");
    stop();
}

static void append(const char *from, const char *to)
{
    char command[256];

    snprintf(command, sizeof(command), "cat %s >> %s", test_pki_path(&pki, from),
             test_pki_path(&pki, to));
    assert_int_equal(system(command), 0);
}

static void encrypted_keys_and_broken_chains(void **state)
{
    char command[400];

    (void)state;
    snprintf(command, sizeof(command), "openssl ec -in %s -aes128 -passout pass:x -out %s 2>&-",
             test_pki_path(&pki, "ec.key"), test_pki_path(&pki, "locked.key"));
    assert_int_equal(system(command), 0);
    refuses_one((struct gate_certificate_config){.cert = {"ec.pem", 6}, .key = {"locked.key", 10}},
                "the key locked.key is encrypted");
    test_pki_write(&pki, "chain.pem", "");
    append("ec.pem", "chain.pem");
    append("broken.pem", "chain.pem");
    refuses_one((struct gate_certificate_config){.cert = {"chain.pem", 9}, .key = {"ec.key", 6}},
                "the chain in chain.pem is broken: ");
}

struct seen {
    int n;
    int64_t first, last;
};

static void see(void *arg, const struct gate_tls_term *term)
{
    struct seen *s = arg;

    assert_true(term->file.n > 4 && term->staple_ends_s == 0);
    if (s->n++ == 0)
        s->first = term->ends_s;
    s->last = term->ends_s;
}

/* An expired one is served: whoever is down already gains nothing by a refusal to start. */
static void ends_are_told(void **state)
{
    static const struct gate_certificate_config list[] = {{CERT("ec"), .fallback = true},
                                                          {CERT("old")}};
    static const struct gate_tls_config config = {.certificates = list, .n_certificates = 2};
    int64_t now = gate_clock_wall_ns(&test_clock) / (int64_t)GATE_SEC;
    struct seen seen = {0};

    (void)state;
    test_pki_make(&pki, "old", "old.test", TEST_KEY_EC, -2, NULL);
    serve(&config);
    gate_tls_server_each(server, see, &seen);
    assert_int_equal(seen.n, 2);
    assert_true(seen.first > now + 29 * 86400 && seen.first < now + 31 * 86400);
    assert_true(seen.last < now - 86400 && seen.last > now - 3 * 86400);
    stop();
}

static uint64_t hash_now(void)
{
    uint64_t hash;

    serve_ec();
    hash = gate_tls_server_hash(server);
    stop();
    return hash;
}

static void the_hash_tells_contents_apart(void **state)
{
    uint64_t before = hash_now();

    (void)state;
    assert_true(hash_now() == before);
    test_pki_make(&pki, "ec", "a.test", TEST_KEY_EC, 30, NULL);
    assert_true(hash_now() != before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_wildcard_and_fallback),
        cmocka_unit_test(without_fallback_others_are_refused),
        cmocka_unit_test(rsa_and_ecdsa_for_one_name),
        cmocka_unit_test(a_given_name_beats_a_certificates_own),
        cmocka_unit_test(odd_names_are_refused),
        cmocka_unit_test(covers_says_whose_a_host_is),
        cmocka_unit_test(faults_name_the_file_and_the_cause),
        cmocka_unit_test(certificates_without_a_name_need_one),
        cmocka_unit_test(encrypted_keys_and_broken_chains),
        cmocka_unit_test(ends_are_told),
        cmocka_unit_test(the_hash_tells_contents_apart),
    };

    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
