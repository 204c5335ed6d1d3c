/* Sessions outlive servers, certificates and secrets, but never their policy. */
#include "tls_world.h"

#include "tls/tickets_int.h"

#define HOUR (3600 * GATE_SEC)

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
    (void)state;
    tickets = gate_tls_tickets_new(&test_clock);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    SSL_SESSION_free(kept);
    kept = NULL;
    if (server != NULL) { /* it failed */
        close_pair();
        stop();
    }
    gate_tls_tickets_free(&tickets);
    return 0;
}

/* A connection that brings what is kept, and keeps what it gets; whether it was a resumption. */
static bool resumes(int version, const char *sni)
{
    bool resumed;
    size_t n;
    char byte;

    open_pair(&plans[0], version, sni);
    SSL_CTX_set_session_cache_mode(client.ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client.ctx, keep);
    if (kept != NULL)
        SSL_set_session(client.ssl, kept);
    assert_true(shake_hands());
    assert_int_equal(gate_conn_write(&conn, &(struct iovec){"x", 1}, 1, &n), GATE_OK);
    assert_true(test_tls_read(&client, &byte, 1, &n));
    resumed = SSL_session_reused(client.ssl);
    close_pair();
    return resumed;
}

static void forget(void)
{
    SSL_SESSION_free(kept);
    kept = NULL;
}

static void sessions_outlive_servers(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    (void)state;
    for (size_t i = 0; i < GATE_COUNT_OF(versions); i++) {
        forget();
        serve_ec();
        assert_false(resumes(versions[i], "a.test"));
        assert_true(resumes(versions[i], "a.test"));
        stop();
        test_pki_make(&pki, "ec", "a.test", TEST_KEY_EC, 30, NULL);
        serve_ec();
        assert_true(resumes(versions[i], "a.test"));
        stop();
    }
}

static void another_name_is_another_session(void **state)
{
    static const struct gate_certificate_config list[] = {
        {.cert = {"ec.pem", 6}, .key = {"ec.key", 6}, .fallback = true},
        {.cert = {"b.pem", 5}, .key = {"b.key", 5}}};
    static const struct gate_tls_config config = {.certificates = list, .n_certificates = 2};

    (void)state;
    serve(&config);
    assert_false(resumes(TLS1_3_VERSION, "a.test"));
    assert_false(resumes(TLS1_3_VERSION, "b.test"));
    assert_true(resumes(TLS1_3_VERSION, "x.b.test"));
    assert_false(resumes(TLS1_3_VERSION, "a.test"));
    /* In TLS 1.2 also where the certificate is the same. */
    assert_false(resumes(TLS1_2_VERSION, "b.test"));
    assert_true(resumes(TLS1_2_VERSION, "b.test"));
    assert_false(resumes(TLS1_2_VERSION, "x.b.test"));
    assert_true(resumes(TLS1_2_VERSION, "X.b.test."));
    assert_false(resumes(TLS1_2_VERSION, NULL));
    assert_true(resumes(TLS1_2_VERSION, NULL));
    assert_false(resumes(TLS1_2_VERSION, "a.test"));
    stop();
}

static void each_policy_has_its_space(void **state)
{
    unsigned char policy[GATE_TLS_POLICY_BYTES] = {1}, other[GATE_TLS_POLICY_BYTES] = {2};
    struct gate_tls_space *a = gate_tls_space_take(tickets, policy);
    struct gate_tls_space *b = gate_tls_space_take(tickets, other);
    struct gate_tls_space *again = gate_tls_space_take(tickets, policy);

    (void)state;
    assert_ptr_not_equal(a, b);
    assert_ptr_equal(a, again);
    gate_tls_space_unref(&a);
    gate_tls_space_unref(&b);
    gate_tls_space_unref(&again);
}

static void secrets_change_and_age(void **state)
{
    SSL_SESSION *first;

    (void)state;
    serve_ec();
    assert_false(resumes(TLS1_3_VERSION, "a.test"));
    first = SSL_SESSION_dup(kept);
    gate_clock_advance(&test_clock, 9 * HOUR);
    gate_loop_refresh(&loop);
    assert_true(resumes(TLS1_3_VERSION, "a.test")); /* by the last secret; the new ticket is by */
    gate_clock_advance(&test_clock, 16 * HOUR);     /* another */
    gate_loop_refresh(&loop);
    assert_true(resumes(TLS1_3_VERSION, "a.test"));
    SSL_SESSION_free(kept);
    kept = first;
    assert_false(resumes(TLS1_3_VERSION, "a.test")); /* 25 hours are too long */
    stop();
}

/* Not even one that nobody looked at meanwhile. */
static void what_slept_is_not_read_either(void **state)
{
    (void)state;
    serve_ec();
    assert_false(resumes(TLS1_3_VERSION, "a.test"));
    gate_clock_advance(&test_clock, 25 * HOUR);
    gate_loop_refresh(&loop);
    assert_false(resumes(TLS1_3_VERSION, "a.test"));
    stop();
}

/* As after a crash: other tickets, the same secrets. */
static void sessions_outlive_their_engine(void **state)
{
    struct gate_tls_secrets secrets, again;

    (void)state;
    assert_false(gate_tls_tickets_news(tickets, &secrets));
    serve_ec();
    assert_false(resumes(TLS1_3_VERSION, "a.test"));
    assert_true(gate_tls_tickets_news(tickets, &secrets));
    assert_false(gate_tls_tickets_news(tickets, &again));
    stop();
    gate_tls_tickets_free(&tickets);
    tickets = gate_tls_tickets_new(&test_clock);
    gate_tls_tickets_adopt(tickets, &secrets);
    serve_ec();
    assert_true(resumes(TLS1_3_VERSION, "a.test"));
    assert_false(gate_tls_tickets_news(tickets, &again));
    /* The next secret is news, and the one before is among them. */
    gate_clock_advance(&test_clock, 9 * HOUR);
    gate_loop_refresh(&loop);
    assert_true(resumes(TLS1_3_VERSION, "a.test"));
    assert_true(gate_tls_tickets_news(tickets, &again));
    assert_memory_equal(&again.v[1], &secrets.v[0], sizeof(secrets.v[0]));
    stop();
    /* One whose clock is behind takes them as new, not as very old. */
    again.v[0].made_ns += 10 * HOUR;
    gate_tls_tickets_free(&tickets);
    tickets = gate_tls_tickets_new(&test_clock);
    gate_tls_tickets_adopt(tickets, &again);
    serve_ec();
    assert_true(resumes(TLS1_3_VERSION, "a.test"));
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sessions_outlive_servers, setup, teardown),
        cmocka_unit_test_setup_teardown(another_name_is_another_session, setup, teardown),
        cmocka_unit_test_setup_teardown(each_policy_has_its_space, setup, teardown),
        cmocka_unit_test_setup_teardown(secrets_change_and_age, setup, teardown),
        cmocka_unit_test_setup_teardown(what_slept_is_not_read_either, setup, teardown),
        cmocka_unit_test_setup_teardown(sessions_outlive_their_engine, setup, teardown),
    };

    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
