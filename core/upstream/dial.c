/* While it is dialed the conn of a link calls the functions here; gate_link_ready puts its own in
 * their place. */
#include "upstream/dial.h"

#include <errno.h>

#include "net/socket.h"

static struct gate_link *link_of_conn(struct gate_conn *c)
{
    return gate_container_of(c, struct gate_link, conn);
}

static void fail(struct gate_link *l, enum gate_err e, const char *why)
{
    l->on_dialed(l, e, why);
}

static void succeed(struct gate_link *l)
{
    gate_link_ready(l);
    l->on_dialed(l, GATE_OK, NULL);
}

static void on_deadline(struct gate_timer *t)
{
    struct gate_link *l = gate_container_of(t, struct gate_link, deadline.timer);

    if (gate_deadline_reached(l->conn.loop, &l->deadline))
        fail(l, GATE_E_TIMEOUT, "no answer in time");
}

static void on_connecting(struct gate_conn *c)
{
    struct gate_link *l = link_of_conn(c);
    enum gate_err e = gate_socket_connected(c->fd);

    if (e == GATE_E_AGAIN)
        gate_conn_want_write(c);
    else if (e != GATE_OK)
        fail(l, e, strerrordesc_np(errno));
    else
        succeed(l);
}

enum gate_err gate_dial(struct gate_links *links, const struct gate_dial *how,
                        struct gate_link **out, const char **why)
{
    struct gate_link *l;
    int fd = -1;
    enum gate_err e = gate_socket_connect(&how->peer->addr, &fd);

    if (e != GATE_OK && e != GATE_E_AGAIN) {
        *why = strerrordesc_np(errno);
        return e;
    }
    l = gate_links_make(links, how->local, how->peer, fd);
    l->on_dialed = how->on_done;
    l->dial_arg = how->arg;
    if (how->preface.n > 0 && gate_link_preface(l, how->preface) != GATE_OK) {
        gate_links_close(&l, GATE_CLOSE_LINK_ERROR);
        *why = gate_err_text(GATE_E_NOMEM);
        return GATE_E_NOMEM;
    }
    *out = l;
    if (e == GATE_OK) {
        gate_link_ready(l);
        return GATE_OK;
    }
    l->conn.on_writable = on_connecting;
    l->deadline.timer.fn = on_deadline;
    gate_conn_want_write(&l->conn);
    if (how->timeout_ms > 0)
        gate_deadline_set(links->loop, &l->deadline, gate_loop_now(links->loop) + how->timeout_ms);
    return GATE_E_AGAIN;
}
