/* TLS before the first request: a handshake with a limit of time, at most so many at once, and a
 * word about those that fail. */
#include "session/session_int.h"

/* The first request of a handshake that a drain overtakes. */
#define DRAIN_GRACE_MS 500

static void leave(struct gate_session *s)
{
    s->conn.on_readable = gate_session_readable;
    s->conn.on_writable = gate_session_writable;
    if (gate_tls_of(&s->conn) != NULL)
        gate_session_shared_of(s->worker)->n_handshakes--;
    gate_list_remove(&s->node);
    gate_list_push(&s->worker->session_list, &s->node);
}

static void tell(struct gate_session *s, enum gate_close_reason why)
{
    struct gate_session_shared *shared = gate_session_shared_of(s->worker);
    const struct gate_tls *tls = gate_tls_of(&s->conn);
    struct gate_str sni = tls == NULL ? GATE_STR_NONE : gate_tls_asked(tls);
    uint32_t untold;

    /* Whoever fails on purpose fails often. */
    if (!gate_log_pace_allows(&shared->tls_pace, gate_loop_now(s->conn.loop), 1, &untold))
        return;
    gate_log_write(s->worker->log, GATE_LOG_INFO, "a TLS handshake failed",
                   (struct gate_log_field[]){
                       {"client", gate_str_of(s->ip, s->ip_len)},
                       {"listener", s->listener->text},
                       {"why", gate_str_from_cstr(gate_tls_failure_text(why))},
                       {"sni", sni},
                   },
                   sni.n > 0 ? 4 : 3);
    if (untold > 0)
        gate_logf(s->worker->log, GATE_LOG_INFO, "%u TLS handshakes failed before that one",
                  untold);
}

void gate_session_tls_fail(struct gate_session *s, enum gate_close_reason why)
{
    /* Who only looks whether somebody accepts has not begun a handshake. */
    if (why != GATE_CLOSE_CLIENT_EOF) {
        gate_counters_add(&s->worker->counters, GATE_C_TLS_FAILED, 1);
        tell(s, why);
    }
    if (why != GATE_CLOSE_TLS_PLAIN_HTTP) {
        gate_session_close(s, why);
        return;
    }
    leave(s);
    gate_tls_unwrap(&s->conn);
    gate_session_h1_new(s);
    gate_session_h1_refuse(s, (struct gate_refusal){400, "plain HTTP came where TLS is spoken"},
                           GATE_STR_NONE, why);
}

static bool has_left(struct gate_session *s)
{
    char byte;
    size_t n;
    enum gate_err err = s->conn.ops->peek(&s->conn, &byte, 1, &n);

    return err != GATE_OK && err != GATE_E_AGAIN;
}

/* The first byte is there. Too many handshakes: the oldest one has had the most time, and makes
 * room, but not for a client that has left. */
static bool start(struct gate_session *s)
{
    struct gate_worker *w = s->worker;
    struct gate_session_shared *shared = gate_session_shared_of(w);

    if (w->handshake_limit > 0 && shared->n_handshakes >= w->handshake_limit) {
        if (has_left(s)) {
            gate_session_tls_fail(s, GATE_CLOSE_CLIENT_EOF);
            return false;
        }
        gate_session_tls_fail(
            gate_container_of(shared->handshakes.next, struct gate_session, node),
            GATE_CLOSE_TLS_CROWDED);
    }
    if (gate_tls_accept(&s->conn, s->listener->tls) != GATE_OK) {
        gate_session_tls_fail(s, GATE_CLOSE_TLS_SYSTEM);
        return false;
    }
    if (w->seat->generation->config->global_hooks & (1u << GATE_HOOK_CERTIFICATE))
        gate_tls_ask(gate_tls_of(&s->conn));
    shared->n_handshakes++;
    gate_list_remove(&s->node);
    gate_list_push(&shared->handshakes, &s->node);
    return true;
}

static void succeed(struct gate_session *s)
{
    const struct gate_tls_info *info = gate_tls_info(gate_tls_of(&s->conn));

    gate_counters_add(&s->worker->counters, GATE_C_TLS_HANDSHAKES, 1);
    if (info->resumed)
        gate_counters_add(&s->worker->counters, GATE_C_TLS_RESUMED, 1);
    leave(s);
    if (gate_str_eq(info->alpn, GATE_STR("h2"))) {
        gate_session_h2_begin(s);
        return;
    }
    /* Amid a drain the first request is on its way: it gets its answer, and with it the close. */
    if (s->worker->draining) {
        s->state = GATE_SESSION_IDLE;
        gate_deadline_set(s->conn.loop, &s->deadline,
                          gate_loop_now(s->conn.loop) + DRAIN_GRACE_MS);
        return;
    }
    gate_session_idle(s);
}

void gate_session_tls_go_on(struct gate_session *s)
{
    struct gate_tls *tls = gate_tls_of(&s->conn);

    if (tls == NULL && !start(s))
        return;
    tls = gate_tls_of(&s->conn);
    if (s->choice != NULL) {
        gate_conn_reading(&s->conn, false);
        return;
    }
    switch (gate_tls_handshake(tls)) {
    case GATE_OK:
        succeed(s);
        break;
    case GATE_E_AGAIN:
        if (gate_tls_waits(tls))
            gate_session_choose(s);
        break;
    default:
        gate_session_tls_fail(s, gate_tls_failure(tls));
        break;
    }
}

/* The handshake may get further: the conn is readable, or what was in the way has left. */
static void on_ready(struct gate_conn *c)
{
    gate_session_tls_go_on(gate_container_of(c, struct gate_session, conn));
}

/* TLS itself begins with the first byte: a connection that says nothing costs nothing. */
void gate_session_tls_begin(struct gate_session *s)
{
    const struct gate_limits *limits = gate_session_limits(s);

    s->state = GATE_SESSION_HANDSHAKE;
    s->conn.on_readable = on_ready;
    s->conn.on_writable = on_ready;
    gate_conn_reading(&s->conn, true);
    gate_deadline_set(s->conn.loop, &s->deadline,
                      gate_loop_now(s->conn.loop) + limits->handshake_timeout_ms);
}

struct gate_refusal gate_session_tls_judge(const struct gate_session *s, struct gate_str host)
{
    const struct gate_tls_info *info = gate_tls_info(gate_tls_of(&s->conn));

    if (gate_tls_server_covers(s->listener->tls, info->sni, host))
        return (struct gate_refusal){0, NULL};
    return (struct gate_refusal){421, "another certificate than this connection's is for the host"};
}

void gate_session_tls_dropped(struct gate_session *s)
{
    if (s->choice != NULL)
        gate_session_choice_drop(s);
    if (s->state == GATE_SESSION_HANDSHAKE)
        leave(s);
}
