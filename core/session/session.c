/* Open, the clock of each state, close. Reading is session_h1.c and session_body.c, writing
 * session_stream.c; HTTP/2 is session_h2.c. */
#include "base/assert.h"
#include "session/ip_counts.h"
#include "session/session_int.h"

/* Who has just come has so long for its first request when descriptors run out. */
#define FIRST_MS 1000

void gate_session_readable(struct gate_conn *c)
{
    struct gate_session *s = gate_container_of(c, struct gate_session, conn);

    GATE_CHECK_MAGIC(s, GATE_SESSION_MAGIC);
    gate_session_h1_readable(s);
}

void gate_session_writable(struct gate_conn *c)
{
    struct gate_session *s = gate_container_of(c, struct gate_session, conn);

    GATE_CHECK_MAGIC(s, GATE_SESSION_MAGIC);
    if (s->h1 != NULL)
        gate_session_h1_flush(s);
}

void gate_session_close(struct gate_session *s, enum gate_close_reason why)
{
    struct gate_worker *w = s->worker;

    s->why = (uint8_t)why; /* what exchanges on it are told */
    if (s->hook != NULL)
        gate_hook_cancel(&s->hook);
    gate_seat_unref(&s->hook_seat);
    gate_session_tls_dropped(s);
    gate_session_proxy_drop(s);
    gate_session_h1_drop(s);
    gate_session_h2_drop(s);
    gate_list_remove(&s->node);
    gate_deadline_stop(&w->loop, &s->deadline);
    /* The kernel would keep what nobody reads for minutes, behind an end that nobody sees. */
    if (why == GATE_CLOSE_WRITE_STALL)
        gate_conn_abort(&s->conn);
    else
        gate_conn_close(&s->conn);
    if (s->counted) {
        struct gate_addr ip;

        gate_session_addr(s, &ip);
        gate_ip_counts_give(w->ip_counts, &ip);
    }
    gate_listener_unref(&s->listener);
    gate_counters_add(&w->counters, GATE_C_CLIENT_CLOSED, 1);
    gate_counters_close(&w->counters, why);
    w->sessions--;
    s->magic = 0;
    gate_slab_give(&w->session_slab, s);
}

void gate_session_addr(const struct gate_session *s, struct gate_addr *out)
{
    memset(out, 0, sizeof(*out));
    if (s->peer.sa.sa_family == AF_INET) {
        out->u.in4 = s->peer.in4;
        out->len = sizeof(out->u.in4);
    } else if (s->peer.sa.sa_family == AF_INET6) {
        out->u.in6 = s->peer.in6;
        out->len = sizeof(out->u.in6);
    } else {
        out->u.un.sun_family = AF_UNIX;
        out->len = sizeof(sa_family_t);
    }
}

/* While an exchange runs: the write stall, and the window of the body rate while bytes are wanted.
 */
static uint64_t exchange_deadline(const struct gate_session *s)
{
    const struct gate_limits *limits = gate_session_limits(s);
    const struct gate_h1_server *h = s->h1;
    uint64_t at = UINT64_MAX;

    if (h->out.out.bytes > 0)
        at = h->wrote_ms + limits->write_stall_ms;
    if (!h->body_done && !h->body_bad && !h->tunnel && h->credit > 0 && !h->paused &&
        !h->stream.rests && limits->body_rate > 0 && h->window_ms + GATE_RATE_WINDOW_MS < at)
        at = h->window_ms + GATE_RATE_WINDOW_MS;
    if (h->tunnel && h->out.ended && h->window_ms + limits->idle_timeout_ms < at)
        at = h->window_ms + limits->idle_timeout_ms;
    return at;
}

/* The answer is given, but the client has not taken all of it. */
static bool unread(const struct gate_session *s)
{
    return s->h1 != NULL && s->h1->out.out.bytes > 0;
}

void gate_session_clock(struct gate_session *s)
{
    const struct gate_limits *limits = gate_session_limits(s);
    uint64_t now = gate_loop_now(s->conn.loop);
    uint64_t at = UINT64_MAX;

    switch (s->state) {
    case GATE_SESSION_IDLE:
        at = now + limits->idle_timeout_ms;
        if (unread(s) && s->h1->wrote_ms + limits->write_stall_ms < at)
            at = s->h1->wrote_ms + limits->write_stall_ms;
        if (s->worker->draining && s->deadline.at_ms < at)
            return; /* the grace time holds, whatever is written meanwhile */
        break;
    case GATE_SESSION_HEAD:
        at = s->h1->begin_ns / GATE_MS + limits->header_timeout_ms;
        break;
    case GATE_SESSION_EXCHANGE:
        at = exchange_deadline(s);
        break;
    case GATE_SESSION_CLOSING:
        at = now + limits->write_stall_ms;
        break;
    case GATE_SESSION_LINGER:
        at = now + GATE_LINGER_MS;
        break;
    }
    gate_deadline_set(s->conn.loop, &s->deadline, at);
}

