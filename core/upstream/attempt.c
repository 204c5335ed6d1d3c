/* An attempt owns what belongs to one try, so that a retry starts from nothing. */
#include "upstream/attempt.h"

#include <errno.h>

#include "base/assert.h"

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

static void on_connected(struct gate_link *l, enum gate_err e)
{
    struct gate_attempt *a = l->connect_arg;

    if (e == GATE_OK) {
        gate_link_ready(l);
    } else {
        a->sys_errno = e == GATE_E_TIMEOUT ? 0 : errno;
        gate_links_close(&a->link, GATE_CLOSE_LINK_ERROR);
    }
    gate_wait_wake(a->wait, e);
}

enum gate_err gate_attempt_dial(struct gate_attempt *a, struct gate_upstream_local *local,
                                uint32_t timeout_ms, bool fresh, struct gate_wait *wait)
{
    enum gate_err e;

    if (!fresh && a->preface.n == 0)
        a->link = gate_links_take(a->links, local, a->peer);
    if (a->link != NULL) {
        a->reused = true;
        return GATE_OK;
    }
    a->wait = wait;
    e = gate_links_dial(a->links, local, a->peer, timeout_ms, on_connected, a, &a->link);
    if (e != GATE_OK && e != GATE_E_AGAIN)
        a->sys_errno = errno;
    else if (a->preface.n > 0 && gate_link_preface(a->link, a->preface) != GATE_OK) {
        gate_links_close(&a->link, GATE_CLOSE_LINK_ERROR);
        return GATE_E_NOMEM;
    }
    if (e == GATE_E_AGAIN)
        gate_wait_arm(wait, 0, NULL);
    return e;
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
