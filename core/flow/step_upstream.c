/* The upstream side of an exchange: pick a peer, dial, send the request head, start the upload; and
 * what to do when a try fails before there is an answer. */
#include "base/assert.h"
#include "flow/flow_int.h"
#include "http/proxy_header.h"
#include "http/target.h"
#include "net/socket.h"

/* ------------------------------------------------------------------ pick */

#define QUIET_MS 60000

static void prefer(uint32_t *ms, uint32_t other)
{
    if (other != GATE_TIMEOUT_NOT_GIVEN)
        *ms = other;
}

/* A gRPC call may be silent for as long as it lasts, unless the configuration says otherwise. */
static void merge_timeouts(struct gate_exchange *x)
{
    const struct gate_timeouts *u = &x->flow->upstream->timeouts;
    const struct gate_route_config *route = x->match.route;
    struct gate_timeouts *t = &x->flow->timeouts;
    const struct gate_timeouts *r;

    *t = *u;
    t->first_byte_ms = t->read_ms = x->down->unhurried ? 0 : QUIET_MS;
    prefer(&t->first_byte_ms, u->first_byte_ms);
    prefer(&t->read_ms, u->read_ms);
    if (route == NULL || !route->timed)
        return;
    r = &route->timeouts;
    prefer(&t->connect_ms, r->connect_ms);
    prefer(&t->send_ms, r->send_ms);
    prefer(&t->first_byte_ms, r->first_byte_ms);
    prefer(&t->read_ms, r->read_ms);
    prefer(&t->total_ms, r->total_ms);
}

static void on_total(struct gate_timer *t)
{
    struct gate_exchange *x = gate_container_of(t, struct gate_exchange, timer);

    if (x->attempt == NULL || x->attempt->ended)
        return; /* what takes its time now is not the upstream */
    if (x->flow->dialing)
        gate_exchange_fault(x, GATE_FAULT_CONNECT_TIMEOUT, 0, "timeouts.total is over: connecting");
    else if (x->res.head == NULL)
        gate_exchange_fault(x, GATE_FAULT_FIRST_BYTE_TIMEOUT, 0,
                            "timeouts.total is over: no response head yet");
    else
        gate_exchange_fault(x, GATE_FAULT_READ_TIMEOUT, 0,
                            "timeouts.total is over: the response is not complete");
    gate_flow_resume(x);
}

/* Once per exchange: the worker's side of the upstream, its limits. */
static void enter_upstream(struct gate_exchange *x)
{
    struct gate_flow_state *f = x->flow;

    f->upstream = &gate_flow_config(x)->upstreams[x->upstream];
    f->local = gate_links_local(x->worker->links, x->seat->upstreams[x->upstream], f->upstream);
    x->down->unhurried = gate_flow_grpc_lasts(x);
    merge_timeouts(x);
    gate_local_count_request(f->local);
    gate_timer_init(&x->timer, on_total);
    if (f->timeouts.total_ms > 0)
        gate_loop_timer(&x->worker->loop, &x->timer, f->timeouts.total_ms);
}

static void keep_peer(struct gate_exchange *x, struct gate_peer *peer)
{
    gate_peer_release(&x->peer, x->peer_share);
    x->peer = peer;
    x->peer_share = gate_peer_hold(peer, x->worker->index);
}

static enum gate_step_result no_peer(struct gate_exchange *x)
{
    const struct gate_flow_state *f = x->flow;

    x->tries--;
    if (f->n_tried > 0 && f->last_fault != GATE_FAULT_NONE)
        return gate_flow_fail(x, f->last_fault, 0, f->last_why);
    if (f->local->set->n == 0 && f->upstream->n_servers > 0)
        return gate_flow_fail(x, GATE_FAULT_RESOLVE, 0,
                              "no name among the upstream's servers has an address");
    return gate_flow_fail(x, GATE_FAULT_NO_PEER, 0,
                          "no server of the upstream can take the request");
}

/* The balance hooks, then the upstream's own function: what they choose is in f->chosen. */
static enum gate_step_result ask_scripts(struct gate_exchange *x)
{
    struct gate_flow_state *f = x->flow;
    enum gate_step_result r;