/* The body rate of the window that ends now. */
static void judge_rate(struct gate_session *s)
{
    struct gate_h1_server *h = s->h1;
    uint64_t need = (uint64_t)gate_session_limits(s)->body_rate * (GATE_RATE_WINDOW_MS / 1000);

    if (h->window_bytes < need) {
        h->body_bad = true;
        s->why = GATE_CLOSE_BODY_TIMEOUT;
        gate_flow_body_fault(h->x, GATE_FAULT_BODY_TIMEOUT, 408, "below the minimum body rate");
        return;
    }
    h->window_ms = gate_loop_now(s->conn.loop);
    h->window_bytes = 0;
    gate_session_clock(s);
}

static void exchange_late(struct gate_session *s)
{
    struct gate_h1_server *h = s->h1;
    uint64_t now = gate_loop_now(s->conn.loop);

    if (exchange_deadline(s) > now)     /* it has moved since it was set */
        gate_session_clock(s);
    else if (h->out.out.bytes > 0 && h->wrote_ms + gate_session_limits(s)->write_stall_ms <= now)
        gate_session_close(s, GATE_CLOSE_WRITE_STALL);
    else if (h->tunnel)
        gate_session_close(s, GATE_CLOSE_TUNNEL_END);
    else if (h->x != NULL)
        judge_rate(s);
}

/* A drain does not take the end of its answer from who reads slowly. */
static void idle_late(struct gate_session *s)
{
    bool draining = s->worker->draining;

    if (draining && unread(s) &&
        s->h1->wrote_ms + gate_session_limits(s)->write_stall_ms > gate_loop_now(s->conn.loop)) {
        s->state = GATE_SESSION_CLOSING;
        s->why = GATE_CLOSE_DRAIN;
        gate_session_clock(s);
        return;
    }
    gate_session_close(s, draining    ? GATE_CLOSE_DRAIN
                          : unread(s) ? GATE_CLOSE_WRITE_STALL
                                      : GATE_CLOSE_IDLE_TIMEOUT);
}

static void on_deadline(struct gate_timer *t)
{
    struct gate_session *s = gate_container_of(t, struct gate_session, deadline.timer);

    GATE_CHECK_MAGIC(s, GATE_SESSION_MAGIC);
    if (!gate_deadline_reached(s->conn.loop, &s->deadline))
        return;
    switch (s->state) {
    case GATE_SESSION_IDLE:
        idle_late(s);
        break;
    case GATE_SESSION_HANDSHAKE:
        gate_session_tls_fail(s, GATE_CLOSE_TLS_TIMEOUT);
        break;
    case GATE_SESSION_HEAD:
        gate_session_h1_refuse(s, (struct gate_refusal){408, "the head did not come in time"},
                               GATE_STR_NONE, GATE_CLOSE_HEADER_TIMEOUT);
        break;
    case GATE_SESSION_EXCHANGE:
        exchange_late(s);
        break;
    case GATE_SESSION_CLOSING:
        gate_session_close(s, GATE_CLOSE_WRITE_STALL);
        break;
    default:
        gate_session_close(s, s->why);
        break;
    }
}

void gate_session_linger(struct gate_session *s, uint32_t *left)
{
    char drop[8192];
    struct iovec iov = {drop, sizeof(drop)};
    size_t n = 0;
    enum gate_err e = gate_conn_read(&s->conn, &iov, 1, &n);

    if (e == GATE_E_AGAIN)
        return;
    if (e != GATE_OK) {
        gate_session_close(s, s->why);
    } else if (n < *left) {
        *left -= (uint32_t)n;
    } else {
        /* Enough was read. To close now would be a reset, ahead of our answer at a client that
         * sends without a look at it. */
        gate_conn_reading(&s->conn, false);
    }
}

