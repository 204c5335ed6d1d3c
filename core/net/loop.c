#include "net/loop.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"

/* Free memory of blocks and arenas up to here is kept; beyond it, what this time has not needed
 * goes back. */
#define TRIM_ABOVE (256u * 1024)
#define TRIM_MS    500

/* How often the ready queue and the flush list are run before the loop polls again: work that
 * makes itself ready for ever must not keep descriptors waiting. */
#define DRAIN_ROUNDS 8

/* Behind work of more than so long: time for what came in meanwhile, and for the answers that a
 * server next door gives to it. What is shorter costs others less than the rest costs it. */
#define REST_AFTER_NS (20 * GATE_MS)
#define REST_NS       GATE_MS

static void disarm_timer(struct gate_loop *loop)
{
    ev_timer_stop(loop->ev, &loop->timer);
    loop->armed_ms = UINT64_MAX;
}

void gate_loop_refresh(struct gate_loop *loop)
{
    int64_t skew = atomic_load_explicit(&loop->clock->skew_ns, memory_order_relaxed);
    uint64_t now = gate_clock_now_ns(loop->clock);

    loop->now_ns = now >= GATE_MS ? now : GATE_MS;
    if (skew != loop->skew_ns) {
        loop->skew_ns = skew;
        disarm_timer(loop); /* it runs by the system's clock and would now be late */
    }
}

/* Runs before the I/O callbacks of the same poll, by its priority. */
static void on_check(struct ev_loop *ev, struct ev_check *check, int events)
{
    (void)ev;
    (void)events;
    gate_loop_refresh(gate_container_of(check, struct gate_loop, check));
}

static void on_timer(struct ev_loop *ev, struct ev_timer *timer, int events)
{
    (void)ev;
    (void)events;
    gate_container_of(timer, struct gate_loop, timer)->armed_ms = UINT64_MAX;
}

/* Only interrupts the poll. */
static void on_wake(struct ev_loop *ev, struct ev_async *wake, int events)
{
    (void)ev;
    (void)wake;
    (void)events;
}

/* Only interrupts the poll. */
static void on_rested(struct gate_timer *t)
{
    (void)t;
}

static void on_trim(struct gate_timer *t)
{
    struct gate_loop *loop = gate_container_of(t, struct gate_loop, trim);

    gate_block_pool_trim(&loop->blocks);
    gate_chunk_pool_trim(&loop->chunks);
}

static void on_never(struct ev_loop *ev, struct ev_io *io, int events)
{
    (void)ev;
    (void)io;
    (void)events;
}

/* libev wakes a loop by a descriptor of its own. It ends the process when it finds none, and says
 * nothing when the kernel does not watch it (memory, fs.epoll.max_user_watches): nobody could wake
 * the loop. So both are tried first. */
static bool can_wake(struct ev_loop *ev)
{
    int fd = eventfd(0, EFD_CLOEXEC), kept;
    struct ev_io probe;
    bool watched;

    if (fd < 0)
        return false;
    ev_io_init(&probe, on_never, fd, EV_READ);
    ev_io_start(ev, &probe);
    ev_run(ev, EVRUN_NOWAIT);
    kept = errno;
    watched = ev_is_active(&probe);
    ev_io_stop(ev, &probe);
    close(fd);
    errno = kept;
    return watched;
}

static enum gate_err open_ev(struct gate_loop *loop)
{
    int kept;

    loop->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (loop->ev == NULL)
        return GATE_E_SYS;
    if (can_wake(loop->ev))
        return GATE_OK;
    kept = errno;
    ev_loop_destroy(loop->ev);
    loop->ev = NULL;
    errno = kept;
    return GATE_E_SYS;
}

