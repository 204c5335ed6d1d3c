/* What links of all protocols have in common: they are waited for until they are up, and afterwards
 * asked what the peer has taken. */
#include "upstream/link.h"

#include "base/assert.h"
#include "net/socket.h"
#include "tls/tls.h"
#include "upstream/links.h"

void gate_link_init(struct gate_link *l, struct gate_loop *loop, int fd)
{
    memset(l, 0, sizeof(*l));
    l->magic = GATE_LINK_MAGIC;
    l->dialing = true;
    gate_conn_open(&l->conn, loop, fd, NULL, NULL);
    gate_deadline_init(&l->deadline, NULL);
    gate_list_init(&l->node);
    gate_list_init(&l->waiting);
    gate_link_h1_init(l);
    l->born_ms = gate_loop_now(loop);
    l->keep = true;
}

enum gate_err gate_link_preface(struct gate_link *l, struct gate_str bytes)
{
    return gate_chain_copy(&l->h1.out.out, bytes.p, bytes.n) == 0 ? GATE_OK : GATE_E_NOMEM;
}

/* ------------------------------------------------------------------ coming up */

static void tell(struct gate_link *l, enum gate_err e, const char *why)
{
    struct gate_list *n = gate_list_pop(&l->waiting);
    struct gate_link_claim *c = gate_container_of(n, struct gate_link_claim, node);

    c->on_link(c, e, why);
}

void gate_link_ready(struct gate_link *l, enum gate_link_protocol protocol)
{
    enum gate_err others = protocol == GATE_LINK_H1 ? GATE_E_AGAIN : GATE_OK;

    l->dialing = false;
    l->protocol = (uint8_t)protocol;
    gate_deadline_set(l->conn.loop, &l->deadline, UINT64_MAX);
    if (protocol == GATE_LINK_H2) {
        gate_link_h2_open(l);
    } else {
        l->claims = 0;
        gate_links_offer(l);
        gate_link_h1_open(l);
    }
    if (l->http2 == GATE_HTTP2_AUTO)
        atomic_store_explicit(&l->peer->http1, protocol == GATE_LINK_H1, memory_order_relaxed);
    if (!gate_list_empty(&l->waiting))
        tell(l, GATE_OK, NULL);
    while (!gate_list_empty(&l->waiting))
        tell(l, others, NULL);
}

void gate_link_failed(struct gate_link *l, enum gate_err e, const char *why,
                      enum gate_close_reason reason)
{
    l->keep = false;
    gate_links_offer(l);
    while (!gate_list_empty(&l->waiting))
        tell(l, e, why);
    l->claims = 0;
    gate_links_close(&l, reason);
}

/* ------------------------------------------------------------------ streams */

struct gate_stream *gate_link_begin(struct gate_link *l, const struct gate_link_use *use)
{
    struct gate_stream *s;

    GATE_ASSERT(!l->dialing);
    l->requests++;
    if (GATE_LIKELY(l->protocol == GATE_LINK_H1))
        return gate_link_h1_begin(l, use);
    l->claims--;
    s = gate_link_h2_begin(l, use);
    gate_link_h2_poke(l);
    return s;
}

void gate_link_release(struct gate_link *l, enum gate_close_reason why)
{
    if (l->claims > 0)
        l->claims--;
    if (l->h2 != NULL)
        gate_link_h2_poke(l);
    else if (l->claims > 0)
        gate_links_offer(l);
    else
        gate_links_close(&l, why);
}

/* Before the peer has said how many streams it takes: as many as last time. */
static uint32_t assumed_max(const struct gate_peer *peer)
{
    uint32_t known = atomic_load_explicit(&peer->streams_max, memory_order_relaxed);

    return known > 0 ? known : GATE_H2_STREAMS;
}

/* While it is dialed: a peer that has chosen HTTP/1.1 is believed to do so again. */
static bool may_be_h2(const struct gate_link *l)
{
    if (!l->dialing)
        return l->protocol == GATE_LINK_H2;
    if (l->http2 == GATE_HTTP2_AUTO)
        return !atomic_load_explicit(&l->peer->http1, memory_order_relaxed);
    return l->http2 == GATE_HTTP2_ALWAYS;
}

uint32_t gate_link_room(const struct gate_link *l)
{
    uint32_t used = l->claims, max = assumed_max(l->peer);

    if (!l->keep || l->alone || gate_links_worn(l) || !may_be_h2(l))
        return 0;
    if (l->h2 != NULL) {
        uint32_t said = gate_link_h2_streams_max(l);

        used += l->h2->h2.open;
        max = said < max || l->h2->h2.greeted ? said : max;
    }
    return used < max ? max - used : 0;
}

bool gate_link_is_silent(struct gate_link *l)
{
    char byte;
    size_t n = 0;

    return l->conn.ops->peek(&l->conn, &byte, 1, &n) == GATE_E_AGAIN;
}

uint64_t gate_link_written(const struct gate_link *l)
{
    const struct gate_tls *tls = gate_tls_of(&l->conn);

    if (tls != NULL)
        return gate_tls_written(tls);
    return l->sent + (l->h2 != NULL ? l->h2->out.bytes : l->h1.out.out.bytes);
}

static uint64_t left(const struct gate_link *l)
{
    const struct gate_tls *tls = gate_tls_of(&l->conn);

    return tls != NULL ? gate_tls_written(tls) : l->sent;
}

/* A peer that closes while a request is on its way to it ends its side first; its kernel then takes
 * nothing more, and answers what comes with a reset. A reset alone may follow bytes that the peer
 * has read. A server that refuses our part of a handshake of TLS 1.3 says so when we are through
 * already. */
bool gate_link_untaken(const struct gate_link *l, uint64_t from, enum gate_err e)
{
    if (left(l) <= from || (e == GATE_E_TLS && l->requests == 1))
        return true;
    return e == GATE_E_EOF && gate_socket_unsent(l->conn.fd) >= left(l) - from;
}
