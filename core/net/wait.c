#include "net/wait.h"

#include "base/assert.h"

static void on_ready(struct gate_ready *r)
{
    struct gate_wait *w = gate_container_of(r, struct gate_wait, ready);

    w->state = GATE_WAIT_IDLE;
    w->fn(w, w->result);
}

static void end(struct gate_wait *w, enum gate_err result)
{
    w->state = GATE_WAIT_WOKEN;
    w->result = result;
    gate_loop_ready(w->loop, &w->ready);
}

static void on_deadline(struct gate_timer *t)
{
    gate_wait_expire(gate_container_of(t, struct gate_wait, timer), GATE_E_TIMEOUT);
}

void gate_wait_init(struct gate_wait *w, struct gate_loop *loop,
                    void (*fn)(struct gate_wait *w, enum gate_err result), void *arg)
{
    gate_ready_init(&w->ready, on_ready);
    gate_timer_init(&w->timer, on_deadline);
    w->loop = loop;
    w->fn = fn;
    w->on_cancel = NULL;
    w->arg = arg;
    w->result = GATE_OK;
    w->state = GATE_WAIT_IDLE;
}

void gate_wait_arm(struct gate_wait *w, uint64_t deadline_ms,
                   void (*on_cancel)(struct gate_wait *w))
{
    GATE_ASSERT(w->state == GATE_WAIT_IDLE);
    w->state = GATE_WAIT_ARMED;
    w->on_cancel = on_cancel;
    if (deadline_ms != 0)
        gate_wheel_start(&w->loop->wheel, &w->timer, deadline_ms);
}

void gate_wait_wake(struct gate_wait *w, enum gate_err result)
{
    if (w->state != GATE_WAIT_ARMED)
        return;
    gate_wheel_stop(&w->loop->wheel, &w->timer);
    end(w, result);
}

void gate_wait_put_off(struct gate_wait *w)
{
    GATE_ASSERT(w->state == GATE_WAIT_IDLE);
    w->state = GATE_WAIT_WOKEN;
    gate_loop_behind(w->loop, &w->ready);
}

void gate_wait_expire(struct gate_wait *w, enum gate_err result)
{
    if (w->state != GATE_WAIT_ARMED)
        return;
    gate_wheel_stop(&w->loop->wheel, &w->timer);
    end(w, result);
    if (w->on_cancel != NULL)
        w->on_cancel(w);
}

void gate_wait_cancel(struct gate_wait *w)
{
    bool armed = w->state == GATE_WAIT_ARMED;

    if (w->state == GATE_WAIT_IDLE)
        return;
    gate_wheel_stop(&w->loop->wheel, &w->timer);
    gate_ready_cancel(&w->ready);
    w->state = GATE_WAIT_IDLE;
    if (armed && w->on_cancel != NULL)
        w->on_cancel(w);
}
