/* Receiving: nghttp2's callbacks note what came, stream by stream. What they note is told by
 * gate_h2_tell. */
#include "base/assert.h"
#include "http/h2_int.h"

static int no_memory(void)
{
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets the stream */
}

static bool was_stopped(const struct gate_h2 *c, int32_t id)
{
    uint32_t n = c->n_stopped < GATE_H2_STOPPED ? c->n_stopped : GATE_H2_STOPPED;

    for (uint32_t i = 0; i < n; i++)
        if (c->stopped[i] == id)
            return true;
    return false;
}

void gate_h2_note_stopped(struct gate_h2 *c, int32_t id)
{
    c->stopped[c->n_stopped++ % GATE_H2_STOPPED] = id;
}

/* Of a stream that is below the last one and not open. */
static bool was_begun(const struct gate_h2 *c, int32_t id)
{
    uint32_t back = (uint32_t)(c->last_id - id) / 2;

    return back == 0 || back > 64 || (c->before_last >> (back - 1) & 1) != 0;
}

static void note_begun(struct gate_h2 *c, int32_t id)
{
    uint32_t step = (uint32_t)(id - c->last_id) / 2;

    c->before_last = step < 64 ? c->before_last << step : 0;
    if (c->last_id > 0 && step <= 64)
        c->before_last |= 1ull << (step - 1);
    c->last_id = id;
}

#define HEAD 9

static int32_t number_at(const uint8_t *p)
{
    return (int32_t)((uint32_t)(p[0] & 0x7f) << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
                     p[3]);
}

static int32_t frame_id(const struct gate_h2 *c)
{
    return number_at(c->frame + 5);
}

static uint32_t frame_length(const struct gate_h2 *c)
{
    return (uint32_t)c->frame[0] << 16 | (uint32_t)c->frame[1] << 8 | c->frame[2];
}

/* Its payload begins with the number of a stream. */
static bool is_priority(uint8_t type)
{
    return type == NGHTTP2_PRIORITY || type == NGHTTP2_PRIORITY_UPDATE;
}

/* How much of the frame is wanted before it is looked at. */
static size_t wanted(const struct gate_h2 *c)
{
    if (c->frame_n >= HEAD && is_priority(c->frame[3]) && frame_length(c) >= 4)
        return HEAD + 4;
    return HEAD;
}

/* Whether the frame that begins belongs to a stream that began before, or is one that nghttp2 never
 * looks at. */
static bool is_suspect(struct gate_h2 *c)
{
    int32_t id = frame_id(c);
    uint8_t type = c->frame[3];

    if (is_priority(type))
        return true;
    if ((type != NGHTTP2_HEADERS && type != NGHTTP2_DATA) || id % 2 == 0)
        return false;
    if (id <= c->top_id)
        return true;
    c->top_id = type == NGHTTP2_HEADERS ? id : c->top_id;
    return false;
}

/* Priorities of RFC 7540 mean nothing here, but they are frames of a stream, which depends on
 * another one. Those of RFC 9218 are of streams that a client may begin. */
static void check_priority(struct gate_h2 *c, int32_t id)
{
    bool named = c->frame_n > HEAD;
    int32_t other = named ? number_at(c->frame + HEAD) : 0;
    bool wrong = c->frame[3] == NGHTTP2_PRIORITY ? id == 0 || (named && other == id)
                                                 : named && other % 2 == 0;

    if (!wrong)
        return;
    gate_counters_add(c->counters, GATE_C_H2_ERRORS, 1);
    gate_h2_fail(c, NGHTTP2_PROTOCOL_ERROR, "a priority of no stream, or on itself");
}

/* nghttp2 forgets closed streams, and drops in silence what comes on them. What comes on one that
 * the client has ended itself, or passed over, is an error (RFC 9113 section 5.1). All before this
 * frame was taken. */
static void check_frame(struct gate_h2 *c)
{
    int32_t id = frame_id(c);

    if (is_priority(c->frame[3])) {
        check_priority(c, id);
        return;
    }
    if (id > c->last_id || gate_h2_find(c, id) != NULL || was_stopped(c, id))
        return;
    gate_counters_add(c->counters, GATE_C_H2_ERRORS, 1);
    if (c->frame[3] == NGHTTP2_HEADERS && !was_begun(c, id))
        gate_h2_fail(c, NGHTTP2_PROTOCOL_ERROR, "streams begin in the order of their numbers");
    else
        gate_h2_fail(c, NGHTTP2_STREAM_CLOSED, "a frame of a closed stream");
}

