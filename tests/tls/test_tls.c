/* A TLS conn is a conn, whatever the network does: the same bytes in the same order, ends that are
 * ends, cuts that are cuts.
 * covers: tls/bio.c tls/handshake.c tls/context.c tls/pair.c */
#include <openssl/err.h>

#include "tls_world.h"

static char sent[300000];
static char got[sizeof(sent)];

static void fill(size_t n)
{
    for (size_t i = 0; i < n; i++)
        sent[i] = (char)(i * 7 + i / 251 + i / 16384);
    memset(got, 0, n);
}

/* n bytes from the server, in pieces of several slices, as the loop lets it. */
static void server_sends(size_t n)
{
    size_t at = 0, back = 0;
    bool blocked = false;

    for (int i = 0; i < 3000000 && back < n; i++) {
        size_t put = 0, took = 0;
        size_t third = (n - at) / 3;
        struct iovec iov[3] = {{sent + at, third},
                               {sent + at + third, third},
                               {sent + at + 2 * third, n - at - 2 * third}};

        if (at < n && !blocked) {
            enum gate_err err = third > 0 ? gate_conn_write(&conn, iov, 3, &put)
                                          : gate_conn_write(&conn, iov + 2, 1, &put);

            assert_true(err == GATE_OK || err == GATE_E_AGAIN);
            assert_true(err == GATE_OK ? put > 0 : put == 0);
            blocked = err == GATE_E_AGAIN;
            if (blocked)
                gate_conn_want_write(&conn);
            at += put;
        }
        writable = 0;
        gate_loop_turn(&loop, false);
        blocked = blocked && writable == 0;
        while (back < n && test_tls_read(&client, got + back, n - back, &took))
            back += took;
        assert_false(test_tls_failed(&client));
    }
    assert_int_equal(back, n);
    assert_memory_equal(got, sent, n);
}

/* n bytes to the server, which reads when it is told to and into several slices. */
static void client_sends(size_t n)
{
    size_t at = 0, back = 0;

    readable = 0;
    for (int i = 0; i < 3000000 && back < n; i++) {
        size_t put = 0, took = 0;

        if (at < n && test_tls_write(&client, sent + at, n - at, &put))
            at += put;
        assert_false(test_tls_failed(&client));
        gate_loop_turn(&loop, false);
        if (readable > 0) {
            struct iovec iov[2] = {{got + back, (n - back + 1) / 2},
                                   {got + back + (n - back + 1) / 2, (n - back) / 2}};
            enum gate_err err = gate_conn_read(&conn, iov, 2, &took);

            readable = 0;
            assert_true(err == GATE_OK || err == GATE_E_AGAIN);
            back += took;
        }
    }
    assert_int_equal(back, n);
    assert_memory_equal(got, sent, n);
}

static void bytes_pass(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    (void)state;
    serve_ec();
    for (size_t v = 0; v < GATE_COUNT_OF(versions); v++) {
        for (size_t p = 0; p < GATE_COUNT_OF(plans); p++) {
            size_t n = plans[p].max_bytes == 1 ? 20000 : sizeof(sent);

            fill(n);
            connect_pair(&plans[p], versions[v], "a.test");
            server_sends(1);
            client_sends(1);
            server_sends(n);
            client_sends(n);
            server_sends(16384);
            close_pair();
        }
    }
    stop();
}

/* What costs a system call each: one for a record that is read, one for many that are written. */
static void few_calls(void **state)
{
    struct iovec iov = {got, sizeof(got)};
    uint32_t before;
    size_t n;

    (void)state;
    serve_ec();
    fill(65536);
    connect_pair(&plans[0], TLS1_3_VERSION, "a.test");
    assert_true(test_tls_write(&client, sent, 1000, &n));
    before = plan.calls;
    assert_int_equal(gate_conn_read(&conn, &iov, 1, &n), GATE_OK);
    assert_int_equal(n, 1000);
    assert_int_equal(plan.calls, before + 1);
    before = plan.calls;
    assert_int_equal(gate_conn_write(&conn, &(struct iovec){sent, 65536}, 1, &n), GATE_OK);
    assert_int_equal(n, 65536);
    assert_int_equal(plan.calls, before + 1);
    close_pair();
    stop();
}