enum gate_err gate_loop_open(struct gate_loop *loop, const struct gate_clock *clock,
                             struct gate_log *log)
{
    if (open_ev(loop) != GATE_OK)
        return GATE_E_SYS;
    gate_list_init(&loop->ready);
    gate_list_init(&loop->behind);
    gate_list_init(&loop->later);
    gate_list_init(&loop->flush);
    gate_block_pool_init(&loop->blocks, 0);
    gate_chunk_pool_init(&loop->chunks);
    loop->clock = clock;
    loop->log = log;
    ev_timer_init(&loop->timer, on_timer, 0., 0.);
    loop->armed_ms = UINT64_MAX;
    loop->skew_ns = 0;
    gate_loop_refresh(loop);
    gate_wheel_init(&loop->wheel, gate_loop_now(loop));
    gate_timer_init(&loop->rested, on_rested);
    gate_timer_init(&loop->trim, on_trim);
    atomic_init(&loop->stop, false);
    loop->turn = 1;
    loop->long_turn = 0;
    loop->rest_ns = 0;
    loop->tired = false;
    loop->owed = false;
    loop->later_first = false;
    loop->draining = false;
    loop->in_script = false;

    ev_check_init(&loop->check, on_check);
    ev_set_priority(&loop->check, EV_MAXPRI);
    ev_check_start(loop->ev, &loop->check);
    ev_async_init(&loop->wake, on_wake);
    ev_async_start(loop->ev, &loop->wake);
    return GATE_OK;
}

void gate_loop_close(struct gate_loop *loop)
{
    GATE_ASSERT(!loop->draining);
    ev_async_stop(loop->ev, &loop->wake);
    ev_timer_stop(loop->ev, &loop->timer);
    ev_check_stop(loop->ev, &loop->check);
    gate_chunk_pool_fini(&loop->chunks);
    gate_block_pool_fini(&loop->blocks);
    ev_loop_destroy(loop->ev);
    loop->ev = NULL;
}

/* libev's timer is moved only towards earlier times. One that fires before anything is due costs
 * a turn, and is cheaper than a move for each start and stop in the wheel. */
static void arm_timer(struct gate_loop *loop)
{
    uint64_t next = gate_wheel_next(&loop->wheel);
    uint64_t at_ns;

    if (next >= loop->armed_ms)
        return;
    disarm_timer(loop);
    at_ns = next * GATE_MS;
    ev_timer_set(&loop->timer,
                 at_ns > loop->now_ns ? (double)(at_ns - loop->now_ns) / GATE_SEC : 0., 0.);
    ev_timer_start(loop->ev, &loop->timer);
    loop->armed_ms = next;
}

static void run_timers(struct gate_loop *loop)
{
    uint64_t now = gate_loop_now(loop);
    struct gate_list due;
    struct gate_list *n;

    if (loop->armed_ms > now && loop->armed_ms != UINT64_MAX)
        return; /* the wheel's first time is not before libev's */
    gate_list_init(&due);
    gate_wheel_advance(&loop->wheel, now, &due);
    while ((n = gate_list_pop(&due)) != NULL) {
        struct gate_timer *t = gate_container_of(n, struct gate_timer, node);

        t->fn(t);
    }
}

static bool run_first(struct gate_list *list)
{
    struct gate_list *n = gate_list_pop(list);
    struct gate_ready *r;

    if (n == NULL)
        return false;
    r = gate_container_of(n, struct gate_ready, node);
    r->fn(r);
    return true;
}

/* One generation: what is linked now, not what it links. */
static void run_flush(struct gate_loop *loop)
{
    struct gate_list present;

    gate_list_init(&present);
    gate_list_splice(&present, &loop->flush);
    while (run_first(&present))
        continue;
}

void gate_loop_tire(struct gate_loop *loop)
{
    uint64_t began_ns = loop->now_ns;

    gate_loop_refresh(loop);
    loop->tired = true;
    loop->long_turn = loop->turn;
    if (loop->now_ns - began_ns > REST_AFTER_NS)
        loop->rest_ns = loop->now_ns + REST_NS;
}

/* What a run of a list has left comes before what was linked meanwhile. */
static void put_back(struct gate_list *list, struct gate_list *left)
{
    gate_list_splice(left, list);
    gate_list_splice(list, left);
}

/* One generation, until something took long: what that passed over comes first in the next turn. */
static void run_ready(struct gate_loop *loop)
{
    struct gate_list present;

    gate_list_init(&present);
    gate_list_splice(&present, &loop->ready);
    while (!loop->tired && run_first(&present))
        continue;
    if (GATE_UNLIKELY(!gate_list_empty(&present)))
        put_back(&loop->ready, &present);
}

