/* What links of all protocols have in common. */
#include "upstream/link.h"

#include "base/assert.h"
#include "net/socket.h"
#include "tls/tls.h"

void gate_link_init(struct gate_link *l, struct gate_loop *loop, int fd)
{
    memset(l, 0, sizeof(*l));
    l->magic = GATE_LINK_MAGIC;
    l->dialing = true;
    gate_conn_open(&l->conn, loop, fd, NULL, NULL);
    gate_deadline_init(&l->deadline, NULL);
    gate_list_init(&l->node);
    gate_link_h1_init(l);
    l->born_ms = gate_loop_now(loop);
    l->keep = true;
}

enum gate_err gate_link_preface(struct gate_link *l, struct gate_str bytes)
{
    return gate_chain_copy(&l->h1.out.out, bytes.p, bytes.n) == 0 ? GATE_OK : GATE_E_NOMEM;
}

void gate_link_ready(struct gate_link *l)
{
    l->dialing = false;
    gate_deadline_set(l->conn.loop, &l->deadline, UINT64_MAX);
    gate_link_h1_open(l);
}

struct gate_stream *gate_link_begin(struct gate_link *l, const struct gate_link_use *use)
{
    GATE_ASSERT(!l->dialing);
    l->requests++;
    return gate_link_h1_begin(l, use);
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

    return tls != NULL ? gate_tls_written(tls) : l->sent + l->h1.out.out.bytes;
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
