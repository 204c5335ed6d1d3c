#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/pipe.h"
#include "base/thread.h"
#include "exchange/exchange.h"
#include "flow/access_log.h"
#include "flow/flow.h"
#include "run/crash.h"
#include "run/engine_int.h"
#include "script/hook.h"
#include "upstream/links.h"

/* Idle connections of a drain: long enough for a request that is already on its way. */
#define DRAIN_GRACE_MS 500
#define DRAIN_STEP_MS 10
/* What was cut has this long to end (log hooks). In a host's process what is left over would never
 * be freed. */
#define CUT_MS      1000
#define CUT_HOST_MS 20000

/* A message without content. */
struct note {
    struct gate_mail mail;
    struct gate_run_worker *worker;
    uint32_t number;
};

static void post(struct gate_run_worker *w, void (*deliver)(struct gate_mail *, void *),
                 uint32_t number)
{
    struct note *n = gate_alloc(sizeof(*n));

    n->mail.deliver = deliver;
    n->worker = w;
    n->number = number;
    gate_mailbox_post(&w->base.mail, &n->mail);
}

/* Takes the content of a note and frees it. */
static uint32_t take(struct gate_mail *m)
{
    struct note *n = gate_container_of(m, struct note, mail);
    uint32_t number = n->number;

    gate_free(n);
    return number;
}

/* Ping, clock */

static void on_ping(struct gate_mail *m, void *worker)
{
    struct gate_run_worker *w = worker;

    atomic_store_explicit(&w->pong, take(m), memory_order_relaxed);
}

void gate_run_worker_ping(struct gate_run_worker *w, uint32_t number)
{
    post(w, on_ping, number);
}

static void on_refresh(struct gate_mail *m, void *worker)
{
    take(m);
    gate_loop_refresh(&((struct gate_run_worker *)worker)->base.loop);
}

void gate_run_worker_refresh(struct gate_run_worker *w)
{
    post(w, on_refresh, 0);
}

/* The end */

static bool is_empty(const struct gate_run_worker *w)
{
    return w->base.sessions == 0 && w->base.offloaded == 0 && gate_list_empty(&w->base.live);
}

static void on_drained(struct gate_mail *m, void *engine)
{
    take(m);
    gate_control_drained(engine);
}

static void end(struct gate_run_worker *w)
{
    struct note *n = gate_calloc(1, sizeof(*n));

    gate_loop_untimer(&w->base.loop, &w->drain);
    atomic_store(&w->clean, is_empty(w));
    n->mail.deliver = on_drained;
    gate_mailbox_post(&w->engine->mail, &n->mail);
    gate_loop_stop_async(&w->base.loop);
}

/* VMs of seats that get new requests. */
static void tell_vms(const struct gate_run_worker *w, void (*fn)(struct gate_vm *vm))
{
    const struct gate_generation_seat *seats[] = { w->base.seat, w->base.canary };

    for (size_t i = 0; i < GATE_COUNT_OF(seats); i++) {
        if (seats[i] != NULL && seats[i]->vm != NULL)
            fn(seats[i]->vm);
    }
}

static void cut(struct gate_run_worker *w)
{
    w->stopping = true;
    w->drain_by_ms = gate_loop_now(&w->base.loop) +
                     (w->engine->host == NULL ? CUT_MS : CUT_HOST_MS);
    gate_session_close_all(&w->base);
    tell_vms(w, gate_vm_expire);
}

static void on_drain_step(struct gate_timer *t)
{
    struct gate_run_worker *w = gate_container_of(t, struct gate_run_worker, drain);
    bool late = gate_loop_now(&w->base.loop) >= w->drain_by_ms;

    if ((is_empty(w) && w->base.jobs == 0) || (late && w->stopping)) {
        end(w);
        return;
    }
    if (late)
        cut(w);
    gate_loop_timer(&w->base.loop, &w->drain, DRAIN_STEP_MS);
}

static void on_drain(struct gate_mail *m, void *worker)
{
    struct gate_run_worker *w = worker;
    uint32_t limit = take(m);

    if (w->base.draining)
        return;
    w->base.draining = true;
    tell_vms(w, gate_vm_retire);
    w->drain_by_ms = gate_loop_now(&w->base.loop) + limit;
    gate_acceptors_stop(w);
    gate_session_drain(&w->base, limit < DRAIN_GRACE_MS ? limit : DRAIN_GRACE_MS);
    gate_loop_timer(&w->base.loop, &w->drain, 1);
}

