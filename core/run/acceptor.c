#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "net/socket.h"
#include "run/engine_int.h"

/* Taken from one TCP listener before others get their turn. */
#define ACCEPTS_A_TURN 16
#define PAUSE_MS 100
/* Connections that are lost in a row before that is taken for the listener's own trouble. */
#define LOST_MOST 16
#define LEAVE_STEP_MS 20
#define QUIET_MS 200
#define LEAVE_MAX_MS 5000

/* One listening descriptor that this worker accepts from. */
struct acceptor {
    struct gate_list node;
    struct ev_io io;
    struct gate_timer rest;             /* after a failure that is not of descriptors */
    struct gate_run_worker *worker;
    struct gate_listener *listener;     /* a reference */
    struct gate_listen_point *point;
    int fd;
    uint32_t lost;                      /* connections in a row */
    bool shared;                        /* other workers watch it too: one per wake */
    bool kept;                          /* mark of apply */
    bool leaving;                       /* its address went */
    uint64_t left_ms;                   /* since when */
    uint64_t quiet_ms;                  /* since when nobody came */
};

static void acceptor_free(struct acceptor *a)
{
    ev_io_stop(a->worker->base.loop.ev, &a->io);
    gate_loop_untimer(&a->worker->base.loop, &a->rest);
    gate_list_remove(&a->node);
    gate_listener_unref(&a->listener);
    atomic_fetch_sub_explicit(&a->point->users, 1, memory_order_release);
    gate_free(a);
}

static void watch(struct acceptor *a)
{
    if (!a->worker->paused && !gate_timer_active(&a->rest))
        ev_io_start(a->worker->base.loop.ev, &a->io);
}

static void on_rested(struct gate_timer *t)
{
    watch(gate_container_of(t, struct acceptor, rest));
}

/* One line a second: clients can make these happen. */
static void tell_failed(const struct acceptor *a, enum gate_err err, int sys_errno)
{
    struct gate_run_worker *w = a->worker;
    struct rlimit l = { 0, 0 };
    uint32_t untold;

    if (!gate_log_pace_allows(&w->accept_pace, gate_loop_now(&w->base.loop), 1, &untold))
        return;
    if (err != GATE_E_LIMIT) {
        gate_logf(w->base.log, GATE_LOG_ERROR, "cannot accept a connection at %.*s: %s",
                  (int)a->listener->text.n, a->listener->text.p, strerror(sys_errno));
        return;
    }
    getrlimit(RLIMIT_NOFILE, &l);
    gate_logf(w->base.log, GATE_LOG_ERROR,
              "cannot accept a connection: %s; idle ones are closed to make room (limit of open "
              "files, ulimit -n: %llu)", strerror(sys_errno), (unsigned long long)l.rlim_cur);
}

/* No descriptors: accepting rests a moment, and connections that only idle make room. */
static void pause_accepting(struct gate_run_worker *w)
{
    if (w->paused)
        return;
    w->paused = true;
    for (struct gate_list *n = w->acceptors.next; n != &w->acceptors; n = n->next)
        ev_io_stop(w->base.loop.ev, &gate_container_of(n, struct acceptor, node)->io);
    gate_session_make_room(&w->base);
    gate_loop_timer(&w->base.loop, &w->unpause, PAUSE_MS);
}

static void on_unpause(struct gate_timer *t)
{
    struct gate_run_worker *w = gate_container_of(t, struct gate_run_worker, unpause);

    w->paused = false;
    for (struct gate_list *n = w->acceptors.next; n != &w->acceptors; n = n->next)
        watch(gate_container_of(n, struct acceptor, node));
}

/* False: no other one for now. What fails for ever (a security module that says no) would keep the
 * loop busy with nothing else, so that its listener rests. */
static GATE_COLD bool accept_failed(struct acceptor *a, enum gate_err err)
{
    struct gate_run_worker *w = a->worker;

    tell_failed(a, err, errno);
    gate_counters_add(&w->base.counters, GATE_C_ACCEPT_FAILURES, 1);
    if (err == GATE_E_RESET && ++a->lost < LOST_MOST)
        return true;
    a->lost = 0;
    if (err == GATE_E_LIMIT) {
        pause_accepting(w);
        return false;
    }
    ev_io_stop(w->base.loop.ev, &a->io);
    gate_loop_timer(&w->base.loop, &a->rest, PAUSE_MS);
    return false;
}

/* Accepts one; false when there is no more, or none can be taken. */
static bool accept_one(struct acceptor *a)
{
    struct gate_run_worker *w = a->worker;
    struct gate_addr peer;
    enum gate_err err;
    int fd;

    err = gate_socket_accept(a->fd, &fd, &peer);
    if (GATE_UNLIKELY(err != GATE_OK))
        return err != GATE_E_AGAIN && accept_failed(a, err);
    a->lost = 0;
    a->quiet_ms = gate_loop_now(&w->base.loop);
    gate_session_open(&w->base, a->listener, fd, &peer);
    return true;
}