    if (!f->balancer_next && gate_flow_has_hook(x, GATE_HOOK_BALANCE)) {
        r = gate_flow_hook(x, GATE_HOOK_BALANCE, GATE_SCOPE_ALL);
        if (r == GATE_STEP_NEXT)
            r = gate_flow_verdict(x);
        if (r != GATE_STEP_NEXT || f->chosen != NULL)
            return r;
        f->hook = GATE_HOOK_NOT_RUN;
    }
    if (f->upstream->balance != GATE_BALANCE_FUNCTION)
        return GATE_STEP_NEXT;
    f->balancer_next = true;
    r = gate_flow_ask(x, GATE_ASK_BALANCER, GATE_HOOK_BALANCE, GATE_SCOPE_ALL);
    return r == GATE_STEP_NEXT ? gate_flow_verdict(x) : r;
}

/* What scripts chose for this try, once; NULL: nothing, or what has left the set since. */
static struct gate_peer *take_chosen(struct gate_flow_state *f)
{
    const struct gate_peer *p = f->chosen;

    f->chosen = NULL;
    if (GATE_LIKELY(p == NULL))
        return NULL;
    for (uint32_t i = 0; i < f->local->set->n; i++) {
        if (f->local->set->v[i].peer == p)
            return f->local->set->v[i].peer;
    }
    return NULL;
}

/* Chooses the peer of a new try. */
static enum gate_step_result choose(struct gate_exchange *x)
{
    struct gate_flow_state *f = x->flow;
    struct gate_peer *peer = NULL;
    enum gate_step_result r;

    if (f->hook == GATE_HOOK_NOT_RUN && !f->balancer_next)
        x->tries++;
    r = ask_scripts(x);
    if (r != GATE_STEP_NEXT)
        return r;
    peer = take_chosen(f);
    f->balancer_next = false;
    if (peer == NULL &&
        gate_balance_pick(f->local->ops, &f->local->balance, f->local->set,
                          gate_loop_now(&x->worker->loop),
                          (const struct gate_peer *const *)f->tried, f->n_tried,
                          &peer) != GATE_OK)
        return no_peer(x);
    f->fresh_used = false;
    keep_peer(x, peer);
    return GATE_STEP_NEXT;
}

enum gate_step_result gate_step_pick_peer(struct gate_exchange *x)
{
    struct gate_flow_state *f = x->flow;
    enum gate_step_result r = GATE_STEP_NEXT;

    if (GATE_UNLIKELY(x->req.head.connect) && !gate_flow_upgrade_passes(x))
        return gate_flow_fail(x, GATE_FAULT_BAD_REQUEST, 501,
                              "the route switches to no such protocol");
    if (f->upstream == NULL)
        enter_upstream(x);
    if (!f->same_peer)
        r = choose(x);
    if (r != GATE_STEP_NEXT)
        return r;
    f->same_peer = false;
    gate_attempt_init(&f->attempt, x->worker->links, x->peer, x->peer_share);
    if (GATE_UNLIKELY(f->upstream->tls != NULL))
        f->attempt.want.tls = x->seat->generation->clients[x->upstream];
    x->attempt = &f->attempt;
    x->times.picked = x->worker->loop.now_ns;
    GATE_TRACE(x, "pick_peer", "%s try %u", x->peer->text, x->tries);
    return GATE_STEP_NEXT;
}

/* ------------------------------------------------------------------ dial */

static void on_dialed(struct gate_wait *w, enum gate_err e)
{
    struct gate_exchange *x = w->arg;

    x->flow->dial = e;
    x->flow->dialing = false;
    gate_flow_resume(x);
}

/* limits.outbound: the address itself is judged, whatever name led to it. */
static bool may_dial(const struct gate_exchange *x, const struct gate_addr *addr)
{
    const struct gate_limits *limits = &gate_flow_config(x)->limits;

    if (addr->u.sa.sa_family == AF_UNIX)
        return true;
    if (limits->outbound_allow.n > 0)
        return gate_cidr_set_has(&limits->outbound_allow, addr);
    return !gate_cidr_set_has(&limits->outbound_deny, addr);
}

