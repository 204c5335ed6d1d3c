/* What only clients do: begin streams, wait for their answers only so long, and lose a connection
 * with all that is on it. */
#include "base/assert.h"
#include "http/h2_int.h"

static const uint64_t never = UINT64_MAX;

uint32_t gate_h2_streams_max(const struct gate_h2 *c)
{
    uint32_t most =
        nghttp2_session_get_remote_settings(c->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

    if (c->leaving || c->begun >= GATE_H2_LIFETIME || !nghttp2_session_check_request_allowed(c->ng))
        return 0;
    if (c->cancelled >= GATE_H2_CANCELLED && c->cancelled > c->begun / 2)
        return 0;
    return most < GATE_H2_STREAMS ? most : GATE_H2_STREAMS;
}

struct gate_stream *gate_h2_begin(struct gate_h2 *c, const struct gate_h2_use *use)
{
    struct gate_h2_stream *s;

    if (c->open >= gate_h2_streams_max(c))
        return NULL;
    c->begun++;
    s = gate_h2_stream_new(c);
    gate_h2_stream_attach(s, use);
    return &s->stream;
}

static void break_off(struct gate_h2_stream *s, enum gate_err e, const char *why)
{
    s->err = e;
    s->why = s->why == NULL ? why : s->why;
    s->events |= GATE_H2_RESET;
    gate_h2_stream_discard(s);
}

void gate_h2_lose(struct gate_h2 *c, enum gate_err e, const char *why)
{
    c->leaving = true;
    for (struct gate_list *n = c->streams.next; n != &c->streams; n = n->next) {
        struct gate_h2_stream *s = gate_container_of(n, struct gate_h2_stream, node);

        if (s->closed)
            continue;
        if (!s->in_ended || s->malformed)
            break_off(s, e, why);
        gate_h2_stream_close(s);
    }
    gate_h2_tell(c);
}

void gate_h2_give_up(struct gate_h2_stream *s, const char *why)
{
    break_off(s, GATE_E_TIMEOUT, why);
    gate_h2_stream_cut(s, NGHTTP2_CANCEL);
    gate_h2_wake(s);
}

void gate_h2_probe(struct gate_h2 *c)
{
    if (c->probing)
        return;
    c->probing = true;
    nghttp2_submit_ping(c->ng, NGHTTP2_FLAG_NONE, NULL);
    c->owner->on_output(c);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* As with HTTP/1 there is one clock, of what is waited for now: that bytes are taken, that an
 * answer begins, or goes on. While our own side is what everybody waits for none runs. When nobody
 * is there any more, or in a tunnel the other side has ended, the rest is still to be taken. */
uint64_t gate_h2_due(const struct gate_h2_stream *s, uint64_t blocked, const char **why)
{
    uint64_t since;
    bool awaited = s->stream.events != NULL && !s->in_ended;
    bool rest = s->out.bytes > 0 && (s->stream.events == NULL || s->tunnel);
    uint32_t ms = 0;

    if (s->closed || s->cut || !s->head_sent || (!awaited && !rest))
        return never;
    since = later(s->out_ms, s->in_ms);
    if (s->out.bytes > 0 || (blocked > 0 && !s->answered)) {
        *why = "the upstream takes no bytes";
        since = later(s->out_ms, blocked);
        ms = s->patience.send_ms;
    } else if (!s->answered && (s->out_ended || s->connect)) {
        *why = "no response head in time";
        ms = s->patience.first_byte_ms;
    } else if (s->answered && s->credit > 0 && !s->stream.rests) {
        *why = "no response bytes in time";
        since = s->tunnel ? since : s->in_ms; /* in a tunnel both sides' bytes count */
        ms = s->patience.read_ms;
    }
    return ms == 0 ? never : since + ms;
}