/* Two pieces that fit into a record make one record. */
static void pieces_share_a_record(void **state)
{
    struct iovec iov[2] = {{"head", 4}, {"body", 4}};
    size_t n;

    (void)state;
    serve_ec();
    connect_pair(&plans[0], TLS1_3_VERSION, "a.test");
    assert_int_equal(gate_conn_write(&conn, iov, 2, &n), GATE_OK);
    assert_int_equal(n, 8);
    assert_true(test_tls_read(&client, got, sizeof(got), &n));
    assert_int_equal(n, 8);
    assert_memory_equal(got, "headbody", 8);
    close_pair();
    stop();
}

/* Records that were taken in with another one: no event of the socket announces them. */
static void pending_bytes_are_announced(void **state)
{
    size_t n;

    (void)state;
    serve_ec();
    connect_pair(&plans[0], TLS1_3_VERSION, "a.test");
    assert_true(test_tls_write(&client, "ab", 2, &n));
    assert_true(test_tls_write(&client, "c", 1, &n));
    takes_one = true;
    for (int i = 0; i < 10; i++)
        gate_loop_turn(&loop, false);
    takes_one = false;
    assert_int_equal(readable, 3);
    assert_memory_equal(taken, "abc", 3);
    assert_int_equal(conn.ops->pending(&conn), 0);
    close_pair();
    stop();
}

/* Half a record is nothing to read: who waits for the rest must not spin. */
static void half_a_record_is_not_pending(void **state)
{
    struct iovec iov = {got, sizeof(got)};
    char record[2000];
    ssize_t size;
    size_t n;
    int fd[2];

    (void)state;
    serve_ec();
    connect_pair(&plans[0], TLS1_3_VERSION, "a.test");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    SSL_set_fd(client.ssl, fd[0]);
    assert_true(test_tls_write(&client, "abc", 3, &n));
    size = read(fd[1], record, sizeof(record));
    assert_true(size > 10);
    assert_int_equal(write(client.fd, record, 10), 10);
    assert_int_equal(gate_conn_read(&conn, &iov, 1, &n), GATE_E_AGAIN);
    assert_int_equal(conn.read_wants, GATE_WANT_READ);
    assert_int_equal(conn.ops->pending(&conn), 0);
    assert_int_equal(write(client.fd, record + 10, (size_t)size - 10), size - 10);
    assert_int_equal(gate_conn_read(&conn, &iov, 1, &n), GATE_OK);
    assert_int_equal(n, 3);
    SSL_set_fd(client.ssl, client.fd);
    close(fd[0]);
    close(fd[1]);
    close_pair();
    stop();
}

static void peek_takes_nothing(void **state)
{
    struct iovec iov = {got, sizeof(got)};
    size_t n;

    (void)state;
    serve_ec();
    connect_pair(&plans[0], TLS1_3_VERSION, "a.test");
    assert_int_equal(conn.ops->peek(&conn, got, 2, &n), GATE_E_AGAIN);
    assert_true(test_tls_write(&client, "abc", 3, &n));
    assert_int_equal(conn.ops->peek(&conn, got, 2, &n), GATE_OK);
    assert_int_equal(n, 2);
    assert_int_equal(gate_conn_read(&conn, &iov, 1, &n), GATE_OK);
    assert_int_equal(n, 3);
    close_pair();
    stop();
}

static void never_spliced(void **state)
{
    struct gate_chain chain;
    size_t n;

    (void)state;
    serve_ec();
    connect_pair(&plans[0], TLS1_3_VERSION, "a.test");
    gate_chain_init(&chain, &loop.blocks);
    assert_int_equal(gate_conn_splice(&conn, 100, &chain, &n), GATE_E_LIMIT);
    assert_null(conn.ops->from_pipe);
    close_pair();
    stop();
}

/* Ends */

static void the_client_says_goodbye(void **state)
{
    struct iovec iov = {got, sizeof(got)};
    size_t n;

    (void)state;
    serve_ec();
    for (size_t p = 0; p < GATE_COUNT_OF(plans); p++) {
        enum gate_err err;

        connect_pair(&plans[p], TLS1_3_VERSION, "a.test");
        assert_int_equal(SSL_shutdown(client.ssl), 0);
        while ((err = gate_conn_read(&conn, &iov, 1, &n)) == GATE_E_AGAIN)
            gate_loop_turn(&loop, false);
        assert_int_equal(err, GATE_E_EOF);
        assert_int_equal(gate_conn_read(&conn, &iov, 1, &n), GATE_E_EOF);
        close_pair();
    }
    stop();
}