static struct gate_proxy_tls proxy_tls(const struct gate_tls_info *info)
{
    return (struct gate_proxy_tls){
        .alpn = info->alpn,
        .authority = info->sni,
        .version = gate_str_eq(info->version, GATE_STR("1.3")) ? GATE_STR("TLSv1.3")
                                                               : GATE_STR("TLSv1.2"),
        .cipher = info->cipher,
        .cn = info->common_name,
        .shown = info->fingerprint.n > 0,
        .resumed = info->resumed,
        .verified = info->verified,
    };
}

/* What a server that asks for it is told of the client, before the request. */
static struct gate_str proxy_header(struct gate_exchange *x)
{
    char *to = gate_arena_alloc(&x->arena, GATE_PROXY_MAX);
    struct gate_proxy_tls tls;
    struct gate_addr own;
    bool known = gate_socket_name(x->client_fd, &own) == GATE_OK;

    if (x->tls != NULL)
        tls = proxy_tls(x->tls);
    return gate_str_of(to, gate_proxy_write(x->flow->upstream->proxy_protocol, &x->peer_addr,
                                            known ? &own : NULL, x->tls != NULL ? &tls : NULL,
                                            to));
}

/* A link for which not any will do. What TLS would agree on ("auto"), nobody agrees on without. Not
 * every server that speaks HTTP/2 switches protocols over it: where there is a choice, that is done
 * over HTTP/1. */
static void want_link(struct gate_exchange *x)
{
    const struct gate_upstream_config *u = x->flow->upstream;
    struct gate_link_want *want = &x->flow->attempt.want;
    bool upgrade = x->req.head.upgrade && gate_flow_upgrade_passes(x);

    if (u->proxy_protocol != GATE_PROXY_NONE) {
        want->alone = true; /* it speaks for one client */
        x->flow->attempt.preface = proxy_header(x);
    }
    if (u->http2 == GATE_HTTP2_ALWAYS || (want->tls != NULL && !upgrade))
        want->http2 = (uint8_t)u->http2;
}

enum gate_step_result gate_step_dial(struct gate_exchange *x)
{
    struct gate_flow_state *f = x->flow;
    struct gate_peer *peer = f->attempt.peer;

    if (f->dialing)
        return GATE_STEP_WAIT;
    if (!may_dial(x, &peer->addr))
        return gate_flow_fail(x, GATE_FAULT_CONNECT, 0,
                              "limits.outbound does not allow the server's address");
    if (!f->dialed) {
        f->dialed = true;
        f->attempt.want.connect_ms = f->timeouts.connect_ms;
        f->attempt.want.after = f->after;
        if (GATE_UNLIKELY(f->upstream->http2 != GATE_HTTP2_NEVER ||
                          f->upstream->proxy_protocol != GATE_PROXY_NONE))
            want_link(x);
        f->dial = gate_attempt_dial(&f->attempt, f->local);
        if (f->dial == GATE_E_AGAIN) {
            f->dialing = true;
            gate_wait_init(&f->dial_wait, &x->worker->loop, on_dialed, x);
            gate_attempt_wait(&f->attempt, &f->dial_wait);
            return GATE_STEP_WAIT;
        }
    }
    f->dialed = false;
    f->after = 0;
    if (f->dial != GATE_OK) {
        const char *why = gate_arena_cstr(&x->arena, gate_str_from_cstr(f->attempt.why));

        /* One connection is one failure. That we have no descriptors is none of the server's. */
        if (!f->attempt.joined && f->dial != GATE_E_LIMIT)
            gate_flow_connect_failed(x, why);
        return gate_flow_attempt_failed(x, f->dial, why);
    }
    if (!f->attempt.reused)
        gate_flow_connect_ok(x);
    x->times.connected = x->worker->loop.now_ns;
    GATE_TRACE(x, "dial", "%s", f->attempt.reused ? "reused" : "connected");
    return GATE_STEP_NEXT;
}

/* ------------------------------------------------------------------ retry */

bool gate_flow_may_retry(struct gate_exchange *x)
{
    struct gate_flow_state *f = x->flow;
    uint64_t now = gate_loop_now(&x->worker->loop);

    return x->up.kept_all && x->tries < f->upstream->tries && x->tries < GATE_TRIES_MAX &&
           gate_balance_has_other(f->local->set, now, (const struct gate_peer *const *)f->tried,
                                  f->n_tried, f->attempt.peer) &&
           gate_local_take_retry(f->local, now);
}

