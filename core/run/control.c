#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "run/engine_int.h"

#define TICK_MS 1000

/* Orders: by the supervisor, by signals where there is none, or by the engine itself. */

void gate_control_reopen(struct gate_engine *e)
{
    gate_log_writer_reopen(e->error_writer);
    if (e->access_writer != NULL)
        gate_log_writer_reopen(e->access_writer);
    gate_logf(&e->log, GATE_LOG_INFO, "opening the logs anew");
}

static void unwant_all(struct gate_engine *e)
{
    struct gate_list *points = &e->broker->set.points;

    for (struct gate_list *n = points->next; n != points; n = n->next)
        gate_container_of(n, struct gate_listen_point, node)->wanted = false;
}

void gate_control_drain(struct gate_engine *e)
{
    uint32_t limit;

    if (e->draining)
        return;
    e->draining = true;
    if (e->current == NULL) {
        gate_control_quit(e);
        return;
    }
    limit = e->current->g.config->process.drain_ms;
    gate_logf(&e->log, GATE_LOG_INFO, "draining, for %u ms at most", limit);
    unwant_all(e);
    for (uint32_t i = 0; i < e->n_workers; i++)
        gate_run_worker_drain(&e->workers[i], limit);
}

void gate_control_quit(struct gate_engine *e)
{
    if (e->quitting)
        return;
    e->draining = e->quitting = true;
    for (uint32_t i = 0; i < e->n_workers; i++)
        gate_run_worker_quit(&e->workers[i]);
    if (e->n_workers == 0)
        gate_loop_stop_async(&e->loop);
}

void gate_control_drained(struct gate_engine *e)
{
    if (++e->drained == e->n_workers)
        gate_loop_stop_async(&e->loop);
}

void gate_control_left(struct gate_engine *e)
{
    struct gate_list *points;
    struct gate_list *next;

    /* The last mail is read when the broker has closed everything already. And an engine that ends
     * before it served leaves the sockets as they are, for the next one. */
    if (e->broker == NULL || e->current == NULL)
        return;
    points = &e->broker->set.points;
    /* Until a swap is complete, workers that have not made it may still begin to watch. */
    if (e->reload != NULL && !e->draining)
        return;
    for (struct gate_list *n = points->next; n != points; n = next) {
        struct gate_listen_point *p = gate_container_of(n, struct gate_listen_point, node);

        next = n->next;
        if (!p->wanted && atomic_load_explicit(&p->users, memory_order_acquire) == 0)
            gate_broker_forget(e->broker, &p);
    }
}

void gate_control_command(void *engine, enum gate_wire_kind command)
{
    struct gate_engine *e = engine;

    switch (command) {
    case GATE_WIRE_DRAIN:
        gate_control_drain(e);
        break;
    case GATE_WIRE_QUIT:
        gate_control_quit(e);
        break;
    case GATE_WIRE_RELOAD:
        gate_reload_begin(e, GATE_RELOAD_ORDER, NULL);
        break;
    case GATE_WIRE_REOPEN:
        gate_control_reopen(e);
        break;
    default:
        break;
    }
}

void gate_control_orphaned(void *engine)
{
    struct gate_engine *e = engine;

    gate_logf(&e->log, GATE_LOG_WARN,
              "the supervisor is gone; this engine serves on, and ends on SIGTERM");
    gate_control_signals(e);
}

/* Signals */

static void on_signals(struct ev_loop *ev, struct ev_io *io, int events)
{
    struct gate_engine *e = gate_container_of(io, struct gate_engine, signals);
    struct signalfd_siginfo info;

    (void)ev;
    (void)events;
    while (read(e->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP)
            gate_reload_begin(e, GATE_RELOAD_ORDER, NULL);
        else if (info.ssi_signo == SIGUSR1)
            gate_control_reopen(e);
        else if (e->draining)
            gate_control_quit(e);
        else
            gate_control_drain(e);
    }
}

void gate_control_signals(struct gate_engine *e)
{
    static const int taken[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1 };
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        /* What came while they were ignored is dropped here. */
        signal(taken[i], SIG_IGN);
        signal(taken[i], SIG_DFL);
        sigaddset(&set, taken[i]);
    }
    e->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (e->signal_fd < 0) {
        gate_logf(&e->log, GATE_LOG_ERROR, "no signals: %s", strerror(errno));
        return;
    }
    ev_io_init(&e->signals, on_signals, e->signal_fd, EV_READ);
    ev_io_start(e->loop.ev, &e->signals);
}

/* The loop */

static void on_tick(struct gate_timer *t)
{
    struct gate_engine *e = gate_container_of(t, struct gate_engine, tick);

    e->pings++;
    gate_memory_keep_tickets(e);
    for (uint32_t i = 0; i < e->n_workers && !e->draining; i++)
        gate_run_worker_ping(&e->workers[i], e->pings);
    gate_log_watch(e);
    gate_loop_timer(&e->loop, &e->tick, TICK_MS);
}

void gate_control_run(struct gate_engine *e)
{
    gate_timer_init(&e->tick, on_tick);
    gate_terms_init(e);
    gate_loop_timer(&e->loop, &e->tick, TICK_MS);
    gate_loop_run(&e->loop);
    gate_loop_untimer(&e->loop, &e->tick);
    gate_loop_untimer(&e->loop, &e->terms);
    if (e->signal_fd >= 0) {
        ev_io_stop(e->loop.ev, &e->signals);
        close(e->signal_fd);
    }
}
