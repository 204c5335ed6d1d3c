/* Handshakes with servers: who is believed, what is asked for, what is told of those that fail, and
 * the same bytes whatever the network does.
 * covers: tls/connect.c */
#include "connect_world.h"

#include <openssl/err.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* A handshake that has to fail, for this reason and with these words. */
static void refuse(const char *host, enum gate_close_reason reason, const char *words)
{
    assert_int_equal(open_pair(&plans[0], host), GATE_OK);
    assert_false(shake_hands());
    if (failure != reason || strstr(why, words) == NULL)
        fail_msg("%s: %s", gate_close_reason_name(failure), why);
    close_pair();
}

static void works_however_slowly(void **state)
{
    (void)state;
    use_usual();
    for (size_t v = 0; v < GATE_COUNT_OF(versions); v++) {
        test_tls_origin_open(&origin, &pki, "good", versions[v]);
        for (size_t p = 0; p < GATE_COUNT_OF(plans); p++) {
            connect_pair(&plans[p], "a.test");
            assert_true(gate_str_eq(gate_tls_info(gate_tls_of(&conn))->version,
                                    v == 0 ? GATE_STR("1.2") : GATE_STR("1.3")));
            exchange_bytes();
            close_pair();
        }
        test_tls_origin_close(&origin);
    }
    forget();
}

static void asks_for_the_name(void **state)
{
    static const char *const hosts[] = {"a.test", "A.TEST.", "x.b.test", "127.0.0.1", "::1"};
    static const char *const asked[] = {"a.test", "A.TEST", "x.b.test", NULL, NULL};

    (void)state;
    use_usual();
    test_tls_origin_open(&origin, &pki, "good", 0);
    for (size_t i = 0; i < GATE_COUNT_OF(hosts); i++) {
        const char *sni;

        connect_pair(&plans[0], hosts[i]);
        sni = SSL_get_servername(origin.ssl, TLSEXT_NAMETYPE_host_name);
        assert_true(sni == NULL ? asked[i] == NULL : strcmp(sni, asked[i]) == 0);
        close_pair();
    }
    refuse("b.test", GATE_CLOSE_LINK_TLS_VERIFY, "hostname mismatch");
    refuse("x.y.b.test", GATE_CLOSE_LINK_TLS_VERIFY, "hostname mismatch");
    refuse("127.0.0.2", GATE_CLOSE_LINK_TLS_VERIFY, "IP address mismatch");
    test_tls_origin_close(&origin);
    forget();
}

/* The name that a configuration gives stands for that of every server. */
static void a_given_name_comes_first(void **state)
{
    struct gate_tls_client_config config = usual();

    (void)state;
    config.server_name = GATE_STR("a.test");
    use(&config);
    test_tls_origin_open(&origin, &pki, "good", 0);
    connect_pair(&plans[0], "127.0.0.9");
    assert_string_equal(SSL_get_servername(origin.ssl, TLSEXT_NAMETYPE_host_name), "a.test");
    close_pair();
    connect_pair(&plans[0], "");
    close_pair();
    forget();
    config.server_name = GATE_STR("c.test");
    use(&config);
    refuse("a.test", GATE_CLOSE_LINK_TLS_VERIFY, "hostname mismatch");
    forget();
    test_tls_origin_close(&origin);
}

/* Without a name there is nothing to verify: no connection rather than any. */
static void a_name_is_needed(void **state)
{
    struct gate_tls_client_config config = usual();

    (void)state;
    test_tls_origin_open(&origin, &pki, "good", 0);
    use(&config);
    assert_int_equal(open_pair(&plans[0], ""), GATE_E_INVALID);
    assert_null(gate_tls_of(&conn));
    close_pair();
    forget();
    config.verify = false;
    use(&config);
    connect_pair(&plans[0], "");
    close_pair();
    forget();
    test_tls_origin_close(&origin);
}