/* The cause of a failure, as `retry.on` names it; 0: none that is ever retried. */
static uint32_t cause_of(enum gate_err e, bool connecting)
{
    if (connecting || e == GATE_E_TLS)
        return GATE_RETRY_CONNECT;
    if (e == GATE_E_EOF || e == GATE_E_RESET)
        return GATE_RETRY_RESET;
    return e == GATE_E_TIMEOUT ? GATE_RETRY_TIMEOUT : 0;
}

bool gate_flow_try_again(struct gate_exchange *x)
{
    struct gate_flow_state *f = x->flow;
    struct gate_peer *peer = f->attempt.peer;

    if (!gate_pump_rewind(&x->up))
        return false;
    if (!f->same_peer) {
        gate_counters_add(&x->worker->counters, GATE_C_RETRIES, 1);
        if (f->n_tried < GATE_TRIES_MAX)
            f->tried[f->n_tried++] = peer;
    }
    gate_flow_end_attempt(x, GATE_CLOSE_LINK_ERROR);
    f->up_over = x->req.head.framing == GATE_BODY_NONE && !f->body_replaced;
    f->dial = GATE_OK;
    gate_block_unref(&x->res.block);
    /* Of an answer that is not taken (retry.on with a status), content may be here already. */
    gate_pump_fini(&x->dn);
    gate_pump_init(&x->dn, &x->worker->loop, gate_flow_on_dn_end, x);
    return true;
}

static enum gate_fault_code fault_of(enum gate_err e, bool connecting)
{
    if (e == GATE_E_TLS)
        return GATE_FAULT_TLS;
    if (connecting)
        return e == GATE_E_TIMEOUT ? GATE_FAULT_CONNECT_TIMEOUT : GATE_FAULT_CONNECT;
    switch (e) {
    case GATE_E_TIMEOUT:
        return GATE_FAULT_FIRST_BYTE_TIMEOUT;
    case GATE_E_SYNTAX:
    case GATE_E_LIMIT:
        return GATE_FAULT_PROTOCOL;
    case GATE_E_NOMEM:
        return GATE_FAULT_OVERLOAD;
    default:
        return GATE_FAULT_RESET;
    }
}

/* Whether sending the request once more cannot do its work twice. */
static bool is_repeatable(const struct gate_exchange *x, enum gate_err e)
{
    const struct gate_attempt *a = &x->flow->attempt;

    if (a->stream == NULL)
        return true;
    return !gate_attempt_answered(a) &&
           (gate_method_idempotent(x->req.method_id) || gate_attempt_untouched(a, e));
}

enum gate_step_result gate_flow_attempt_failed(struct gate_exchange *x, enum gate_err e,
                                               const char *why)
{
    struct gate_flow_state *f = x->flow;
    bool connecting = f->attempt.stream == NULL && !f->attempt.refused;
    uint32_t cause = cause_of(e, connecting);
    bool stale = cause == GATE_RETRY_RESET && !f->fresh_used &&
                 (f->attempt.reused || gate_attempt_refused(&f->attempt));
    bool safe = is_repeatable(x, e) && x->up.kept_all;
    bool again = false;

    f->last_fault = fault_of(e, connecting);
    f->last_why = why;
    if (safe && stale) {
        /* A kept connection that died while it was idle, or a peer that says that it has not looked
         * at the request, is no failure of the peer: once more, on a fresh one. */
        f->same_peer = f->fresh_used = true;
        f->after = gate_attempt_serial(&f->attempt);
        again = true;
    } else {
        if (!connecting) /* a failed connect is counted where the peer is marked */
            atomic_fetch_add_explicit(&f->attempt.peer->failures, 1, memory_order_relaxed);
        again = safe && (f->upstream->retry_on & cause) && gate_flow_may_retry(x);
    }
    GATE_TRACE(x, "attempt", "failed: %s (%s)", why, again ? "again" : "over");
    if (again && e == GATE_E_TLS)
        gate_flow_tell_tls(x, why);
    if (again && gate_flow_try_again(x))
        return gate_flow_jump(x, GATE_STEP_PICK_PEER);
    gate_flow_end_attempt(x, GATE_CLOSE_LINK_ERROR);
    return gate_flow_fail(x, f->last_fault, 0, why);
}

