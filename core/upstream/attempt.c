/* An attempt owns what belongs to one try, so that a retry starts from nothing. */
#include "upstream/attempt.h"

#include "base/assert.h"
#include "net/socket.h"
#include "tls/tls.h"
#include "upstream/dial.h"

/* Longest sentence about a dial that failed. */
#define WHY_CAP 200

void gate_attempt_init(struct gate_attempt *a, struct gate_links *links, struct gate_peer *peer)
{
    memset(a, 0, sizeof(*a));
    a->links = links;
    gate_arena_init(&a->arena, &links->loop->chunks);
    a->peer = peer;
    gate_peer_ref(peer);
    atomic_fetch_add_explicit(&peer->active, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&peer->requests, 1, memory_order_relaxed);
}

static void explain(struct gate_attempt *a, const char *stage, const char *why)
{
    struct gate_out o = gate_out_on(gate_arena_alloc(&a->arena, WHY_CAP), WHY_CAP - 1);

    gate_out_fmt(&o, "%s: %s", stage, why);
    o.p[o.n] = '\0';
    a->why = o.p;
}

static void on_dialed(struct gate_link *l, enum gate_err e, const char *why)
{
    struct gate_attempt *a = l->dial_arg;

    if (e != GATE_OK) {
        explain(a, gate_tls_of(&l->conn) != NULL ? "TLS" : "connect", why);
        a->link = NULL;
    }
    gate_wait_wake(a->wait, e);
}

static enum gate_err dial(struct gate_attempt *a, struct gate_upstream_local *local,
                          uint32_t timeout_ms)
{
    const struct gate_dial how = {
        .local = local,
        .peer = a->peer,
        .tls = a->tls,
        .preface = a->preface,
        .timeout_ms = timeout_ms,
        .on_done = on_dialed,
        .arg = a,
    };
    const char *why;
    enum gate_err e = gate_dial(a->links, &how, &a->link, &why);

    if (e == GATE_E_AGAIN)
        gate_wait_arm(a->wait, 0, NULL);
    else if (e != GATE_OK)
        explain(a, "connect", why);
    return e;
}

enum gate_err gate_attempt_dial(struct gate_attempt *a, struct gate_upstream_local *local,
                                uint32_t timeout_ms, bool fresh, struct gate_wait *wait)
{
    if (!fresh && a->preface.n == 0)
        a->link = gate_links_take(a->links, local, a->peer, a->tls);
    if (a->link != NULL) {
        a->reused = true;
        return GATE_OK;
    }
    a->wait = wait;
    return dial(a, local, timeout_ms);
}

struct gate_stream *gate_attempt_begin(struct gate_attempt *a, const struct gate_link_use *use)
{
    a->before = gate_link_written(a->link);
    a->stream = gate_link_begin(a->link, use);
    return a->stream;
}

bool gate_attempt_untouched(const struct gate_attempt *a, enum gate_err e)
{
    return gate_link_untaken(a->link, a->before, e);
}

bool gate_attempt_answered(const struct gate_attempt *a)
{
    return gate_link_h1_answered(a->link);
}

void gate_attempt_end(struct gate_attempt *a, enum gate_close_reason why)
{
    if (a->peer == NULL)
        return;
    if (a->wait != NULL) /* it may be woken and not told yet */
        gate_wait_cancel(a->wait);
    if (a->stream != NULL && a->ended)
        a->stream->ops->give_back(a->stream);
    else if (a->stream != NULL)
        a->stream->ops->reset(a->stream, why);
    else if (a->link != NULL)
        gate_links_close(&a->link, why);
    a->stream = NULL;
    a->link = NULL;
    gate_block_unref(&a->block);
    gate_arena_clear(&a->arena);
    atomic_fetch_sub_explicit(&a->peer->active, 1, memory_order_relaxed);
    gate_peer_unref(&a->peer);
}