/* Somebody else may have cut it: that must not look like an end. */
static void an_end_without_goodbye_is_a_cut(void **state)
{
    struct iovec iov = {got, sizeof(got)};
    size_t n;

    (void)state;
    serve_ec();
    connect_pair(&plans[0], TLS1_3_VERSION, "a.test");
    assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
    assert_int_equal(gate_conn_read(&conn, &iov, 1, &n), GATE_E_RESET);
    assert_int_equal(gate_conn_read(&conn, &iov, 1, &n), GATE_E_RESET);
    assert_int_equal(gate_conn_write(&conn, &(struct iovec){"x", 1}, 1, &n), GATE_E_RESET);
    close_pair();
    stop();
}

static void we_say_goodbye(void **state)
{
    size_t n;

    (void)state;
    serve_ec();
    for (int by_shut = 0; by_shut < 2; by_shut++) {
        connect_pair(&plans[0], TLS1_3_VERSION, "a.test");
        if (by_shut)
            assert_int_equal(conn.ops->shut(&conn), GATE_OK);
        else
            gate_conn_close(&conn);
        assert_false(test_tls_read(&client, got, sizeof(got), &n));
        assert_int_equal(client.error, SSL_ERROR_ZERO_RETURN);
        close_pair();
    }
    stop();
}

static void what_is_cut_looks_cut(void **state)
{
    size_t n;

    (void)state;
    serve_ec();
    connect_pair(&plans[0], TLS1_3_VERSION, "a.test");
    gate_conn_abort(&conn);
    assert_false(test_tls_read(&client, got, sizeof(got), &n));
    assert_int_not_equal(client.error, SSL_ERROR_ZERO_RETURN);
    close_pair();
    stop();
}

static void broken_records_end_it(void **state)
{
    struct iovec iov = {got, sizeof(got)};
    size_t n;

    (void)state;
    serve_ec();
    connect_pair(&plans[0], TLS1_3_VERSION, "a.test");
    assert_int_equal(write(client.fd, "\x17\x03\x03\x00\x20garbage that nobody sealed......", 37),
                     37);
    assert_int_equal(gate_conn_read(&conn, &iov, 1, &n), GATE_E_RESET);
    assert_false(test_tls_read(&client, got, sizeof(got), &n));
    assert_int_equal(client.reason, SSL_AD_REASON_OFFSET + SSL_AD_BAD_RECORD_MAC);
    close_pair();
    stop();
}

/* Faults */

/* Whatever fails, and whenever: no crash, no leak, an answer of the contract. */
static void errno_at_a_call(void **state)
{
    static const int errors[] = {ECONNRESET, EPIPE, EIO, ENOBUFS};
    struct iovec iov = {got, sizeof(got)};
    size_t n;

    (void)state;
    serve_ec();
    for (size_t e = 0; e < GATE_COUNT_OF(errors); e++) {
        for (uint32_t k = 1; k <= 12; k++) {
            struct gate_fault_plan bad = {.fail_at = k, .fail_errno = errors[e]};

            open_pair(&bad, TLS1_3_VERSION, "a.test");
            if (shake_hands()) {
                enum gate_err err = GATE_OK;

                for (int i = 0; i < 12 && err != GATE_E_RESET && err != GATE_E_SYS; i++) {
                    err = gate_conn_write(&conn, &(struct iovec){"x", 1}, 1, &n);
                    if (err == GATE_OK)
                        err = gate_conn_read(&conn, &iov, 1, &n);
                }
                assert_true(err == GATE_E_RESET || err == GATE_E_SYS);
            } else {
                assert_true(failure == GATE_CLOSE_TLS_GONE || failure == GATE_CLOSE_CLIENT_EOF || failure == GATE_CLOSE_TLS_SYSTEM);
            }
            close_pair();
        }
    }
    stop();
}

/* Handshakes that cannot be */