/* The same, where others may take long, too: who has an answer does not wait for them. */
static GATE_COLD void run_apart(struct gate_loop *loop, struct gate_list *list)
{
    struct gate_list present;

    gate_list_init(&present);
    gate_list_splice(&present, list);
    do
        run_flush(loop);
    while (!loop->tired && run_first(&present));
    put_back(list, &present);
}

static bool has_waiting(const struct gate_loop *loop)
{
    return !gate_list_empty(&loop->behind) || !gate_list_empty(&loop->later);
}

static bool is_resting(const struct gate_loop *loop)
{
    return loop->now_ns < loop->rest_ns;
}

/* What was put off, until something took long: one such piece, now of one list and then of the
 * other, and behind a rest; not behind long work of the same turn, but for every second time. */
static GATE_COLD void run_put_off(struct gate_loop *loop)
{
    bool owed = loop->owed, tired = loop->long_turn == loop->turn;

    loop->owed = tired && !owed;
    if ((tired || is_resting(loop)) && !owed)
        return;
    loop->draining = true;
    loop->tired = false;
    run_apart(loop, loop->later_first ? &loop->later : &loop->behind);
    if (loop->tired)
        loop->later_first = !loop->later_first;
    else
        run_apart(loop, loop->later_first ? &loop->behind : &loop->later);
    run_flush(loop);
    loop->draining = false;
}

/* Whether a drain would do something. */
static bool has_ready(const struct gate_loop *loop)
{
    return !gate_list_empty(&loop->ready) || !gate_list_empty(&loop->flush);
}

/* Whether a poll is not to wait. Starts the timer that ends a rest. */
static bool has_work(struct gate_loop *loop)
{
    if (has_ready(loop))
        return true;
    if (GATE_LIKELY(!has_waiting(loop)))
        return false;
    if (!is_resting(loop))
        return true;
    gate_wheel_start(&loop->wheel, &loop->rested, (loop->rest_ns + GATE_MS - 1) / GATE_MS);
    return false;
}

static void run_rounds(struct gate_loop *loop)
{
    for (int round = 0; round < DRAIN_ROUNDS && !loop->tired; round++) {
        if (!gate_list_empty(&loop->ready))
            run_ready(loop);
        else if (!gate_list_empty(&loop->flush))
            run_flush(loop);
        else
            return;
    }
}

/* The only place where woken waits run. Resuming a script from inside a script's call into C
 * crashes the VM, so that both asserts stay in release builds. */
static void drain(struct gate_loop *loop)
{
    GATE_ASSERT(!loop->in_script);
    GATE_ASSERT(!loop->draining);
    if (!has_ready(loop))
        return;
    loop->draining = true;
    if (GATE_UNLIKELY(loop->tired)) {
        loop->tired = loop->long_turn == loop->turn;
        run_apart(loop, &loop->ready);
    }
    run_rounds(loop);
    run_flush(loop); /* a ready queue that never empties does not hold output back */
    loop->draining = false;
}

void gate_loop_settle(struct gate_loop *loop)
{
    if (!loop->draining)
        drain(loop);
}

void gate_loop_turn(struct gate_loop *loop, bool wait)
{
    GATE_ASSERT(!loop->draining);
    loop->tired = loop->long_turn == loop->turn++;
    wait = wait && !has_work(loop);
    arm_timer(loop);
    ev_run(loop->ev, wait ? EVRUN_ONCE : EVRUN_NOWAIT);
    run_timers(loop);
    drain(loop);
    if (GATE_UNLIKELY(has_waiting(loop)))
        run_put_off(loop);
    if (!gate_timer_active(&loop->trim) &&
        gate_block_pool_hot(&loop->blocks) + gate_chunk_pool_hot(&loop->chunks) > TRIM_ABOVE)
        gate_loop_timer(loop, &loop->trim, TRIM_MS);
}

void gate_loop_run(struct gate_loop *loop)
{
    while (!atomic_load_explicit(&loop->stop, memory_order_acquire))
        gate_loop_turn(loop, true);
    atomic_store_explicit(&loop->stop, false, memory_order_relaxed);
}

void gate_loop_stop_async(struct gate_loop *loop)
{
    atomic_store_explicit(&loop->stop, true, memory_order_release);
    ev_async_send(loop->ev, &loop->wake);
}