void gate_run_worker_drain(struct gate_run_worker *w, uint32_t drain_ms)
{
    post(w, on_drain, drain_ms);
}

static void on_quit(struct gate_mail *m, void *worker)
{
    struct gate_run_worker *w = worker;

    take(m);
    if (w->stopping)
        return;
    w->base.draining = true;
    cut(w);
    gate_acceptors_stop(w);
    gate_loop_timer(&w->base.loop, &w->drain, 1);
}

void gate_run_worker_quit(struct gate_run_worker *w)
{
    post(w, on_quit, 0);
}

/* The thread */

static void init_base(struct gate_run_worker *w)
{
    struct gate_worker *b = &w->base;

    gate_mailbox_open(&b->mail, &b->loop, w);
    gate_handle_table_init(&b->exchanges);
    gate_slab_init(&b->exchange_slab, "exchange", sizeof(struct gate_exchange));
    gate_list_init(&b->live);
    gate_list_init(&w->seats);
    gate_acceptors_init(w);
    gate_timer_init(&w->drain, on_drain_step);
    b->links = gate_links_new(&b->loop, &b->counters, b->index);
    gate_session_init(b);
}

/* What must happen on the thread itself. */
static void leave(struct gate_run_worker *w)
{
    if (w->base.access_log != NULL)
        gate_access_log_free(&w->base.access_log);
    for (struct gate_list *n = w->seats.next; n != &w->seats; n = n->next) {
        struct gate_seat_slot *s = gate_container_of(n, struct gate_seat_slot, node);

        if (s->seat.vm != NULL && atomic_load(&w->clean))
            gate_vm_detach(s->seat.vm);
    }
}

void gate_run_worker_join(struct gate_run_worker *w)
{
    pthread_join(w->thread, NULL);
    sem_destroy(&w->up);
    w->ended = true;
}

bool gate_run_worker_end(struct gate_run_worker *w)
{
    struct gate_worker *b = &w->base;

    /* Something is left (a task that does not end): the process ends around it. */
    if (!atomic_load(&w->clean))
        return false;
    gate_mailbox_close(&b->mail);
    gate_session_fini(b);
    gate_links_free(&b->links);
    gate_slab_fini(&b->exchange_slab);
    gate_handle_table_fini(&b->exchanges);
    gate_loop_close(&b->loop);
    return true;
}

static void *worker_main(void *arg)
{
    struct gate_run_worker *w = arg;

    gate_crash_thread(&w->base, w->crash_stack);
    w->start_err = gate_loop_open(&w->base.loop, &w->engine->clock, &w->engine->log);
    w->start_errno = errno;
    if (w->start_err == GATE_OK) {
        gate_pipe_allow(&w->base.loop.blocks, w->pipes);
        init_base(w);
    }
    sem_post(&w->up);
    if (w->start_err != GATE_OK)
        return NULL;
    gate_loop_run(&w->base.loop);
    leave(w);
    return NULL;
}

enum gate_err gate_run_worker_start(struct gate_run_worker *w, struct gate_engine *e,
                                    uint32_t index, uint32_t pipes)
{
    char name[16];
    int err;

    w->engine = e;
    w->base.index = index;
    w->pipes = pipes;
    w->base.log = &e->log;
    w->base.watchdog = e->watchdog;
    w->base.offload = e->offload;
    w->base.ip_counts = e->ip_counts;
    w->base.tunnels = e->tunnels;
    w->base.on_full = gate_renewal_ask;
    w->base.on_killed = e->host == NULL ? NULL : gate_host_killed;
    if (getrandom(&w->base.id_prefix, sizeof(w->base.id_prefix), 0) < 0)
        return GATE_E_SYS;
    sem_init(&w->up, 0, 0);
    snprintf(name, sizeof(name), "worker %u", index);
    err = gate_thread_start(&w->thread, name, worker_main, w);
    if (err == 0) {
        while (sem_wait(&w->up) != 0)
            ;
        if (w->start_err == GATE_OK)
            return GATE_OK;
        pthread_join(w->thread, NULL);
        err = w->start_errno;
    }
    sem_destroy(&w->up);
    errno = err;
    return GATE_E_SYS;
}