/* Goes on to the end of the next frame's head, or to the end of what is there. */
static size_t next_part(struct gate_h2 *c, const char *p, size_t n)
{
    size_t skipped = c->skip < n ? c->skip : n;
    size_t missing = wanted(c) - c->frame_n;
    size_t head;

    c->skip -= (uint32_t)skipped;
    if (c->skip > 0)
        return n;
    head = n - skipped < missing ? n - skipped : missing;
    memcpy(c->frame + c->frame_n, p + skipped, head);
    c->frame_n += (uint8_t)head;
    return skipped + head;
}

/* One stream too many. Its head is decoded, for the table of HPACK, and dropped. */
static int refuse(struct gate_h2 *c, int32_t id)
{
    gate_h2_head_drop(c);
    gate_counters_add(c->counters, GATE_C_H2_STREAMS_REFUSED, 1);
    gate_h2_note_stopped(c, id);
    nghttp2_submit_rst_stream(c->ng, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int begin(struct gate_h2 *c, const nghttp2_frame *frame)
{
    struct gate_h2_stream *s;

    note_begun(c, frame->hd.stream_id);
    if (c->open >= GATE_H2_STREAMS)
        return refuse(c, frame->hd.stream_id);
    s = gate_h2_stream_new(c);
    s->id = frame->hd.stream_id;
    s->in_ended = s->bodiless = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    nghttp2_session_set_stream_user_data(c->ng, s->id, s);
    c->begun++;
    gate_h2_head_begin(c, s, false);
    return 0;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct gate_h2 *c = user;
    struct gate_h2_stream *s = gate_h2_find(c, frame->hd.stream_id);

    (void)ng;
    if (c->server && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        return begin(c, frame);
    gate_h2_head_drop(c);
    if (s != NULL && !s->cut)
        gate_h2_head_begin(c, s, c->server || (s->events & GATE_H2_HEAD) || s->answered);
    return 0;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *user)
{
    struct gate_h2 *c = user;

    (void)ng;
    (void)flags;
    if (c->head.s == NULL || c->head.s->id != frame->hd.stream_id)
        return 0;
    return gate_h2_head_field(c, name, value) ? 0 : no_memory();
}

/* Never dropped in silence: the stream is reset. */
static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                             nghttp2_rcbuf *value, uint8_t flags, void *user)
{
    (void)ng, (void)frame, (void)name, (void)value, (void)flags, (void)user;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* A whole head of an answer: interim ones are told at once, for others may follow in this read. */
static void answer(struct gate_h2_stream *s)
{
    struct gate_response_head head;
    const char *why = NULL;

    if (s->stream.events == NULL)
        return;
    if (!gate_h2_response(s, &head, &why) ||
        (head.status < 200 && !s->tunnel && ++s->infos > GATE_H2_INFOS)) {
        s->why = why != NULL ? why : "too many interim responses";
        s->malformed = true;
        gate_counters_add(s->h2->counters, GATE_C_H2_ERRORS, 1);
        nghttp2_submit_rst_stream(s->h2->ng, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_PROTOCOL_ERROR);
        return;
    }
    if (head.status < 200 && !s->tunnel) {
        s->stream.events->on_info(&s->stream, &head);
        return;
    }
    s->answer = gate_arena_alloc(s->arena, sizeof(head));
    *s->answer = head;
    s->events |= GATE_H2_HEAD;
}

static int headers_done(struct gate_h2 *c, const nghttp2_frame *frame)
{
    struct gate_h2_stream *s = c->head.s;
    bool trailers = c->head.trailers;

    if (s == NULL || s->id != frame->hd.stream_id)
        return 0;
    s->in_ms = gate_h2_now(c);
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        s->bodiless |= !trailers;
        s->in_ended = true;
        gate_h2_stream_unhold(s);
    }
    if (!gate_h2_head_end(c))
        return no_memory();
    if (!c->server && !trailers)
        answer(s);
    gate_h2_wake(s);
    return 0;
}

static void data_done(struct gate_h2 *c, const nghttp2_frame *frame)
{
    struct gate_h2_stream *s = gate_h2_find(c, frame->hd.stream_id);

    if (s == NULL)
        return;
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        s->in_ended = true;
        gate_h2_stream_unhold(s);
        gate_h2_wake(s);
    } else if (frame->hd.length == 0 && ++s->empty_frames > GATE_H2_EMPTY_FRAMES) {
        gate_h2_flooded(c, "empty DATA frames");
    }
}

static void reset_came(struct gate_h2 *c, const struct gate_h2_stream *s)
{
    bool lasted = s != NULL && gate_h2_now(c) - s->begin_ms >= GATE_H2_LASTED_MS;

    gate_counters_add(c->counters, GATE_C_H2_RESETS_RECEIVED, 1);
    if (c->server && !lasted)
        gate_h2_charge(c);
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct gate_h2 *c = user;
    bool ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;

    (void)ng;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        return headers_done(c, frame);
    case NGHTTP2_DATA:
        data_done(c, frame);
        break;
    case NGHTTP2_RST_STREAM:
        reset_came(c, gate_h2_find(c, frame->hd.stream_id));
        break;
    case NGHTTP2_SETTINGS:
        if (!ack && !c->greeted) {
            c->greeted = true;
            gate_h2_ask_waiting(c);
        }
        break;
    case NGHTTP2_PING:
        c->pong = c->pong || (ack && c->noticed);
        c->probing = c->probing && !ack;
        break;
    case NGHTTP2_GOAWAY:
        c->leaving = true;
        break;
    default:
        break;
    }
    return 0;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p, size_t n,
                   void *user)
{
    struct gate_h2 *c = user;
    struct gate_h2_stream *s = gate_h2_find(c, id);

    (void)ng;
    (void)flags;
    c->owed += (uint32_t)n;
    c->flood.content += n;
    if (s != NULL)
        s->in_ms = gate_h2_now(c);
    if (s == NULL || !gate_h2_stream_listens(s))
        return 0;
    gate_chain_add(&s->in, c->in, (const char *)p, n);
    c->held += (uint32_t)n;
    gate_h2_wake(s);
    return 0;
}

