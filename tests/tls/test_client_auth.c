/* Who gets in with which certificate, and what is told of it. */
#include "tls_world.h"

static const struct gate_certificate_config ec_cert = {
    .cert = {"ec.pem", 6}, .key = {"ec.key", 6}, .fallback = true};

static SSL_SESSION *kept;

static int keep(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(kept);
    kept = session;
    return 1;
}

static int setup(void **state)
{
    if (setup_group(state) != 0)
        return -1;
    test_pki_make(&pki, "ca", NULL, TEST_KEY_EC, 30, NULL);
    test_pki_make(&pki, "ca2", NULL, TEST_KEY_EC, 30, NULL);
    test_pki_make(&pki, "good", "", TEST_KEY_EC, 30, "ca");
    test_pki_make(&pki, "rsa client", "", TEST_KEY_RSA, 30, "ca");
    test_pki_make(&pki, "ended", "", TEST_KEY_EC, -1, "ca");
    test_pki_make(&pki, "strange", "", TEST_KEY_EC, 30, "ca2");
    tickets = gate_tls_tickets_new(&test_clock);
    return 0;
}

static int teardown(void **state)
{
    gate_tls_tickets_free(&tickets);
    return teardown_group(state);
}

static void demand(int mode, const char *ca)
{
    const struct gate_tls_config config = {.certificates = &ec_cert,
                                           .n_certificates = 1,
                                           .client_auth = mode,
                                           .client_ca = gate_str_from_cstr(ca)};

    serve(&config);
}

static void use(const char *name)
{
    char file[64];

    snprintf(file, sizeof(file), "%s.pem", name);
    assert_int_equal(
        SSL_use_certificate_file(client.ssl, test_pki_path(&pki, file), SSL_FILETYPE_PEM), 1);
    snprintf(file, sizeof(file), "%s.key", name);
    assert_int_equal(
        SSL_use_PrivateKey_file(client.ssl, test_pki_path(&pki, file), SSL_FILETYPE_PEM), 1);
}

/* Connects with a certificate (NULL: none). True: it is let in; the pair stays open. */
static bool enters(int version, const char *name)
{
    size_t n;
    char byte;
    bool in;

    open_pair(&plans[0], version, "a.test");
    SSL_CTX_set_session_cache_mode(client.ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client.ctx, keep);
    if (name != NULL)
        use(name);
    if (kept != NULL)
        SSL_set_session(client.ssl, kept);
    /* In TLS 1.3 the client is done before the server has judged. */
    for (int i = 0; i < 20 && handshake == GATE_E_AGAIN; i++) {
        test_tls_connect(&client);
        gate_loop_turn(&loop, false);
    }
    in = handshake == GATE_OK;
    if (in) {
        test_tls_connect(&client);
        assert_int_equal(gate_conn_write(&conn, &(struct iovec){"x", 1}, 1, &n), GATE_OK);
        assert_true(test_tls_read(&client, &byte, 1, &n));
    }
    return in;
}

