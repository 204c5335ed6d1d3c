#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "run/broker.h"

#define ANSWER_MS 5000
#define ORDERS (GATE_WIRE_REOPEN - GATE_WIRE_DRAIN + 1)

struct remote_broker {
    struct gate_broker base;
    struct gate_loop *loop;
    int fd;                         /* -1: orphaned */
    struct ev_io in;
    struct gate_ready later_ready;
    enum gate_wire_kind later[ORDERS];  /* orders to be delivered, each kind once */
    uint32_t n_later;
    uint32_t reloads;               /* that the one among them stands for */
    uint32_t asked;                 /* questions so far: the number of the last one */
    gate_broker_command *command;
    void (*orphaned)(void *arg);
    void *arg;
};

static void lose_supervisor(struct remote_broker *r)
{
    if (r->fd < 0)
        return;
    ev_io_stop(r->loop->ev, &r->in);
    close(r->fd);
    r->fd = -1;
    r->base.lasts = false;
    gate_loop_ready(r->loop, &r->later_ready);
}

/* fd -1: none. */
static void tell(struct remote_broker *r, const struct gate_wire *m, int fd)
{
    if (r->fd >= 0 && gate_wire_send(r->fd, m, &fd, fd >= 0) != GATE_OK)
        lose_supervisor(r);
}

/* The first of the orders: it is not waiting any more when its command asks and others come. */
static void deliver(struct remote_broker *r)
{
    struct gate_wire heard = { .kind = GATE_WIRE_HEARD, .number = r->reloads };
    enum gate_wire_kind kind = r->later[0];

    r->n_later--;
    memmove(r->later, r->later + 1, r->n_later * sizeof(r->later[0]));
    if (kind == GATE_WIRE_RELOAD) {
        r->reloads = 0;
        tell(r, &heard, -1);
    }
    r->command(r->arg, kind);
}

/* Orders are delivered from the loop only, never from inside a listen. */
static void on_later(struct gate_ready *ready)
{
    struct remote_broker *r = gate_container_of(ready, struct remote_broker, later_ready);

    while (r->n_later > 0)
        deliver(r);
    if (r->fd < 0 && r->orphaned != NULL) {
        void (*orphaned)(void *) = r->orphaned;

        r->orphaned = NULL;
        orphaned(r->arg);
    }
}

/* One that waits stands for all of its kind. */
static void note_order(struct remote_broker *r, enum gate_wire_kind kind)
{
    uint32_t i = 0;

    r->reloads += kind == GATE_WIRE_RELOAD;
    while (i < r->n_later && r->later[i] != kind)
        i++;
    if (i == r->n_later)
        r->later[r->n_later++] = kind;
    gate_loop_ready(r->loop, &r->later_ready);
}

static void close_all(int *fds, uint32_t n)
{
    while (n > 0)
        close(fds[--n]);
}

/* What came and is no answer that anybody waits for: an order, or an answer that came too late. */
static void take_unasked(struct remote_broker *r, const struct gate_wire *m, int *fds, uint32_t n)
{
    close_all(fds, n);
    if (m->kind >= GATE_WIRE_DRAIN && m->kind <= GATE_WIRE_REOPEN)
        note_order(r, (enum gate_wire_kind)m->kind);
}

static void on_readable(struct ev_loop *ev, struct ev_io *in, int events)
{
    struct remote_broker *r = gate_container_of(in, struct remote_broker, in);
    int fds[GATE_LISTEN_MAX];
    struct gate_wire m;
    enum gate_err err;
    uint32_t n;

    (void)ev;
    (void)events;
    err = gate_wire_receive(r->fd, &m, fds, &n);
    if (err == GATE_OK)
        take_unasked(r, &m, fds, n);
    else if (err != GATE_E_AGAIN)
        lose_supervisor(r);
}

/* Sends and waits for the answer of that kind; orders that come meanwhile are kept. */
static enum gate_err ask(struct remote_broker *r, const struct gate_wire *question,
                         enum gate_wire_kind kind, struct gate_wire *answer,
                         int fds[GATE_LISTEN_MAX], uint32_t *n)
{
    enum gate_err err = gate_wire_send(r->fd, question, NULL, 0);
    struct pollfd p = { .fd = r->fd, .events = POLLIN };

    while (err == GATE_OK) {
        if (poll(&p, 1, ANSWER_MS) == 0) {
            errno = ETIMEDOUT;
            return GATE_E_SYS;
        }
        err = gate_wire_receive(r->fd, answer, fds, n);
        if (err == GATE_E_AGAIN)
            err = GATE_OK;
        else if (err == GATE_OK && answer->kind == (uint32_t)kind &&
                 answer->number == question->number)
            return GATE_OK;
        else if (err == GATE_OK)
            take_unasked(r, answer, fds, *n);
    }
    lose_supervisor(r);
    return GATE_E_CLOSED;
}

