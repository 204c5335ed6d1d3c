/* Loop: a worker's reactor. libev loop, one ready queue, timer wheel, flush list, block and
 * chunk pools, a cached clock. One thread owns it and all that hangs on it; only
 * gate_loop_stop_async and mailboxes may be used from others. */
#ifndef GATE_NET_LOOP_H
#define GATE_NET_LOOP_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/block.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "net/wheel.h"

/* Something that runs when the ready queue or the flush list is drained. Embedded in its owner. */
struct gate_ready {
    struct gate_list node;
    void (*fn)(struct gate_ready *r);
};

struct gate_loop {
    struct ev_loop *ev;
    struct gate_list ready; /* struct gate_ready: waits that woke, events to deliver */
    /* The same, for what is put off: what is known to take long, and what nobody waits for. */
    struct gate_list behind, later;
    struct gate_list flush; /* struct gate_ready: connections with output to send */
    struct gate_wheel wheel;
    struct gate_block_pool blocks;
    struct gate_chunk_pool chunks;
    struct gate_timer rested; /* wakes the poll for what is put off */
    struct gate_timer trim; /* gives block memory back while more is free than is needed */
    const struct gate_clock *clock;
    struct gate_log *log;
    uint64_t now_ns; /* cached; refreshed once a turn and after long work */
    struct ev_check check;
    struct ev_timer timer; /* wakes the poll for the wheel */
    struct ev_async wake;
    uint64_t armed_ms; /* loop time of `timer`; UINT64_MAX: not started */
    uint64_t turn;     /* number of this turn, from 1 */
    uint64_t long_turn; /* the last one in which long work was done; 0: none */
    uint64_t rest_ns;  /* until then what is put off lets others go first */
    int64_t skew_ns;   /* of the clock, when `timer` was started */
    _Atomic bool stop;
    bool tired;     /* long work was done, or others stand first: what would begin now waits */
    bool owed;      /* long work passed over what is put off */
    bool later_first;
    bool draining;  /* inside the drain of the ready queue: never nested */
    bool in_script; /* a VM of this thread is inside lua_resume: no draining now */
};

/* epoll, environment ignored. GATE_E_SYS: errno says why the system gives no descriptors for it. */
enum gate_err gate_loop_open(struct gate_loop *loop, const struct gate_clock *clock,
                             struct gate_log *log);
void gate_loop_close(struct gate_loop *loop);

/* Runs until gate_loop_stop. */
void gate_loop_run(struct gate_loop *loop);

/* One turn: polls (wait: until something happens, unless something is ready to run), delivers
 * I/O, runs the timers that are due, drains. Tests call it; nothing else may, and never from
 * inside a turn. */
void gate_loop_turn(struct gate_loop *loop, bool wait);

/* Drains now instead of at the end of the turn: the last thing an I/O callback does after a large
 * read, so that its bytes are sent while the cache still holds them. Whatever called it may be gone
 * afterwards. Does nothing inside a drain. */
void gate_loop_settle(struct gate_loop *loop);

/* From the loop's own thread or any other. */
void gate_loop_stop_async(struct gate_loop *loop);

/* Cached loop time in ms; monotonic, with the test clock's skew. Never 0. */
static inline uint64_t gate_loop_now(const struct gate_loop *loop)
{
    return loop->now_ns / GATE_MS;
}

/* Reads the clock again: after long work, and in every loop (on its own thread) when the test clock
 * was moved. */
void gate_loop_refresh(struct gate_loop *loop);

static inline void gate_ready_init(struct gate_ready *r, void (*fn)(struct gate_ready *r))
{
    gate_list_init(&r->node);
    r->fn = fn;
}

/* Links into the ready queue; nothing runs before the loop drains it. Twice is once. */
static inline void gate_loop_ready(struct gate_loop *loop, struct gate_ready *r)
{
    if (gate_list_empty(&r->node))
        gate_list_push(&loop->ready, &r->node);
}

/* Runs behind all that is ready, for what is known to take long. */
static inline void gate_loop_behind(struct gate_loop *loop, struct gate_ready *r)
{
    if (gate_list_empty(&r->node))
        gate_list_push(&loop->behind, &r->node);
}

/* The same, for what nobody waits for. */
static inline void gate_loop_later(struct gate_loop *loop, struct gate_ready *r)
{
    if (gate_list_empty(&r->node))
        gate_list_push(&loop->later, &r->node);
}

/* Said after long work (a script that ran for milliseconds): what else is ready waits for the next
 * turn, and what is put off for a moment in which others go first. So ten such pieces of work in a
 * row keep others waiting for one of them, not for ten. Who begins work from an I/O callback that
 * may take long asks is_tired first, and links it into the ready queue instead. */
void gate_loop_tire(struct gate_loop *loop);

static inline bool gate_loop_is_tired(const struct gate_loop *loop)
{
    return loop->tired;
}

/* Links into the flush list, drained when the ready queue is empty: one send per connection and
 * turn. */
static inline void gate_loop_flush(struct gate_loop *loop, struct gate_ready *r)
{
    if (gate_list_empty(&r->node))
        gate_list_push(&loop->flush, &r->node);
}

static inline void gate_ready_cancel(struct gate_ready *r)
{
    gate_list_remove(&r->node);
}

/* Timers in ms from now. */
static inline void gate_loop_timer(struct gate_loop *loop, struct gate_timer *t, uint64_t after_ms)
{
    gate_wheel_start(&loop->wheel, t, gate_loop_now(loop) + after_ms);
}

static inline void gate_loop_untimer(struct gate_loop *loop, struct gate_timer *t)
{
    gate_wheel_stop(&loop->wheel, t);
}

#endif