static void failures_have_reasons(void **state)
{
    static const struct gate_tls_config only_1_3 = {
        .certificates = ec_only, .n_certificates = 1, .min_version = GATE_TLS_1_3};

    (void)state;
    serve(&only_1_3);
    open_pair(&plans[0], TLS1_2_VERSION, NULL);
    assert_false(shake_hands());
    assert_int_equal(failure, GATE_CLOSE_TLS_VERSION);
    assert_int_equal(client.reason, SSL_AD_REASON_OFFSET + SSL_AD_PROTOCOL_VERSION);
    close_pair();
    stop();

    serve_ec();
    open_pair(&plans[0], TLS1_2_VERSION, NULL);
    SSL_set_cipher_list(client.ssl, "ECDHE-RSA-AES128-GCM-SHA256");
    assert_false(shake_hands());
    assert_int_equal(failure, GATE_CLOSE_TLS_CIPHER);
    close_pair();

    open_pair(&plans[0], 0, NULL);
    SSL_set_alpn_protos(client.ssl, (const unsigned char *)"\x04spdy", 5);
    assert_false(shake_hands());
    assert_int_equal(failure, GATE_CLOSE_TLS_ALPN);
    assert_int_equal(client.reason, SSL_AD_REASON_OFFSET + SSL_AD_NO_APPLICATION_PROTOCOL);
    close_pair();

    open_pair(&plans[0], TLS1_3_VERSION, NULL);
    SSL_set_verify(client.ssl, SSL_VERIFY_PEER, NULL);
    assert_false(shake_hands());
    gate_loop_turn(&loop, false);
    assert_int_equal(failure, GATE_CLOSE_TLS_ALERT);
    close_pair();
    stop();
}

static void say_and_fail(const char *bytes, size_t n, enum gate_close_reason why)
{
    open_pair(&plans[0], 0, NULL);
    assert_int_equal(write(client.fd, bytes, n), (ssize_t)n);
    if (n <= 1)
        shutdown(client.fd, SHUT_WR);
    for (int i = 0; i < 10 && handshake == GATE_E_AGAIN; i++)
        gate_loop_turn(&loop, false);
    assert_int_equal(handshake, GATE_E_LIMIT);
    assert_int_equal(failure, why);
    close_pair();
}

static void what_is_no_tls(void **state)
{
    (void)state;
    serve_ec();
    say_and_fail("GET / HTTP/1.1\r\n\r\n", 18, GATE_CLOSE_TLS_PLAIN_HTTP);
    say_and_fail("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b", 12, GATE_CLOSE_TLS_PROTOCOL);
    say_and_fail("\x16", 1, GATE_CLOSE_TLS_GONE);
    say_and_fail("", 0, GATE_CLOSE_CLIENT_EOF);
    stop();
}

/* Nothing old: no CBC, no RSA key exchange, no TLS 1.1. */
static void old_things_are_refused(void **state)
{
    static const char *const lists[] = {
        "ECDHE-ECDSA-AES128-SHA256", "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES256-SHA",
    };
    static const struct gate_certificate_config both[] = {
        {.cert = {"ec.pem", 6}, .key = {"ec.key", 6}, .fallback = true},
        {.cert = {"rsa.pem", 7}, .key = {"rsa.key", 7}, .fallback = true},
    };
    static const struct gate_tls_config config = {.certificates = both, .n_certificates = 2};

    (void)state;
    serve(&config);
    for (size_t i = 0; i < GATE_COUNT_OF(lists); i++) {
        open_pair(&plans[0], TLS1_2_VERSION, NULL);
        assert_int_equal(SSL_set_cipher_list(client.ssl, lists[i]), 1);
        assert_false(shake_hands());
        assert_int_equal(failure, GATE_CLOSE_TLS_CIPHER);
        close_pair();
    }
    open_pair(&plans[0], TLS1_1_VERSION, NULL);
    SSL_set_security_level(client.ssl, 0);
    assert_false(shake_hands());
    assert_int_equal(failure, GATE_CLOSE_TLS_VERSION);
    close_pair();
    stop();
}

static void no_renegotiation(void **state)
{
    struct iovec iov = {got, sizeof(got)};
    size_t n;

    (void)state;
    serve_ec();
    connect_pair(&plans[0], TLS1_2_VERSION, NULL);
    assert_int_equal(SSL_renegotiate(client.ssl), 1);
    SSL_do_handshake(client.ssl);
    gate_conn_read(&conn, &iov, 1, &n);
    assert_false(test_tls_read(&client, got, sizeof(got), &n));
    assert_int_equal(client.reason, SSL_R_NO_RENEGOTIATION);
    close_pair();
    stop();
}