static enum gate_err remote_listen(struct gate_broker *b, const struct gate_listen_wish *wish,
                                   struct gate_listen_point **out)
{
    struct remote_broker *r = gate_container_of(b, struct remote_broker, base);
    struct gate_wire m = { .kind = GATE_WIRE_LISTEN, .number = ++r->asked, .wish = *wish };
    struct gate_listen_point *p = gate_listen_set_find(&b->set, wish);
    int fds[GATE_LISTEN_MAX];
    struct gate_wire answer;
    enum gate_err err;
    uint32_t n = 0;

    if (p != NULL) {
        *out = p;
        return GATE_OK;
    }
    err = r->fd < 0 ? GATE_E_CLOSED : ask(r, &m, GATE_WIRE_SOCKETS, &answer, fds, &n);
    if (err == GATE_E_CLOSED)
        return gate_listen_set_get(&b->set, wish, out);
    if (err != GATE_OK)
        return err;
    if (answer.err != GATE_OK) {
        errno = answer.sys_errno;
        return (enum gate_err)answer.err;
    }
    /* The kernel leaves out what is over this process's limit of descriptors. */
    if (n != answer.wish.sockets) {
        close_all(fds, n);
        errno = EMFILE;
        return GATE_E_SYS;
    }
    *out = gate_listen_set_add(&b->set, wish, &answer.bound, fds, n);
    return GATE_OK;
}

static void remote_forget(struct gate_broker *b, struct gate_listen_point **point)
{
    struct remote_broker *r = gate_container_of(b, struct remote_broker, base);
    struct gate_wire m = {
        .kind = GATE_WIRE_FORGET, .number = ++r->asked, .wish = (*point)->wish };
    int fds[GATE_LISTEN_MAX];
    struct gate_wire answer;
    uint32_t n;

    if (r->fd < 0) {
        gate_listen_set_drop(point);
        return;
    }
    /* Closed first: the supervisor removes the file of a Unix socket that nobody answers at. */
    gate_listen_set_release(point);
    ask(r, &m, GATE_WIRE_FORGOTTEN, &answer, fds, &n);
}

static void remote_ready(struct gate_broker *b, uint32_t drain_ms)
{
    struct remote_broker *r = gate_container_of(b, struct remote_broker, base);
    struct gate_wire m = { .kind = GATE_WIRE_READY, .number = drain_ms };

    tell(r, &m, -1);
}

static void remote_keep(struct gate_broker *b, const struct gate_store_name *name, int fd)
{
    struct gate_wire m = { .kind = GATE_WIRE_KEEP, .memory = *name };

    tell(gate_container_of(b, struct remote_broker, base), &m, fd);
}

static void remote_drop(struct gate_broker *b, const struct gate_store_name *name)
{
    struct gate_wire m = { .kind = GATE_WIRE_DROP, .memory = *name };

    tell(gate_container_of(b, struct remote_broker, base), &m, -1);
}

static int remote_kept(struct gate_broker *b, uint32_t i, struct gate_store_name *name)
{
    struct remote_broker *r = gate_container_of(b, struct remote_broker, base);
    struct gate_wire m = { .kind = GATE_WIRE_KEPT, .number = i };
    int fds[GATE_LISTEN_MAX];
    struct gate_wire answer;
    uint32_t n = 0;

    if (r->fd < 0 || ask(r, &m, GATE_WIRE_MEMORY, &answer, fds, &n) != GATE_OK || n == 0)
        return -1;
    *name = answer.memory;
    close_all(fds + 1, n - 1);
    return fds[0];
}

static void remote_free(struct gate_broker *b)
{
    struct remote_broker *r = gate_container_of(b, struct remote_broker, base);

    gate_ready_cancel(&r->later_ready);
    if (r->fd < 0) {
        gate_listen_set_fini(&b->set);
    } else {
        ev_io_stop(r->loop->ev, &r->in);
        close(r->fd);
        while (!gate_list_empty(&b->set.points)) {
            struct gate_listen_point *p =
                gate_container_of(b->set.points.next, struct gate_listen_point, node);

            gate_listen_set_release(&p);
        }
    }
    gate_free(r);
}

static const struct gate_broker_ops remote_ops = {
    .listen = remote_listen,
    .forget = remote_forget,
    .ready = remote_ready,
    .keep = remote_keep,
    .drop = remote_drop,
    .kept = remote_kept,
    .free = remote_free,
};

struct gate_broker *gate_broker_remote_new(struct gate_loop *loop, int fd,
                                           gate_broker_command *command,
                                           void (*orphaned)(void *arg), void *arg)
{
    struct remote_broker *r = gate_calloc(1, sizeof(*r));

    r->base.ops = &remote_ops;
    r->base.lasts = true;
    gate_listen_set_init(&r->base.set);
    r->loop = loop;
    r->fd = fd;
    r->command = command;
    r->orphaned = orphaned;
    r->arg = arg;
    gate_ready_init(&r->later_ready, on_later);
    ev_io_init(&r->in, on_readable, fd, EV_READ);
    ev_io_start(loop->ev, &r->in);
    return &r->base;
}