/* The answer's head, and its trailers, are of interest to log hooks and the status of a call. */
static GATE_COLD void keep_answer(struct gate_exchange *x)
{
    if (x->res.head != NULL)
        gate_arena_adopt(&x->arena, &x->attempt->arena);
}

void gate_flow_end_attempt(struct gate_exchange *x, enum gate_close_reason why)
{
    if (x->attempt == NULL)
        return;
    x->up.dst = NULL;
    x->dn.src = NULL;
    if (GATE_UNLIKELY(x->grpc || gate_flow_has_hook(x, GATE_HOOK_LOG)))
        keep_answer(x);
    gate_attempt_end(x->attempt, why);
    x->attempt = NULL;
    x->flow->dialing = false;
    x->flow->dialed = false;
}

/* ------------------------------------------------------------------ send */

/* What goes up as Host. */
static struct gate_str host_field(const struct gate_exchange *x)
{
    const struct gate_upstream_config *u = x->flow->upstream;
    const struct gate_peer *peer = x->flow->attempt.peer;

    if (x->req.host_set)
        return x->req.host;
    if (u->host == GATE_HOST_NAME)
        return u->name;
    if (u->host == GATE_HOST_PEER || x->req.head.authority.n == 0)
        return peer->addr.u.sa.sa_family == AF_UNIX ? GATE_STR("localhost")
                                                    : gate_str_from_cstr(peer->name);
    return x->req.head.authority;
}

/* The version is that of the request as it came (RFC 9110 section 7.6.3). */
static struct gate_str via_of(const struct gate_request_head *h)
{
    if (h->h2)
        return GATE_STR("2.0 moongate");
    return h->minor == 0 ? GATE_STR("1.0 moongate") : GATE_STR("1.1 moongate");
}

#define EXTRA_MAX  (GATE_FORWARDED_MAX + 3)
#define RANGES_MAX 16

#define FORWARDING                                                                                 \
    (GATE_F_BIT(GATE_F_FORWARDED) | GATE_F_BIT(GATE_F_X_FORWARDED_FOR) |                           \
     GATE_F_BIT(GATE_F_X_FORWARDED_HOST) | GATE_F_BIT(GATE_F_X_FORWARDED_PROTO))

/* A forwarding field that a script has set goes up alone. */
static GATE_COLD uint32_t drop_said(const struct gate_headers *h, struct gate_field *v, uint32_t n)
{
    struct gate_str said;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < n; i++) {
        if ((h->overlay.hidden & FORWARDING & GATE_F_BIT(v[i].id)) == 0 ||
            !gate_headers_get_id(h, v[i].id, &said))
            v[kept++] = v[i];
    }
    return kept;
}

/* The gateway's own fields: Host, forwarding, Upgrade, Max-Forwards. */
static uint32_t request_extra(struct gate_exchange *x, bool upgrade, struct gate_field v[EXTRA_MAX])
{
    const struct gate_request_head *h = &x->req.head;
    uint32_t n = 0;

    gate_flow_field(&v[n++], GATE_F_HOST, host_field(x));
    n += gate_forwarded_write(&h->fields, &x->client, x->peer_ip, x->https, h->authority, via_of(h),
                              (enum gate_forwarded_style)x->flow->upstream->forwarded, &x->arena,
                              v + n);
    if (GATE_UNLIKELY((x->req.headers.overlay.hidden & FORWARDING) != 0))
        n = drop_said(&x->req.headers, v, n);
    if (upgrade)
        gate_flow_field(&v[n++], GATE_F_UPGRADE, h->upgrade_token);
    if (h->method == GATE_M_OPTIONS && h->max_forwards > 0) {
        struct gate_out o = gate_out_on(gate_arena_alloc(&x->arena, 12), 12);

        gate_out_u64(&o, (uint64_t)h->max_forwards - 1);
        gate_flow_field(&v[n++], GATE_F_MAX_FORWARDS, gate_out_view(&o));
    }
    return n;
}