static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *user)
{
    struct gate_h2 *c = user;
    struct gate_h2_stream *s = gate_h2_find(c, frame->hd.stream_id);

    (void)ng;
    (void)error;
    gate_counters_add(c->counters, GATE_C_H2_ERRORS, 1);
    if (s == NULL)
        return 0;
    s->malformed = true;
    s->why = "malformed HTTP/2 message";
    if (c->server && frame->hd.type == NGHTTP2_HEADERS && !(s->events & GATE_H2_ASKED))
        c->owner->on_malformed(c, s->why);
    return 0;
}

void gate_h2_recv_callbacks(nghttp2_session_callbacks *cb)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(cb, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(cb, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid_frame);
}

void gate_h2_repay(struct gate_h2 *c)
{
    if (c->owed == 0 || (c->server && c->held > GATE_H2_WINDOW))
        return;
    nghttp2_session_consume_connection(c->ng, c->owed);
    c->owed = 0;
}

static enum gate_err failed(struct gate_h2 *c, ssize_t error)
{
    bool flood = error == NGHTTP2_ERR_FLOODED;

    gate_counters_add(c->counters, flood ? GATE_C_H2_FLOODS : GATE_C_H2_ERRORS, 1);
    c->flooded = c->flooded || flood;
    c->why = nghttp2_strerror((int)error);
    return error == NGHTTP2_ERR_NOMEM ? GATE_E_NOMEM : GATE_E_SYNTAX;
}

/* A server's input goes to nghttp2 in runs that end where a frame has to be looked at: one byte
 * before its head is whole, when all before it has had its effect. */
static ssize_t feed(struct gate_h2 *c, const char *p, size_t n)
{
    size_t from = 0, at = 0;
    ssize_t used;

    while (c->server && at < n) {
        at += next_part(c, p + at, n - at);
        if (c->frame_n < wanted(c))
            continue;
        c->skip = frame_length(c) - (c->frame_n - HEAD);
        if (is_suspect(c)) {
            used = nghttp2_session_mem_recv(c->ng, (const uint8_t *)p + from, at - 1 - from);
            if (used < 0)
                return used;
            from = at - 1;
            check_frame(c);
        }
        c->frame_n = 0;
    }
    return nghttp2_session_mem_recv(c->ng, (const uint8_t *)p + from, n - from);
}

enum gate_err gate_h2_recv(struct gate_h2 *c, struct gate_block *b, const char *p, size_t n)
{
    ssize_t used;

    c->in = b;
    c->flood.bytes += n;
    used = feed(c, p, n);
    c->in = NULL;
    if (used < 0)
        return failed(c, used);
    if (gate_h2_flood_idle(&c->flood, gate_h2_now(c)))
        gate_h2_flooded(c, "frames without content");
    gate_h2_repay(c);
    gate_h2_tell(c);
    if (nghttp2_session_want_write(c->ng) || gate_h2_done(c))
        c->owner->on_output(c);
    return GATE_OK;
}