static bool entered(int version, const char *name)
{
    bool in = enters(version, name);

    close_pair();
    SSL_SESSION_free(kept);
    kept = NULL;
    return in;
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void required(void **state)
{
    (void)state;
    demand(GATE_CLIENT_AUTH_REQUIRE, "ca.pem");
    for (size_t i = 0; i < GATE_COUNT_OF(versions); i++) {
        static const char *const bad[] = {NULL, "ended", "strange"};

        assert_true(entered(versions[i], "good"));
        assert_true(entered(versions[i], "rsa client"));
        for (size_t k = 0; k < GATE_COUNT_OF(bad); k++) {
            assert_false(entered(versions[i], bad[k]));
            assert_int_equal(failure, GATE_CLOSE_TLS_CLIENT_CERT);
        }
    }
    stop();
}

static void requested(void **state)
{
    static const struct {
        const char *name;
        bool verified;
    } cases[] = {{NULL, false}, {"good", true}, {"ended", false}, {"strange", false}};

    (void)state;
    demand(GATE_CLIENT_AUTH_REQUEST, "ca.pem");
    for (size_t v = 0; v < GATE_COUNT_OF(versions); v++) {
        for (size_t i = 0; i < GATE_COUNT_OF(cases); i++) {
            const struct gate_tls_info *info;

            assert_true(enters(versions[v], cases[i].name));
            info = gate_tls_info(gate_tls_of(&conn));
            assert_int_equal(info->verified, cases[i].verified);
            assert_int_equal(info->subject.n > 0, cases[i].name != NULL);
            assert_int_equal(info->fingerprint.n, cases[i].name == NULL ? 0 : 64);
            close_pair();
            SSL_SESSION_free(kept);
            kept = NULL;
        }
    }
    stop();
}

static void not_asked(void **state)
{
    (void)state;
    serve_ec();
    assert_true(enters(TLS1_3_VERSION, "good"));
    assert_int_equal(gate_tls_info(gate_tls_of(&conn))->subject.n, 0);
    close_pair();
    SSL_SESSION_free(kept);
    kept = NULL;
    stop();
}

static void subjects_are_told(void **state)
{
    const struct gate_tls_info *info;

    (void)state;
    demand(GATE_CLIENT_AUTH_REQUIRE, "ca.pem");
    for (int again = 0; again < 2; again++) { /* a resumed session tells the same */
        assert_true(enters(TLS1_3_VERSION, again ? NULL : "rsa client"));
        info = gate_tls_info(gate_tls_of(&conn));
        assert_int_equal(info->resumed, again);
        assert_true(info->verified);
        assert_true(gate_str_eq(info->subject, GATE_STR("CN=rsa client")));
        assert_true(gate_str_eq(info->common_name, GATE_STR("rsa client")));
        close_pair();
    }
    SSL_SESSION_free(kept);
    kept = NULL;
    stop();
}

/* A session of somebody who was not asked, or was asked for something else, opens no door. */
static void sessions_stay_with_their_policy(void **state)
{
    (void)state;
    for (size_t i = 0; i < GATE_COUNT_OF(versions); i++) {
        serve_ec();
        assert_true(enters(versions[i], NULL));
        close_pair();
        stop();
        assert_non_null(kept);
        demand(GATE_CLIENT_AUTH_REQUIRE, "ca.pem");
        assert_false(entered(versions[i], NULL));
        assert_true(enters(versions[i], "good"));
        close_pair();
        stop();
        assert_non_null(kept);
        demand(GATE_CLIENT_AUTH_REQUIRE, "ca2.pem");
        assert_false(entered(versions[i], NULL));
        stop();
    }
}

static void bad_files_are_told(void **state)
{
    struct gate_tls_config config = {.certificates = &ec_cert,
                                     .n_certificates = 1,
                                     .client_auth = GATE_CLIENT_AUTH_REQUIRE,
                                     .client_ca = {"none.pem", 8}};
    struct gate_tls_files files = test_pki_files(&pki);
    char why[512];

    (void)state;
    assert_int_equal(gate_tls_server_new(&config, &files, NULL, &server, why, sizeof(why)),
                     GATE_E_INVALID);
    assert_string_equal(why, "cannot read the authorities of clients none.pem: "
                             "No such file or directory");
    config.client_ca = GATE_STR("ec.key");
    assert_int_equal(gate_tls_server_new(&config, &files, NULL, &server, why, sizeof(why)),
                     GATE_E_INVALID);
    assert_non_null(strstr(why, "there is no whole list of certificates in ec.key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(required),
        cmocka_unit_test(requested),
        cmocka_unit_test(not_asked),
        cmocka_unit_test(subjects_are_told),
        cmocka_unit_test(sessions_stay_with_their_policy),
        cmocka_unit_test(bad_files_are_told),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
