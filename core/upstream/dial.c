/* While it is dialed the conn of a link calls the functions here; gate_link_ready puts its own in
 * their place. Nothing reads from a link between that and its first request: what comes waits. */
#include "upstream/dial.h"

#include <errno.h>

#include "net/socket.h"
#include "tls/tls.h"

static struct gate_link *link_of_conn(struct gate_conn *c)
{
    return gate_container_of(c, struct gate_link, conn);
}

static void fail(struct gate_link *l, enum gate_err e, const char *why,
                 enum gate_close_reason reason)
{
    if (gate_tls_of(&l->conn) != NULL)
        gate_counters_add(l->links->counters, GATE_C_LINK_TLS_FAILED, 1);
    gate_link_failed(l, e, why, reason);
}

static void succeed(struct gate_link *l, enum gate_link_protocol protocol)
{
    gate_conn_reading(&l->conn, false);
    gate_link_ready(l, protocol);
}

static void on_deadline(struct gate_timer *t)
{
    struct gate_link *l = gate_container_of(t, struct gate_link, deadline.timer);

    if (gate_deadline_reached(l->conn.loop, &l->deadline))
        fail(l, GATE_E_TIMEOUT, "no answer in time",
             gate_tls_of(&l->conn) != NULL ? GATE_CLOSE_LINK_TLS_TIMEOUT : GATE_CLOSE_LINK_ERROR);
}

/* TLS */

/* What was agreed on. Without a word about it it is HTTP/1.1 (RFC 9113 section 3.2). False: that is
 * not what was wanted. */
static bool agreed(const struct gate_link *l, enum gate_link_protocol *protocol)
{
    bool h2 = gate_str_eq(gate_tls_info(gate_tls_of(&l->conn))->alpn, GATE_STR("h2"));

    *protocol = h2 ? GATE_LINK_H2 : GATE_LINK_H1;
    return h2 ? l->http2 != GATE_HTTP2_NEVER : l->http2 != GATE_HTTP2_ALWAYS;
}

static void on_shaking(struct gate_conn *c)
{
    struct gate_link *l = link_of_conn(c);
    struct gate_tls *tls = gate_tls_of(c);
    enum gate_link_protocol protocol;
    enum gate_err e = gate_tls_handshake(tls);

    if (e == GATE_E_AGAIN)
        return;
    if (e != GATE_OK) {
        fail(l, GATE_E_TLS, gate_tls_why(tls), gate_tls_failure(tls));
        return;
    }
    if (!agreed(l, &protocol)) {
        fail(l, GATE_E_TLS, "the server does not agree to the protocol",
             GATE_CLOSE_LINK_TLS_ALPN);
        return;
    }
    gate_counters_add(l->links->counters, GATE_C_LINK_TLS_HANDSHAKES, 1);
    if (gate_tls_info(tls)->resumed)
        gate_counters_add(l->links->counters, GATE_C_LINK_TLS_RESUMED, 1);
    succeed(l, protocol);
}

/* The server as it was declared, without its port. A Unix socket has no name. */
static struct gate_str host_of(const struct gate_peer *peer)
{
    struct gate_str host;
    uint16_t port;

    if (peer->addr.u.sa.sa_family == AF_UNIX ||
        gate_addr_split(gate_str_from_cstr(peer->name), &host, &port) != GATE_OK)
        return GATE_STR_NONE;
    return host;
}

/* What waits to be sent leaves before the first record. */
static enum gate_err begin_tls(struct gate_link *l)
{
    struct gate_tls_sessions *sessions = gate_links_sessions(l->local, l->peer, l->tls);
    enum gate_err e =
        gate_tls_connect(&l->conn, l->tls, host_of(l->peer), sessions, &l->h1.out.out);

    if (e != GATE_OK)
        return e;
    if (l->http2 == GATE_HTTP2_NEVER)
        gate_tls_no_http2(gate_tls_of(&l->conn));
    l->conn.on_readable = on_shaking;
    l->conn.on_writable = on_shaking;
    gate_conn_reading(&l->conn, true);
    return GATE_OK;
}

/* Connecting */

static enum gate_link_protocol plain_protocol(const struct gate_link *l)
{
    return l->http2 == GATE_HTTP2_ALWAYS ? GATE_LINK_H2 : GATE_LINK_H1;
}

static void on_connecting(struct gate_conn *c)
{
    struct gate_link *l = link_of_conn(c);
    enum gate_err e = gate_socket_connected(c->fd);

    if (e == GATE_E_AGAIN) {
        gate_conn_want_write(c);
        return;
    }
    if (e != GATE_OK) {
        fail(l, e, strerrordesc_np(errno), GATE_CLOSE_LINK_ERROR);
        return;
    }
    if (l->tls == NULL) {
        succeed(l, plain_protocol(l));
        return;
    }
    e = begin_tls(l);
    if (e == GATE_OK)
        on_shaking(c);
    else
        fail(l, e, gate_err_text(e), GATE_CLOSE_LINK_ERROR);
}

/* The result of gate_socket_connect as that of the whole dial, as far as it is known. */
static enum gate_err go_on(struct gate_link *l, enum gate_err connected, uint32_t timeout_ms)
{
    struct gate_loop *loop = l->conn.loop;

    if (connected == GATE_OK && l->tls == NULL) {
        gate_link_ready(l, plain_protocol(l));
        return GATE_OK;
    }
    l->conn.on_writable = on_connecting;
    l->deadline.timer.fn = on_deadline;
    gate_conn_want_write(&l->conn);
    if (timeout_ms > 0)
        gate_deadline_set(loop, &l->deadline, gate_loop_now(loop) + timeout_ms);
    return GATE_E_AGAIN;
}

enum gate_err gate_dial(struct gate_links *links, const struct gate_dial *how,
                        struct gate_link **out, const char **why)
{
    struct gate_link *l;
    int fd = -1;
    enum gate_err e = gate_socket_connect(&how->peer->addr, &fd);

    if (e != GATE_OK && e != GATE_E_AGAIN) {
        *why = strerrordesc_np(errno);
        return e;
    }
    l = gate_links_make(links, how->local, how->peer, fd);
    l->tls = gate_tls_client_ref(how->want->tls);
    l->http2 = how->want->http2;
    l->alone = how->want->alone;
    l->claims = l->http2 != GATE_HTTP2_NEVER;
    if (how->preface.n > 0 && gate_link_preface(l, how->preface) != GATE_OK) {
        gate_links_close(&l, GATE_CLOSE_LINK_ERROR);
        *why = gate_err_text(GATE_E_NOMEM);
        return GATE_E_NOMEM;
    }
    *out = l;
    e = go_on(l, e, how->want->connect_ms);
    gate_links_offer(l);
    return e;
}
