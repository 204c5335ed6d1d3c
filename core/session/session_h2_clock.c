/* The clocks of an HTTP/2 session: one deadline looks after the connection and all of its streams,
 * at most once a second while there is anything to look after. */
#include "session/session_int.h"

#define LOOK_MS 1000

static const uint64_t never = UINT64_MAX;

/* Nothing of the connection has a clock but its being idle. */
static bool is_quiet(const struct gate_h2_server *h)
{
    return h->h2.open == 0 && h->out.bytes == 0 && h->h2.head.s == NULL && h->h2.greeted &&
           !h->h2.noticed;
}

void gate_session_h2_clock(struct gate_session *s)
{
    struct gate_h2_server *h = s->h2;
    uint64_t now = gate_loop_now(s->conn.loop);
    uint64_t at = now + LOOK_MS;

    if (h->lingers)
        return;
    if (h->h2.open > 0) {
        h->idle_ms = 0;
    } else {
        h->idle_ms = h->idle_ms == 0 ? now : h->idle_ms;
        gate_intake_rest(&h->in);
    }
    if (s->deadline.at_ms > at)
        gate_deadline_set(s->conn.loop, &s->deadline, at);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The body rate of the window that ends now. */
static uint64_t judge_body(struct gate_h2_stream *st, const struct gate_limits *limits,
                           uint64_t now)
{
    uint64_t need = (uint64_t)limits->body_rate * (GATE_RATE_WINDOW_MS / 1000);

    if (limits->body_rate == 0 || st->stream.unhurried || !gate_h2_stream_waits(st))
        return never;
    if (st->window_ms + GATE_RATE_WINDOW_MS > now)
        return st->window_ms + GATE_RATE_WINDOW_MS;
    if (st->window_bytes < need)
        gate_flow_body_fault(st->stream.user, GATE_FAULT_BODY_TIMEOUT, 408,
                             "below the minimum body rate");
    st->window_ms = now;
    st->window_bytes = 0;
    return now + GATE_RATE_WINDOW_MS;
}

/* An answer that the client gives no window for, or that came before the end of the request. */
static uint64_t judge_out(struct gate_h2_stream *st, const struct gate_limits *limits, uint64_t now)
{
    if (st->held) {
        if (st->out_ms + GATE_LINGER_MS > now)
            return st->out_ms + GATE_LINGER_MS;
        gate_h2_stream_unhold(st);
    }
    if (gate_h2_is_early(st)) {
        if (st->out_ms + GATE_LINGER_MS > now)
            return st->out_ms + GATE_LINGER_MS;
        gate_h2_stop(st);
    }
    if (st->out.bytes == 0 || st->closed || st->cut)
        return never;
    if (st->out_ms + limits->write_stall_ms > now)
        return st->out_ms + limits->write_stall_ms;
    gate_h2_stall(st, "what was sent is not taken");
    return never;
}

/* A tunnel whose upstream has ended its side. */
static uint64_t judge_tunnel(struct gate_h2_stream *st, const struct gate_limits *limits,
                             uint64_t now)
{
    if (!gate_h2_tunnel_waits(st))
        return never;
    if (st->window_ms + limits->idle_timeout_ms > now)
        return st->window_ms + limits->idle_timeout_ms;
    gate_h2_stall(st, "the client says nothing in a tunnel that has ended");
    return never;
}

static uint64_t judge_streams(struct gate_session *s, uint64_t now)
{
    const struct gate_limits *limits = gate_session_limits(s);
    struct gate_list *streams = &s->h2->h2.streams;
    uint64_t at = never;

    for (struct gate_list *n = streams->next; n != streams; n = n->next) {
        struct gate_h2_stream *st = gate_container_of(n, struct gate_h2_stream, node);

        at = earlier(at, judge_body(st, limits, now));
        at = earlier(at, judge_out(st, limits, now));
        at = earlier(at, judge_tunnel(st, limits, now));
    }
    return at;
}

/* When the connection itself is over, and why; `now` or earlier: it is. */
static uint64_t due(const struct gate_session *s, enum gate_close_reason *why)
{
    const struct gate_limits *limits = gate_session_limits(s);
    const struct gate_h2_server *h = s->h2;

    if (h->out.bytes > 0) {
        *why = GATE_CLOSE_WRITE_STALL;
        return h->wrote_ms + limits->write_stall_ms;
    }
    *why = GATE_CLOSE_HEADER_TIMEOUT;
    if (!h->h2.greeted)
        return h->begin_ms + limits->header_timeout_ms;
    if (h->h2.head.s != NULL)
        return h->h2.head.begin_ms + limits->header_timeout_ms;
    *why = GATE_CLOSE_IDLE_TIMEOUT;
    return h->idle_ms == 0 ? never : h->idle_ms + limits->idle_timeout_ms;
}

/* The time is over: the client is told so where it can be. False: the session is gone. */
static bool end(struct gate_session *s, enum gate_close_reason why)
{
    s->why = why;
    if (why == GATE_CLOSE_WRITE_STALL) {
        gate_session_close(s, why);
        return false;
    }
    if (why == GATE_CLOSE_IDLE_TIMEOUT)
        gate_h2_leave(&s->h2->h2);
    else
        gate_h2_late(&s->h2->h2);
    return true;
}

void gate_session_h2_spare(struct gate_session *s)
{
    if (is_quiet(s->h2) && s->why == GATE_CLOSE_NONE)
        end(s, GATE_CLOSE_IDLE_TIMEOUT);
}

void gate_session_h2_on_deadline(struct gate_timer *t)
{
    struct gate_session *s = gate_container_of(t, struct gate_session, deadline.timer);
    struct gate_loop *loop = s->conn.loop;
    struct gate_h2_server *h = s->h2;
    uint64_t now = gate_loop_now(loop);
    enum gate_close_reason why = GATE_CLOSE_NONE;
    uint64_t at;

    if (!gate_deadline_reached(loop, &s->deadline))
        return;
    if (h->lingers) {
        gate_session_close(s, s->why);
        return;
    }
    at = due(s, &why);
    if (at <= now && s->why == GATE_CLOSE_NONE && !end(s, why))
        return;
    if (h->h2.noticed && !h->h2.leaving && now >= h->notice_ms + LOOK_MS)
        gate_h2_leave(&h->h2);
    at = earlier(judge_streams(s, now), at > now ? at : now + LOOK_MS);
    if (!is_quiet(h))
        at = earlier(at, now + LOOK_MS);
    gate_deadline_set(loop, &s->deadline, at);
}