static void believes_only_its_authorities(void **state)
{
    static const struct {
        const char *server;
        const char *words;
    } bad[] = {
        {"old", "certificate has expired"},
        {"self", "self-signed certificate"},
        {"stranger", "unable to get local issuer certificate"},
    };
    struct gate_tls_client_config config = usual();

    (void)state;
    for (size_t i = 0; i < GATE_COUNT_OF(bad); i++) {
        test_tls_origin_open(&origin, &pki, bad[i].server, 0);
        use_usual();
        refuse("a.test", GATE_CLOSE_LINK_TLS_VERIFY, bad[i].words);
        forget();
        config.verify = false;
        use(&config);
        connect_pair(&plans[0], "a.test");
        close_pair();
        forget();
        test_tls_origin_close(&origin);
    }
}

/* Who is named in the file is believed, an authority or not. */
static void a_certificate_can_be_pinned(void **state)
{
    struct gate_tls_client_config config = usual();

    (void)state;
    test_tls_origin_open(&origin, &pki, "good", 0);
    config.ca = GATE_STR("good.pem");
    use(&config);
    connect_pair(&plans[0], "a.test");
    close_pair();
    forget();
    config.ca = GATE_STR("self.pem");
    use(&config);
    refuse("a.test", GATE_CLOSE_LINK_TLS_VERIFY, "unable to get local issuer certificate");
    forget();
    test_tls_origin_close(&origin);
}

/* A server that demands a certificate says what it thinks of ours: in TLS 1.3 only after our part
 * of the handshake is over. */
static void shows_its_certificate(void **state)
{
    struct gate_tls_client_config config = usual();

    (void)state;
    config.cert = GATE_STR("me.pem");
    config.key = GATE_STR("me.key");
    for (size_t v = 0; v < GATE_COUNT_OF(versions); v++) {
        test_tls_origin_open(&origin, &pki, "good", versions[v]);
        test_tls_origin_demand(&origin, &pki, "ca");
        use(&config);
        connect_pair(&plans[0], "a.test");
        assert_non_null(SSL_get0_peer_certificate(origin.ssl));
        close_pair();
        forget();
        test_tls_origin_close(&origin);
    }
}

static enum gate_err read_until_it_ends(void)
{
    enum gate_err err = GATE_E_AGAIN;
    char byte;
    size_t n;

    for (int i = 0; i < 1000 && err == GATE_E_AGAIN; i++) {
        test_tls_origin_shake(&origin);
        gate_loop_turn(&loop, false);
        err = gate_conn_read(&conn, &(struct iovec){&byte, 1}, 1, &n);
    }
    return err;
}

static void tells_that_it_was_refused(void **state)
{
    struct gate_tls_client_config config = usual();
    size_t n;

    (void)state;
    for (int stranger = 0; stranger < 2; stranger++) {
        if (stranger) {
            config.cert = GATE_STR("stranger.pem");
            config.key = GATE_STR("stranger.key");
        }
        use(&config);
        test_tls_origin_open(&origin, &pki, "good", TLS1_2_VERSION);
        test_tls_origin_demand(&origin, &pki, "ca");
        refuse("a.test", GATE_CLOSE_LINK_TLS_ALERT, "the server refused: ");
        test_tls_origin_close(&origin);
        test_tls_origin_open(&origin, &pki, "good", TLS1_3_VERSION);
        test_tls_origin_demand(&origin, &pki, "ca");
        assert_int_equal(open_pair(&plans[0], "a.test"), GATE_OK);
        assert_true(shake_hands());
        assert_int_equal(gate_conn_write(&conn, &(struct iovec){"x", 1}, 1, &n), GATE_OK);
        assert_int_equal(read_until_it_ends(), GATE_E_TLS);
        assert_non_null(strstr(gate_tls_why(gate_tls_of(&conn)),
                               stranger ? "alert unknown ca" : "alert certificate required"));
        close_pair();
        test_tls_origin_close(&origin);
        forget();
    }
}

