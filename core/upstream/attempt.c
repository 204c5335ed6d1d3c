/* An attempt owns what belongs to one try, so that a retry starts from nothing. */
#include "upstream/attempt.h"

#include "base/assert.h"
#include "tls/tls.h"
#include "upstream/dial.h"

/* Longest sentence about a dial that failed. */
#define WHY_CAP 200

void gate_attempt_init(struct gate_attempt *a, struct gate_links *links, struct gate_peer *peer,
                       struct gate_peer_share *share)
{
    memset(a, 0, offsetof(struct gate_attempt, links));
    a->head.status = 0;
    a->claim.link = NULL;
    a->links = links;
    gate_arena_init(&a->arena, &links->loop->chunks);
    a->peer = peer;
    a->share = share;
    gate_peer_begin(share);
}

static void explain(struct gate_attempt *a, const char *stage, const char *why)
{
    struct gate_out o = gate_out_on(gate_arena_alloc(&a->arena, WHY_CAP), WHY_CAP - 1);

    gate_out_fmt(&o, "%s: %s", stage, why);
    o.p[o.n] = '\0';
    a->why = o.p;
}

/* A connection of its own. */
static enum gate_err dial(struct gate_attempt *a, struct gate_upstream_local *local)
{
    const struct gate_dial how = {
        .local = local,
        .peer = a->peer,
        .want = &a->want,
        .preface = a->preface,
    };
    const char *why;
    enum gate_err e = gate_dial(a->links, &how, &a->claim.link, &why);

    if (e == GATE_E_AGAIN)
        gate_list_push(&a->claim.link->waiting, &a->claim.node);
    else if (e != GATE_OK)
        explain(a, "connect", why);
    return e;
}

static void on_link(struct gate_link_claim *c, enum gate_err e, const char *why)
{
    struct gate_attempt *a = gate_container_of(c, struct gate_attempt, claim);

    if (e == GATE_E_AGAIN) {
        a->joined = false;
        e = dial(a, c->link->local);
        if (e == GATE_E_AGAIN)
            return;
        c->link = e == GATE_OK ? c->link : NULL;
    } else if (e != GATE_OK) {
        explain(a, gate_tls_of(&c->link->conn) != NULL ? "TLS" : "connect", why);
        c->link = NULL;
    }
    gate_wait_wake(a->wait, e);
}

enum gate_err gate_attempt_dial(struct gate_attempt *a, struct gate_upstream_local *local)
{
    struct gate_link *l = gate_links_take(a->links, local, a->peer, &a->want);

    a->claim.link = l;
    if (GATE_LIKELY(l != NULL && !l->dialing)) {
        a->reused = l->requests > 0;
        return GATE_OK;
    }
    a->claim.on_link = on_link;
    gate_list_init(&a->claim.node);
    a->joined = l != NULL;
    if (!a->joined)
        return dial(a, local);
    gate_list_push(&l->waiting, &a->claim.node);
    return GATE_E_AGAIN;
}

void gate_attempt_wait(struct gate_attempt *a, struct gate_wait *wait)
{
    a->wait = wait;
    gate_wait_arm(wait, 0, NULL);
}

struct gate_stream *gate_attempt_begin(struct gate_attempt *a, const struct gate_link_use *use)
{
    struct gate_link *l = a->claim.link;

    a->before = gate_link_written(l);
    a->stream = gate_link_begin(l, use);
    if (a->stream == NULL) {
        a->refused = true;
        a->want.after = l->serial;
        a->claim.link = NULL;
    }
    return a->stream;
}

static bool is_h2(const struct gate_attempt *a)
{
    return a->stream != NULL && a->claim.link->protocol == GATE_LINK_H2;
}

uint64_t gate_attempt_serial(const struct gate_attempt *a)
{
    return a->claim.link != NULL ? a->claim.link->serial : a->want.after;
}

bool gate_attempt_refused(const struct gate_attempt *a)
{
    return a->refused || (is_h2(a) && gate_h2_stream_of(a->stream)->refused);
}

bool gate_attempt_untouched(const struct gate_attempt *a, enum gate_err e)
{
    return gate_attempt_refused(a) || gate_link_untaken(a->claim.link, a->before, e);
}

bool gate_attempt_answered(const struct gate_attempt *a)
{
    if (is_h2(a))
        return gate_h2_is_answered(gate_h2_stream_of(a->stream));
    return gate_link_h1_answered(a->claim.link);
}

void gate_attempt_end(struct gate_attempt *a, enum gate_close_reason why)
{
    if (a->peer == NULL)
        return;
    if (a->wait != NULL) { /* it may be woken and not told yet */
        gate_wait_cancel(a->wait);
        gate_list_remove(&a->claim.node);
    }
    if (a->stream != NULL && a->ended)
        a->stream->ops->give_back(a->stream);
    else if (a->stream != NULL)
        a->stream->ops->reset(a->stream, why);
    else if (a->claim.link != NULL)
        gate_link_release(a->claim.link, why);
    a->stream = NULL;
    a->claim.link = NULL;
    gate_block_unref(&a->block);
    gate_arena_clear(&a->arena);
    gate_peer_end(a->share);
    a->peer = NULL;
}
