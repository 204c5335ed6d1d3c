/* The PROXY header, on listeners that require it: from whom the connection really is. */
#include "session/session_int.h"

/* It is a few bytes that a proxy sends at once. */
#define HEADER_MS 2000

/* Bytes that are looked at together. Those behind the header are not ours to take. */
#define PEEK 536

/* The header is whole. */
static void done(struct gate_session *s, const struct gate_proxy_source *source)
{
    gate_session_proxy_drop(s);
    s->why = GATE_CLOSE_NONE;
    s->conn.on_readable = gate_session_readable;
    if (source->known)
        gate_session_set_peer(s, &source->client);
    if (gate_session_count(s))
        gate_session_start(s);
    else
        gate_session_refuse(s);
}

/* Takes what was peeked at and belongs to the header: it is there. */
static enum gate_err take(struct gate_conn *c, size_t n)
{
    char dropped[PEEK];
    enum gate_err err = GATE_OK;
    size_t took;

    for (; n > 0 && err == GATE_OK; n -= took) {
        struct iovec iov = {dropped, n};

        took = 0;
        err = gate_conn_read(c, &iov, 1, &took);
    }
    return err;
}

static void on_header(struct gate_conn *c)
{
    struct gate_session *s = gate_container_of(c, struct gate_session, conn);
    struct gate_proxy_source source;
    char bytes[PEEK];
    size_t n = 0, took;
    enum gate_err err = c->ops->peek(c, bytes, sizeof(bytes), &n);

    if (err == GATE_OK) {
        enum gate_err gone;

        err = gate_proxy_feed(s->proxy, bytes, n, &took, &source);
        gone = take(c, took);
        err = gone == GATE_OK ? err : gone;
    }
    if (err == GATE_OK)
        done(s, &source);
    else if (err != GATE_E_AGAIN)
        gate_session_close(s, GATE_CLOSE_PROXY_HEADER);
}

void gate_session_proxy_begin(struct gate_session *s)
{
    struct gate_addr peer;

    s->why = GATE_CLOSE_PROXY_HEADER;
    gate_session_addr(s, &peer);
    if (!gate_cidr_set_has(&s->listener->trust, &peer)) {
        gate_session_close(s, s->why);
        return;
    }
    s->proxy = gate_slab_take(&gate_session_shared_of(s->worker)->proxy);
    memset(s->proxy, 0, sizeof(*s->proxy));
    s->state = GATE_SESSION_PROXY;
    s->conn.on_readable = on_header;
    gate_conn_reading(&s->conn, true);
    gate_deadline_set(s->conn.loop, &s->deadline, gate_loop_now(s->conn.loop) + HEADER_MS);
}

void gate_session_proxy_drop(struct gate_session *s)
{
    if (s->proxy != NULL)
        gate_slab_give(&gate_session_shared_of(s->worker)->proxy, s->proxy);
    s->proxy = NULL;
}