/* Asking for new keys is cheap, making them is not. */
static void key_updates_are_counted(void **state)
{
    struct iovec iov = {got, sizeof(got)};
    size_t n;

    (void)state;
    serve_ec();
    connect_pair(&plans[0], TLS1_3_VERSION, NULL);
    for (int i = 0; i < 17; i++) {
        assert_int_equal(SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_true(test_tls_write(&client, "x", 1, &n));
        assert_int_equal(gate_conn_read(&conn, &iov, 1, &n), i < 16 ? GATE_OK : GATE_E_RESET);
        if (i < 16) {
            assert_int_equal(gate_conn_write(&conn, &(struct iovec){"y", 1}, 1, &n), GATE_OK);
            assert_true(test_tls_read(&client, got, sizeof(got), &n));
        }
    }
    close_pair();
    stop();
}

/* Agreements */

static bool is(struct gate_str s, const char *z)
{
    return gate_str_eq(s, gate_str_from_cstr(z));
}

static void info_says_what_was_agreed(void **state)
{
    const struct gate_tls_info *info;

    (void)state;
    serve_ec();
    open_pair(&plans[0], TLS1_3_VERSION, "A.test.");
    SSL_set_alpn_protos(client.ssl, (const unsigned char *)"\x02h9\x08http/1.1", 12);
    assert_true(shake_hands());
    info = gate_tls_info(gate_tls_of(&conn));
    assert_true(is(info->version, "1.3"));
    assert_true(is(info->cipher, "TLS_AES_128_GCM_SHA256"));
    assert_true(is(info->sni, "a.test"));
    assert_true(is(info->alpn, "http/1.1"));
    assert_false(info->resumed);
    close_pair();
    connect_pair(&plans[0], TLS1_2_VERSION, NULL);
    info = gate_tls_info(gate_tls_of(&conn));
    assert_true(is(info->version, "1.2"));
    assert_true(is(info->cipher, "ECDHE-ECDSA-AES128-GCM-SHA256"));
    assert_true(info->sni.n == 0 && info->alpn.n == 0);
    close_pair();
    stop();
}

static int n_tickets;
static SSL_SESSION *ticket;

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    n_tickets++;
    SSL_SESSION_free(ticket);
    ticket = session;
    return 1;
}

static void open_for_tickets(void)
{
    n_tickets = 0;
    open_pair(&plans[0], TLS1_3_VERSION, "a.test");
    SSL_CTX_set_session_cache_mode(client.ctx,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client.ctx, on_ticket);
}

/* One ticket, and no call of its own for it. */
static void the_ticket_goes_with_the_first_answer(void **state)
{
    size_t n;

    (void)state;
    serve_ec();
    open_for_tickets();
    assert_true(shake_hands());
    assert_false(test_tls_read(&client, got, sizeof(got), &n));
    assert_int_equal(n_tickets, 0);
    assert_int_equal(gate_conn_write(&conn, &(struct iovec){"x", 1}, 1, &n), GATE_OK);
    assert_true(test_tls_read(&client, got, sizeof(got), &n));
    assert_int_equal(n_tickets, 1);
    close_pair();
    open_for_tickets();
    SSL_set_session(client.ssl, ticket);
    assert_true(shake_hands());
    assert_true(SSL_session_reused(client.ssl));
    assert_true(gate_tls_info(gate_tls_of(&conn))->resumed);
    close_pair();
    SSL_SESSION_free(ticket);
    ticket = NULL;
    stop();
}

static void a_quiet_client_gets_its_ticket(void **state)
{
    size_t n;

    (void)state;
    serve_ec();
    open_for_tickets();
    assert_true(shake_hands());
    gate_clock_advance(&test_clock, 100 * GATE_MS);
    gate_loop_refresh(&loop);
    gate_loop_turn(&loop, false);
    assert_false(test_tls_read(&client, got, sizeof(got), &n));
    assert_int_equal(n_tickets, 1);
    close_pair();
    SSL_SESSION_free(ticket);
    ticket = NULL;
    stop();
}

/* Somebody else chooses */

/* Goes on until the handshake waits for an answer. */
static void until_it_waits(const struct gate_fault_plan *p, int version, const char *sni)
{
    open_pair(p, version, sni);
    gate_tls_ask(gate_tls_of(&conn));
    SSL_set_alpn_protos(client.ssl, (const unsigned char *)"\x02h9\x02\x01x\x08http/1.1", 15);
    for (int i = 0; i < 100000 && !gate_tls_waits(gate_tls_of(&conn)); i++) {
        test_tls_connect(&client);
        gate_loop_turn(&loop, false);
    }
    assert_true(gate_tls_waits(gate_tls_of(&conn)));
    assert_int_equal(handshake, GATE_E_AGAIN);
}

static void answer_with(const char *cert, const char *key, bool good)
{
    struct gate_tls_pair *pair = NULL;
    char why[512];

    if (cert != NULL)
        assert_int_equal(gate_tls_pair_new(server, gate_str_from_cstr(cert),
                                           gate_str_from_cstr(key), &pair, why, sizeof(why)),
                         GATE_OK);
    gate_tls_answer(gate_tls_of(&conn), &pair, good);
    assert_null(pair);
    shake(&conn);
}