void gate_session_idle(struct gate_session *s)
{
    s->state = GATE_SESSION_IDLE;
    gate_list_remove(&s->node);
    gate_list_push(&s->worker->session_list, &s->node);
    if (s->worker->draining) {
        gate_session_close(s, GATE_CLOSE_DRAIN);
        return;
    }
    gate_conn_reading(&s->conn, true);
    /* Whatever is still to be written: only a write that blocks brings the stall into it. */
    gate_deadline_set(s->conn.loop, &s->deadline,
                      gate_loop_now(s->conn.loop) + gate_session_limits(s)->idle_timeout_ms);
}

/* Whom it serves. */
void gate_session_set_peer(struct gate_session *s, const struct gate_addr *peer)
{
    if (peer->u.sa.sa_family == AF_INET)
        s->peer.in4 = peer->u.in4;
    else if (peer->u.sa.sa_family == AF_INET6)
        s->peer.in6 = peer->u.in6;
    else
        s->peer.sa.sa_family = AF_UNIX;
    s->ip_len = (uint8_t)gate_addr_format_ip(peer, s->ip, sizeof(s->ip));
}

/* Who the client is is known: it may speak. */
void gate_session_start(struct gate_session *s)
{
    if (s->listener->tls != NULL)
        gate_session_tls_begin(s);
    else
        gate_session_idle(s);
}

/* The connect hooks have let it in. */
static void begin(struct gate_session *s)
{
    if (s->listener->proxy_protocol)
        gate_session_proxy_begin(s);
    else
        gate_session_start(s);
}

static void connect_done(void *arg, const struct gate_hook_verdict *v)
{
    struct gate_session *s = arg;

    GATE_CHECK_MAGIC(s, GATE_SESSION_MAGIC);
    s->hook = NULL;
    gate_seat_unref(&s->hook_seat);
    if (v->kind == GATE_VERDICT_NEXT)
        begin(s);
    else
        gate_session_close(s, GATE_CLOSE_HOOK);
}

/* The connect hooks, where there are any. */
static void ask_hooks(struct gate_session *s, const struct gate_addr *peer)
{
    struct gate_connect_info info = {.port = gate_addr_port(peer)};
    struct gate_hook_verdict v = {.kind = GATE_VERDICT_NEXT};

    info.ip = gate_str_of(s->ip, s->ip_len);
    info.peer_ip = info.ip;
    s->state = GATE_SESSION_HOOK;
    s->hook_seat = gate_seat_ref(s->worker->seat);
    if (gate_flow_connect(s->worker, &info, connect_done, s, &s->hook, &v) != GATE_VM_YIELD)
        connect_done(s, &v);
}

/* Over this worker's share of the connections. */
static bool over_limit(const struct gate_worker *w)
{
    return w->session_limit > 0 && w->sessions > w->session_limit;
}

/* Counts it for its client; false: that one has as many as it may. */
bool gate_session_count(struct gate_session *s)
{
    const struct gate_worker *w = s->worker;
    uint32_t per_ip = gate_session_limits(s)->connections_per_ip;
    struct gate_addr ip;

    if (per_ip == 0 || w->ip_counts == NULL || s->peer.sa.sa_family == AF_UNIX)
        return true;
    gate_session_addr(s, &ip);
    s->counted = gate_ip_counts_take(w->ip_counts, &ip, per_ip);
    return s->counted;
}

static void tell_refused(struct gate_session *s)
{
    struct gate_session_shared *shared = gate_session_shared_of(s->worker);
    const struct gate_limits *limits = gate_session_limits(s);
    struct gate_log *log = s->worker->log;
    uint32_t untold;

    if (!gate_log_pace_allows(&shared->full_pace, gate_loop_now(s->conn.loop), 1, &untold))
        return;
    if (over_limit(s->worker))
        gate_logf(log, GATE_LOG_WARN,
                  "a connection of %.*s was closed: %u are open in this worker, its share of "
                  "limits.connections (%u)",
                  (int)s->ip_len, s->ip, s->worker->session_limit, limits->connections);
    else
        gate_logf(log, GATE_LOG_WARN,
                  "a connection of %.*s was closed: it has limits.connections_per_ip (%u) open",
                  (int)s->ip_len, s->ip, limits->connections_per_ip);
    if (untold > 0)
        gate_logf(log, GATE_LOG_WARN, "%u connections over the limits were closed before that one",
                  untold);
}

void gate_session_refuse(struct gate_session *s)
{
    gate_counters_add(&s->worker->counters, GATE_C_CLIENT_REFUSED, 1);
    tell_refused(s);
    gate_session_close(s, GATE_CLOSE_LIMIT);
}