/* A rewrite of the route applies unless a script has set the path behind the table. */
static bool rewrite_path(struct gate_exchange *x)
{
    const struct gate_route_config *route = x->match.route;
    struct gate_str to;

    if (route == NULL || route->rewrite.n == 0 || x->req.path_set)
        return true;
    to = gate_route_expand(route->rewrite, &x->match, &x->arena);
    return gate_target_encode(to, &x->arena, &x->req.path, &x->req.path_text).status == 0;
}

static bool may_have_body(enum gate_method m)
{
    return m == GATE_M_POST || m == GATE_M_PUT || m == GATE_M_PATCH;
}

/* Whether a request asks for more parts than anybody needs. Without its Range it gets the whole,
 * which is cheaper for the server. */
static __attribute__((noinline)) bool many_ranges(const struct gate_fields *fs)
{
    uint32_t ranges = 0;

    for (uint32_t i = 0; i < fs->n; i++) {
        struct gate_str list = gate_field_value(&fs->v[i]);
        struct gate_str item;

        while (fs->v[i].id == GATE_F_RANGE && gate_str_next_item(&list, &item))
            ranges++;
    }
    return ranges > RANGES_MAX;
}

static enum gate_err send_head(struct gate_exchange *x, bool upgrade)
{
    struct gate_field extra[EXTRA_MAX];
    const struct gate_request_head *h = &x->req.head;
    struct gate_message m = {
        .method = x->req.method,
        .path = x->req.path,
        .query = x->req.query,
        .has_query = x->req.has_query,
        .headers = &x->req.headers,
        .drop = GATE_DROP_REQUEST |
                gate_forwarded_drop(x->client.trusted,
                                    (enum gate_forwarded_style)x->flow->upstream->forwarded),
        .drop_claims = !x->client.trusted,
        .drop_nominated = (h->fields.known & GATE_F_BIT(GATE_F_CONNECTION)) != 0,
        .extra = extra,
        .framing = h->framing,
        .content_length = h->content_length,
        .explicit_zero = h->framing == GATE_BODY_NONE && may_have_body(x->req.method_id),
    };

    if (h->method == GATE_M_OPTIONS)
        m.drop |= GATE_F_BIT(GATE_F_MAX_FORWARDS);
    if ((h->fields.known & GATE_F_BIT(GATE_F_RANGE)) != 0 && many_ranges(&h->fields))
        m.drop |= GATE_F_BIT(GATE_F_RANGE);
    if (x->up.filters != NULL) {
        m.framing = GATE_BODY_CHUNKED;
    } else if (x->flow->body_replaced) {
        m.framing = GATE_BODY_LENGTH;
        m.content_length = x->up.in.bytes;
    }
    m.n_extra = request_extra(x, upgrade, extra);
    return x->attempt->stream->ops->send_head(x->attempt->stream, &m, x->flow->up_over);
}

enum gate_step_result gate_step_send_request(struct gate_exchange *x)
{
    struct gate_flow_state *f = x->flow;
    struct gate_link_use use = {
        .arena = &f->attempt.arena,
        .limits = &x->seat->generation->head_limits,
        .timeouts = &f->timeouts,
        .method = x->req.method_id,
        .upgrade = x->req.head.upgrade && gate_flow_upgrade_passes(x),
        .upgrade_token = x->req.head.upgrade_token,
        .events = &gate_flow_up_events,
        .user = x,
    };
    enum gate_err e;

    if (!rewrite_path(x))
        return gate_flow_fail(x, GATE_FAULT_BAD_REQUEST, 400, "the rewritten path is not valid");
    if (GATE_UNLIKELY(x->flow->body_waits) && !gate_flow_place_body(x))
        return gate_flow_fail(x, GATE_FAULT_OVERLOAD, 0, "no memory for the body");
    if (!gate_flow_filter_request(x))
        return gate_flow_jump(x, GATE_STEP_FAULT);
    gate_flow_accept_codings(x);
    if (gate_attempt_begin(&f->attempt, &use) == NULL)
        return gate_flow_attempt_failed(x, GATE_E_RESET, "the upstream takes no more streams");
    e = send_head(x, use.upgrade);
    if (e != GATE_OK)
        return gate_flow_attempt_failed(x, e, "the request head cannot be sent");
    x->times.sent = x->worker->loop.now_ns;
    if (!f->up_over)
        gate_pump_to(&x->up, f->attempt.stream);
    return GATE_STEP_NEXT;
}
