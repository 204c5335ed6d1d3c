/* Tunnels that we ask for (RFC 8441): what is remembered of the request, for its answer is written
 * down as that of HTTP/1.1; and a request that waits, for nobody may ask before the peer has said
 * that it can be asked. */
#include "http/h2_int.h"
#include "http/websocket.h"

static bool is_taken(const struct gate_h2 *c)
{
    const nghttp2_settings_id id = NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL;

    return nghttp2_session_get_remote_settings(c->ng, id) == 1;
}

static void refuse(struct gate_h2_stream *s)
{
    s->malformed = true;
    s->why = "the upstream takes no extended CONNECT";
    s->events |= GATE_H2_RESET;
    gate_h2_stream_close(s);
}

static void submit(struct gate_h2_stream *s, const nghttp2_nv *v, size_t n)
{
    nghttp2_data_provider body = {.source.ptr = s, .read_callback = gate_h2_read_out};

    if (!is_taken(s->h2)) {
        refuse(s);
        return;
    }
    s->id = nghttp2_submit_request(s->h2->ng, NULL, v, n, &body, s);
    if (s->id < 0)
        refuse(s);
}

static void remember(struct gate_h2_stream *s, const struct gate_message *m)
{
    struct gate_h2_asked *a = gate_arena_zalloc(s->arena, sizeof(*a));
    struct gate_str key;

    a->protocol = gate_arena_copy(s->arena, gate_h2_extra(m, GATE_F_UPGRADE));
    a->answers = m->headers != NULL &&
                 gate_headers_get_id(m->headers, GATE_F_SEC_WEBSOCKET_KEY, &key) &&
                 gate_websocket_key_ok(key);
    if (a->answers)
        gate_websocket_accept(key, a->accept);
    s->asked = a;
}

void gate_h2_ask(struct gate_h2_stream *s, const struct gate_message *m, const nghttp2_nv *v,
                 size_t n)
{
    remember(s, m);
    s->connect = true;
    s->framing = GATE_BODY_EOF;
    s->out_ended = false;
    if (s->h2->greeted)
        submit(s, v, n);
    else
        s->waiting = gate_h2_list_copy(v, n);
}

void gate_h2_ask_waiting(struct gate_h2 *c)
{
    for (struct gate_list *n = c->streams.next; n != &c->streams; n = n->next) {
        struct gate_h2_stream *s = gate_container_of(n, struct gate_h2_stream, node);
        struct gate_h2_list *list = s->waiting;

        s->waiting = NULL;
        if (list != NULL && !s->closed)
            submit(s, list->v, list->n);
        gate_free(list);
    }
}
