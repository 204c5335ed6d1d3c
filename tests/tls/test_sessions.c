/* Resumption: by the identity that began the session, each ticket of TLS 1.3 once, and never past a
 * verdict.
 * covers: tls/sessions.c */
#include "connect_world.h"

static void visit(void)
{
    gate_tls_sessions_of(&sessions, client);
    connect_pair(&plans[0], "a.test");
}

static bool resumed(void)
{
    return gate_tls_info(gate_tls_of(&conn))->resumed;
}

static void both_versions_resume(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    (void)state;
    for (size_t v = 0; v < GATE_COUNT_OF(versions); v++) {
        use_usual();
        test_tls_origin_open(&origin, &pki, "good", versions[v]);
        for (int i = 0; i < 4; i++) {
            visit();
            assert_int_equal(resumed(), i > 0);
            assert_int_equal(SSL_session_reused(origin.ssl), i > 0);
            close_pair();
        }
        test_tls_origin_close(&origin);
        forget();
    }
}

/* Two are kept; one that was taken in TLS 1.3 is gone, and in TLS 1.2 it stays. */
static void they_are_counted(void **state)
{
    (void)state;
    use_usual();
    test_tls_origin_open(&origin, &pki, "good", TLS1_3_VERSION);
    SSL_CTX_set_num_tickets(origin.ctx, 3);
    visit();
    assert_int_equal(gate_tls_sessions_count(sessions), GATE_TLS_SESSIONS_MAX);
    close_pair();
    SSL_CTX_set_num_tickets(origin.ctx, 0);
    for (int left = GATE_TLS_SESSIONS_MAX - 1; left >= 0; left--) {
        visit();
        assert_true(resumed());
        assert_int_equal(gate_tls_sessions_count(sessions), left);
        close_pair();
    }
    visit();
    assert_false(resumed());
    close_pair();
    test_tls_origin_close(&origin);
    forget();
    use_usual();
    test_tls_origin_open(&origin, &pki, "good", TLS1_2_VERSION);
    visit();
    close_pair();
    visit();
    assert_true(resumed());
    assert_int_equal(gate_tls_sessions_count(sessions), 1);
    close_pair();
    test_tls_origin_close(&origin);
    forget();
}

/* However a connection ends. */
static void a_cut_costs_no_session(void **state)
{
    (void)state;
    use_usual();
    test_tls_origin_open(&origin, &pki, "good", TLS1_3_VERSION);
    visit();
    gate_conn_abort(&conn);
    test_tls_origin_drop(&origin);
    visit();
    assert_true(resumed());
    shutdown(origin.fd, SHUT_RDWR); /* an end without a word */
    gate_loop_turn(&loop, false);
    close_pair();
    visit();
    assert_true(resumed());
    close_pair();
    test_tls_origin_close(&origin);
    forget();
}

/* Another identity begins with nothing; the same one goes on, whoever made it. */
static void they_belong_to_an_identity(void **state)
{
    struct gate_tls_client_config config = usual();
    struct gate_tls_sessions *before;

    (void)state;
    use(&config);
    test_tls_origin_open(&origin, &pki, "good", TLS1_3_VERSION);
    visit();
    close_pair();
    before = sessions;
    gate_tls_client_unref(&client);
    use(&config);
    assert_ptr_equal(gate_tls_sessions_of(&sessions, client), before);
    visit();
    assert_true(resumed());
    close_pair();
    gate_tls_client_unref(&client);
    config.verify = false;
    use(&config);
    visit();
    assert_false(resumed());
    close_pair();
    test_tls_origin_close(&origin);
    forget();
}

/* A session that was begun without verifying cannot be had by somebody who verifies: not even if
 * the sessions are mixed up. */
static void a_verdict_is_not_skipped(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct gate_tls_client_config config = usual();

    (void)state;
    for (size_t v = 0; v < GATE_COUNT_OF(versions); v++) {
        config.verify = false;
        use(&config);
        test_tls_origin_open(&origin, &pki, "self", versions[v]);
        visit();
        close_pair();
        assert_true(gate_tls_sessions_count(sessions) > 0);
        gate_tls_client_unref(&client);
        use_usual();
        assert_int_equal(open_pair(&plans[0], "a.test"), GATE_OK); /* with the wrong sessions */
        assert_false(shake_hands());
        close_pair();
        test_tls_origin_close(&origin);
        forget();
    }
}

/* A session is over with its certificate. */
static void an_old_certificate_is_not_resumed(void **state)
{
    struct gate_tls_client_config config = usual();

    (void)state;
    config.verify = false;
    use(&config);
    test_tls_origin_open(&origin, &pki, "old", TLS1_3_VERSION);
    visit();
    close_pair();
    assert_true(gate_tls_sessions_count(sessions) > 0);
    visit();
    assert_false(resumed());
    close_pair();
    test_tls_origin_close(&origin);
    forget();
}

/* Sessions come on slow networks too, and outlive the shelf that had them. */
static void conns_hold_them(void **state)
{
    (void)state;
    use_usual();
    test_tls_origin_open(&origin, &pki, "good", TLS1_3_VERSION);
    gate_tls_sessions_of(&sessions, client);
    assert_int_equal(open_pair(&plans[2], "a.test"), GATE_OK);
    assert_true(shake_hands());
    gate_tls_sessions_unref(&sessions);
    exchange_bytes();
    close_pair();
    test_tls_origin_close(&origin);
    forget();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_versions_resume),
        cmocka_unit_test(they_are_counted),
        cmocka_unit_test(a_cut_costs_no_session),
        cmocka_unit_test(they_belong_to_an_identity),
        cmocka_unit_test(a_verdict_is_not_skipped),
        cmocka_unit_test(an_old_certificate_is_not_resumed),
        cmocka_unit_test(conns_hold_them),
    };

    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