static void on_acceptable(struct ev_loop *ev, struct ev_io *io, int events)
{
    struct acceptor *a = gate_container_of(io, struct acceptor, io);
    int n = a->shared ? 1 : ACCEPTS_A_TURN;

    (void)ev;
    if (GATE_UNLIKELY(events & EV_ERROR)) {
        /* The kernel does not watch it (memory, fs.epoll.max_user_watches); libev gives up. */
        errno = ENOMEM;
        accept_failed(a, GATE_E_SYS);
        return;
    }
    while (n-- > 0 && accept_one(a))
        ;
}

/* Tells control that sockets may be closed; the answer is in the points' counts. */
struct left_mail {
    struct gate_mail mail;
};

static void on_left(struct gate_mail *m, void *engine)
{
    gate_free(gate_container_of(m, struct left_mail, mail));
    gate_control_left(engine);
}

static void tell_left(struct gate_run_worker *w)
{
    struct left_mail *m = gate_alloc(sizeof(*m));

    m->mail.deliver = on_left;
    gate_mailbox_post(&w->engine->mail, &m->mail);
}

/* An address that goes is accepted from until nobody has come for a while: connections that the
 * kernel had queued are served. */
static void on_leave(struct gate_timer *t)
{
    struct gate_run_worker *w = gate_container_of(t, struct gate_run_worker, leave);
    uint64_t now = gate_loop_now(&w->base.loop);
    bool some = false, left = false;
    struct gate_list *next;

    for (struct gate_list *n = w->acceptors.next; n != &w->acceptors; n = next) {
        struct acceptor *a = gate_container_of(n, struct acceptor, node);

        next = n->next;
        if (!a->leaving)
            continue;
        if (now - a->quiet_ms >= QUIET_MS || now - a->left_ms >= LEAVE_MAX_MS) {
            acceptor_free(a);
            left = true;
        } else {
            some = true;
        }
    }
    if (left)
        tell_left(w);
    if (some)
        gate_loop_timer(&w->base.loop, &w->leave, LEAVE_STEP_MS);
}

void gate_acceptors_init(struct gate_run_worker *w)
{
    gate_list_init(&w->acceptors);
    gate_timer_init(&w->unpause, on_unpause);
    gate_timer_init(&w->leave, on_leave);
}

static struct acceptor *find(struct gate_run_worker *w, int fd)
{
    for (struct gate_list *n = w->acceptors.next; n != &w->acceptors; n = n->next) {
        struct acceptor *a = gate_container_of(n, struct acceptor, node);

        if (a->fd == fd)
            return a;
    }
    return NULL;
}

static void keep_or_make(struct gate_run_worker *w, struct gate_listen_point *p, int fd,
                         struct gate_listener *l)
{
    struct acceptor *a = find(w, fd);

    if (a == NULL) {
        a = gate_calloc(1, sizeof(*a));
        a->worker = w;
        a->point = p;
        a->fd = fd;
        a->shared = p->n == 1 && w->engine->n_workers > 1;
        atomic_fetch_add_explicit(&p->users, 1, memory_order_relaxed);
        gate_list_push(&w->acceptors, &a->node);
        ev_io_init(&a->io, on_acceptable, fd, EV_READ);
        gate_timer_init(&a->rest, on_rested);
        watch(a);
    } else {
        gate_listener_unref(&a->listener);
    }
    l->refs++;
    a->listener = l;
    a->kept = true;
    a->leaving = false;
}

void gate_acceptors_apply(struct gate_run_worker *w, const struct gate_live *live)
{
    const struct gate_config *c = live->g.config;
    uint64_t now = gate_loop_now(&w->base.loop);
    bool leaving = false;

    for (struct gate_list *n = w->acceptors.next; n != &w->acceptors; n = n->next)
        gate_container_of(n, struct acceptor, node)->kept = false;
    for (uint32_t i = 0; i < c->n_listeners; i++) {
        struct gate_listen_point *p = live->points[i];
        struct gate_listener *l = gate_listener_new(&c->listeners[i], live->tls[i]);

        for (uint32_t k = 0; k < p->n; k++) {
            if (p->n == 1 || k % w->engine->n_workers == w->base.index)
                keep_or_make(w, p, p->fds[k], l);
        }
        gate_listener_unref(&l);
    }
    for (struct gate_list *n = w->acceptors.next; n != &w->acceptors; n = n->next) {
        struct acceptor *a = gate_container_of(n, struct acceptor, node);

        if (a->kept || a->leaving)
            continue;
        a->leaving = leaving = true;
        a->left_ms = a->quiet_ms = now;
    }
    if (leaving)
        gate_loop_timer(&w->base.loop, &w->leave, LEAVE_STEP_MS);
}

void gate_acceptors_stop(struct gate_run_worker *w)
{
    while (!gate_list_empty(&w->acceptors)) {
        struct acceptor *a = gate_container_of(w->acceptors.next, struct acceptor, node);

        while (!w->stopping && accept_one(a))
            ;
        acceptor_free(a);
    }
    gate_loop_untimer(&w->base.loop, &w->leave);
    gate_loop_untimer(&w->base.loop, &w->unpause);
    tell_left(w);
}