/* What a server says once it has answered is no word about the handshake. */
static void a_late_alert_is_a_cut(void **state)
{
    char byte;
    size_t n;

    (void)state;
    use_usual();
    test_tls_origin_open(&origin, &pki, "good", TLS1_3_VERSION);
    connect_pair(&plans[0], "a.test");
    assert_int_equal(write(conn.fd, "\x17\x03\x03\0\1x", 6), 6); /* no record of ours */
    assert_false(test_tls_origin_read(&origin, &byte, 1, &n));
    assert_true(origin.failed); /* and says so */
    assert_int_equal(read_until_it_ends(), GATE_E_RESET);
    close_pair();
    test_tls_origin_close(&origin);
    forget();
}

/* Nor is what it says of our bytes, though it has given nothing to resume by and no answer yet. */
static void an_alert_about_a_request_is_a_cut(void **state)
{
    char byte;
    size_t n;

    (void)state;
    use_usual();
    for (size_t v = 0; v < GATE_COUNT_OF(versions); v++) {
        test_tls_origin_open(&origin, &pki, "good", versions[v]);
        SSL_CTX_set_options(origin.ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_session_cache_mode(origin.ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_num_tickets(origin.ctx, 0);
        assert_int_equal(open_pair(&plans[0], "a.test"), GATE_OK);
        assert_true(shake_hands());
        assert_int_equal(gate_conn_write(&conn, &(struct iovec){"x", 1}, 1, &n), GATE_OK);
        while (!test_tls_origin_read(&origin, &byte, 1, &n))
            gate_loop_turn(&loop, false);
        assert_int_equal(write(conn.fd, "\x17\x03\x03\0\1x", 6), 6);
        assert_false(test_tls_origin_read(&origin, &byte, 1, &n));
        assert_true(origin.failed);
        assert_int_equal(read_until_it_ends(), GATE_E_RESET);
        close_pair();
        test_tls_origin_close(&origin);
    }
    forget();
}

static struct gate_str protocol; /* that the server chooses, whatever was offered */

static int choose(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                  const unsigned char *offered, unsigned int offered_n, void *arg)
{
    (void)ssl, (void)offered, (void)offered_n, (void)arg;
    *out = (const unsigned char *)protocol.p;
    *out_n = (unsigned char)protocol.n;
    return SSL_TLSEXT_ERR_OK;
}

static int choose_none(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                       const unsigned char *offered, unsigned int offered_n, void *arg)
{
    (void)ssl, (void)out, (void)out_n, (void)offered, (void)offered_n, (void)arg;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void takes_only_offered_protocols(void **state)
{
    static const struct gate_str both[] = {{"x/1", 3}, {"http/1.1", 8}};
    struct gate_tls_client_config config = usual();

    (void)state;
    config.alpn = both;
    config.n_alpn = 2;
    use(&config);
    test_tls_origin_open(&origin, &pki, "good", 0);
    SSL_CTX_set_alpn_select_cb(origin.ctx, choose, NULL);
    for (size_t i = 0; i < GATE_COUNT_OF(both); i++) {
        protocol = both[i];
        connect_pair(&plans[0], "a.test");
        assert_true(gate_str_eq(gate_tls_info(gate_tls_of(&conn))->alpn, both[i]));
        close_pair();
    }
    protocol = GATE_STR("h2");
    assert_int_equal(open_pair(&plans[0], "a.test"), GATE_OK);
    assert_false(shake_hands()); /* newer OpenSSL sees to it by itself, and calls it an extension */
    assert_true(failure == GATE_CLOSE_LINK_TLS_ALPN || failure == GATE_CLOSE_LINK_TLS_PROTOCOL);
    close_pair();
    SSL_CTX_set_alpn_select_cb(origin.ctx, choose_none, NULL);
    refuse("a.test", GATE_CLOSE_LINK_TLS_ALERT, "no application protocol");
    forget();
    config.n_alpn = 0;
    use(&config);
    connect_pair(&plans[0], "a.test");
    assert_int_equal(gate_tls_info(gate_tls_of(&conn))->alpn.n, 0);
    close_pair();
    forget();
    test_tls_origin_close(&origin);
}

static void tells_what_is_no_tls(void **state)
{
    struct gate_tls_client_config config = usual();

    (void)state;
    use_usual();
    test_tls_origin_open(&origin, &pki, "good", 0);
    assert_int_equal(open_pair(&plans[0], "a.test"), GATE_OK);
    assert_int_equal(write(origin.fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28), 28);
    gate_loop_turn(&loop, false);
    assert_int_equal(failure, GATE_CLOSE_LINK_TLS_PROTOCOL);
    assert_string_equal(why, "the server speaks plain HTTP");
    close_pair();
    assert_int_equal(open_pair(&plans[0], "a.test"), GATE_OK);
    assert_int_equal(write(origin.fd, "SSH-2.0-x\r\n", 11), 11);
    gate_loop_turn(&loop, false);
    assert_int_equal(failure, GATE_CLOSE_LINK_TLS_PROTOCOL);
    assert_non_null(strstr(why, "no TLS with the server: "));
    close_pair();
    assert_int_equal(open_pair(&plans[0], "a.test"), GATE_OK);
    shutdown(origin.fd, SHUT_WR);
    gate_loop_turn(&loop, false);
    assert_int_equal(failure, GATE_CLOSE_LINK_TLS_GONE);
    assert_string_equal(why, "the server closed in the handshake");
    close_pair();
    forget();
    test_tls_origin_close(&origin);
    config.min_version = GATE_TLS_1_3;
    use(&config);
    test_tls_origin_open(&origin, &pki, "good", TLS1_2_VERSION);
    refuse("a.test", GATE_CLOSE_LINK_TLS_ALERT, "protocol version");
    forget();
    test_tls_origin_close(&origin);
}

/* A PROXY header leaves before the first record, with it, and counts as written. */
static void some_bytes_go_first(void **state)
{
    char seen[6] = "";

    (void)state;
    use_usual();
    test_tls_origin_open(&origin, &pki, "good", 0);
    for (size_t p = 0; p < GATE_COUNT_OF(plans); p++) {
        size_t n = 0;

        assert_int_equal(gate_chain_copy(&first, "before", 6), 0);
        assert_int_equal(open_pair(&plans[p], "a.test"), GATE_OK);
        assert_int_equal(first.bytes, 0);
        for (int i = 0; i < 100 && n < 6; i++) {
            ssize_t got = read(origin.fd, seen + n, 6 - n);

            n += got > 0 ? (size_t)got : 0;
            gate_loop_turn(&loop, false);
        }
        assert_memory_equal(seen, "before", 6);
        assert_true(shake_hands());
        exchange_bytes();
        assert_true(gate_tls_written(gate_tls_of(&conn)) > 6);
        close_pair();
    }
    test_tls_origin_close(&origin);
    forget();
}

/* A conn that is closed in the middle leaves nothing behind. */
static void may_end_at_any_time(void **state)
{
    (void)state;
    use_usual();
    test_tls_origin_open(&origin, &pki, "good", 0);
    for (int steps = 0; steps < 40; steps++) {
        assert_int_equal(open_pair(&plans[3], "a.test"), GATE_OK);
        for (int i = 0; i < steps && handshake == GATE_E_AGAIN; i++) {
            test_tls_origin_shake(&origin);
            gate_loop_turn(&loop, false);
        }
        close_pair();
        assert_int_equal(loop.blocks.live, 0);
    }
    test_tls_origin_close(&origin);
    forget();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(works_however_slowly),
        cmocka_unit_test(asks_for_the_name),
        cmocka_unit_test(a_given_name_comes_first),
        cmocka_unit_test(a_name_is_needed),
        cmocka_unit_test(believes_only_its_authorities),
        cmocka_unit_test(a_certificate_can_be_pinned),
        cmocka_unit_test(shows_its_certificate),
        cmocka_unit_test(tells_that_it_was_refused),
        cmocka_unit_test(a_late_alert_is_a_cut),
        cmocka_unit_test(an_alert_about_a_request_is_a_cut),
        cmocka_unit_test(takes_only_offered_protocols),
        cmocka_unit_test(tells_what_is_no_tls),
        cmocka_unit_test(some_bytes_go_first),
        cmocka_unit_test(may_end_at_any_time),
    };

    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