static const char *shown(void)
{
    static char subject[64];
    X509 *x = SSL_get1_peer_certificate(client.ssl);

    X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, subject, sizeof(subject));
    X509_free(x);
    return subject;
}

static void a_choice_may_take_its_time(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    (void)state;
    serve_ec();
    for (size_t p = 0; p < GATE_COUNT_OF(plans) * GATE_COUNT_OF(versions); p++) {
        const struct gate_fault_plan *network = &plans[p / GATE_COUNT_OF(versions)];
        int version = versions[p % GATE_COUNT_OF(versions)];

        until_it_waits(network, version, "x.test");
        assert_true(is(gate_tls_asked(gate_tls_of(&conn)), "x.test"));
        assert_true(is(gate_tls_offer(gate_tls_of(&conn)), "h9\nhttp/1.1")); /* no odd ones */
        answer_with("b.pem", "b.key", true);
        assert_true(shake_hands());
        assert_string_equal(shown(), "b");
        close_pair();
        until_it_waits(network, version, NULL);
        answer_with(NULL, NULL, true);
        assert_true(shake_hands());
        assert_string_equal(shown(), "ec");
        close_pair();
    }
    stop();
}

static void a_choice_may_be_none(void **state)
{
    (void)state;
    serve_ec();
    until_it_waits(&plans[0], TLS1_3_VERSION, "x.test");
    answer_with(NULL, NULL, false);
    assert_false(shake_hands());
    assert_int_equal(failure, GATE_CLOSE_TLS_HOOK);
    assert_int_equal(client.reason, SSL_AD_REASON_OFFSET + SSL_AD_INTERNAL_ERROR);
    close_pair();
    until_it_waits(&plans[0], TLS1_3_VERSION, "x.test"); /* nobody answers */
    close_pair();
    stop();
}

/* Its kind of key is the only one, whatever else the gateway has. */
static void a_choice_replaces_all_kinds(void **state)
{
    static const struct gate_certificate_config both[] = {
        {.cert = {"ec.pem", 6}, .key = {"ec.key", 6}, .fallback = true},
        {.cert = {"rsa.pem", 7}, .key = {"rsa.key", 7}, .fallback = true},
    };
    static const struct gate_tls_config config = {.certificates = both, .n_certificates = 2};

    (void)state;
    serve(&config);
    until_it_waits(&plans[0], TLS1_2_VERSION, "b.test");
    close_pair();
    open_pair(&plans[0], TLS1_2_VERSION, "b.test");
    gate_tls_ask(gate_tls_of(&conn));
    SSL_set_cipher_list(client.ssl, "ECDHE-RSA-AES128-GCM-SHA256");
    test_tls_connect(&client);
    gate_loop_turn(&loop, false);
    answer_with("b.pem", "b.key", true);
    assert_false(shake_hands());
    assert_int_equal(failure, GATE_CLOSE_TLS_CIPHER);
    close_pair();
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_pass),
        cmocka_unit_test(few_calls),
        cmocka_unit_test(pieces_share_a_record),
        cmocka_unit_test(pending_bytes_are_announced),
        cmocka_unit_test(half_a_record_is_not_pending),
        cmocka_unit_test(peek_takes_nothing),
        cmocka_unit_test(never_spliced),
        cmocka_unit_test(the_client_says_goodbye),
        cmocka_unit_test(an_end_without_goodbye_is_a_cut),
        cmocka_unit_test(we_say_goodbye),
        cmocka_unit_test(what_is_cut_looks_cut),
        cmocka_unit_test(broken_records_end_it),
        cmocka_unit_test(errno_at_a_call),
        cmocka_unit_test(failures_have_reasons),
        cmocka_unit_test(what_is_no_tls),
        cmocka_unit_test(old_things_are_refused),
        cmocka_unit_test(no_renegotiation),
        cmocka_unit_test(key_updates_are_counted),
        cmocka_unit_test(info_says_what_was_agreed),
        cmocka_unit_test(the_ticket_goes_with_the_first_answer),
        cmocka_unit_test(a_quiet_client_gets_its_ticket),
        cmocka_unit_test(a_choice_may_take_its_time),
        cmocka_unit_test(a_choice_may_be_none),
        cmocka_unit_test(a_choice_replaces_all_kinds),
    };

    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