void gate_session_open(struct gate_worker *w, struct gate_listener *l, int fd,
                       const struct gate_addr *peer)
{
    struct gate_session *s = gate_slab_take(&w->session_slab);

    memset(s, 0, sizeof(*s));
    s->magic = GATE_SESSION_MAGIC;
    s->worker = w;
    s->listener = l;
    l->refs++;
    w->sessions++;
    gate_counters_add(&w->counters, GATE_C_CLIENT_ACCEPTED, 1);
    gate_conn_open(&s->conn, &w->loop, fd, gate_session_readable, gate_session_writable);
    gate_deadline_init(&s->deadline, on_deadline);
    gate_list_init(&s->node);
    gate_list_push(&w->session_list, &s->node);
    gate_session_set_peer(s, peer);
    if (over_limit(w) || (!l->proxy_protocol && !gate_session_count(s)))
        gate_session_refuse(s);
    else if (w->seat->generation->config->global_hooks & (1u << GATE_HOOK_CONNECT))
        ask_hooks(s, peer);
    else
        begin(s);
}

void gate_session_init(struct gate_worker *w)
{
    struct gate_session_shared *shared = gate_calloc(1, sizeof(*shared));

    gate_slab_init(&w->session_slab, "session", sizeof(struct gate_session));
    gate_slab_init(&shared->h1, "h1 server", sizeof(struct gate_h1_server));
    gate_slab_init(&shared->proxy, "PROXY header", sizeof(struct gate_proxy_reader));
    gate_slab_init(&shared->h2, "h2 server", sizeof(struct gate_h2_server));
    gate_list_init(&w->session_list);
    gate_list_init(&shared->handshakes);
    w->session_shared = shared;
}

void gate_session_fini(struct gate_worker *w)
{
    struct gate_session_shared *shared = gate_session_shared_of(w);

    gate_session_close_all(w);
    gate_slab_fini(&shared->proxy);
    gate_slab_fini(&shared->h1);
    gate_slab_fini(&shared->h2);
    gate_h2_pool_free(&shared->pool);
    gate_slab_fini(&w->session_slab);
    gate_free(shared);
    w->session_shared = NULL;
}

/* Idle ones get the grace time from when they fell idle; those at work close after their answer. */
void gate_session_drain(struct gate_worker *w, uint32_t grace_ms)
{
    struct gate_list *next;

    for (struct gate_list *n = w->session_list.next; n != &w->session_list; n = next) {
        struct gate_session *s = gate_container_of(n, struct gate_session, node);

        next = n->next;
        if (s->h2 != NULL)
            gate_session_h2_drain(s);
        else if (s->state == GATE_SESSION_IDLE)
            gate_deadline_set(&w->loop, &s->deadline, gate_loop_now(&w->loop) + grace_ms);
    }
}

static void hurry(struct gate_session *s, uint64_t by_ms)
{
    if (s->deadline.at_ms > by_ms)
        gate_deadline_set(s->conn.loop, &s->deadline, by_ms);
}

void gate_session_make_room(struct gate_worker *w)
{
    uint64_t now = gate_loop_now(&w->loop);

    for (struct gate_list *n = w->session_list.next; n != &w->session_list; n = n->next) {
        struct gate_session *s = gate_container_of(n, struct gate_session, node);

        if (s->h2 != NULL)
            gate_session_h2_spare(s);
        else if (s->state == GATE_SESSION_IDLE && s->h1 == NULL)
            hurry(s, now + (s->requests == 0 ? FIRST_MS : 0));
    }
}

static void close_list(struct gate_list *sessions)
{
    while (!gate_list_empty(sessions))
        gate_session_close(gate_container_of(sessions->next, struct gate_session, node),
                           GATE_CLOSE_DRAIN);
}

void gate_session_close_all(struct gate_worker *w)
{
    close_list(&gate_session_shared_of(w)->handshakes);
    close_list(&w->session_list);
}

static bool is_on_seat(const struct gate_session *s, const struct gate_generation_seat *seat)
{
    const struct gate_exchange *x = s->h1 == NULL ? NULL : s->h1->x;

    return x != NULL && x->seat == seat && x->res.status != 101;
}

void gate_session_cut(struct gate_worker *w, const struct gate_generation_seat *seat)
{
    struct gate_list *next;

    for (struct gate_list *n = w->session_list.next; n != &w->session_list; n = next) {
        struct gate_session *s = gate_container_of(n, struct gate_session, node);

        next = n->next;
        if (s->h2 != NULL)
            gate_session_h2_cut(s, seat);
        else if (is_on_seat(s, seat))
            gate_session_close(s, GATE_CLOSE_DRAIN);
    }
}
