#include "script/semaphore_int.h"

#include "base/mem.h"
#include "script/job_int.h"
#include "script/run_int.h"

struct gate_semaphore {
    uint32_t free;            /* 0 while anybody waits */
    uint32_t users;           /* the owner, permits, waiters */
    struct gate_list waiting; /* struct gate_permit */
};

/* Held, or awaited by a task. */
struct gate_permit {
    struct gate_permit *next; /* of its holder */
    struct gate_list node;    /* s->waiting */
    struct gate_semaphore *s;
    struct gate_task *task;
};

struct gate_semaphore *gate_semaphore_new(uint32_t permits)
{
    struct gate_semaphore *s = gate_calloc(1, sizeof(*s));

    s->free = permits;
    s->users = 1;
    gate_list_init(&s->waiting);
    return s;
}

void gate_semaphore_drop(struct gate_semaphore *s)
{
    if (--s->users == 0)
        gate_free(s);
}

static void permit_free(struct gate_permit *p)
{
    struct gate_semaphore *s = p->s;

    gate_free(p);
    gate_semaphore_drop(s);
}

/* Where the permits of a task are kept: with its request. Members of a gate.all use their
 * caller's. */
static struct gate_permit **held_by(struct gate_task *t)
{
    struct gate_hook_run *run;

    if (t->kind == GATE_TASK_JOB)
        t = gate_job_caller(t);
    if (t->kind == GATE_TASK_JOB)
        return &gate_container_of(t, struct gate_job, task)->permits;
    run = gate_container_of(t, struct gate_hook_run, task);
    return run->x == NULL ? &run->permits : &run->x->permits;
}

static void hold(struct gate_permit *p)
{
    struct gate_permit **held = held_by(p->task);

    p->next = *held;
    *held = p;
}

/* A permit is free: the first who waits gets it. */
static void pass_on(struct gate_semaphore *s)
{
    struct gate_permit *p;

    if (gate_list_empty(&s->waiting)) {
        s->free++;
        return;
    }
    p = gate_container_of(s->waiting.next, struct gate_permit, node);
    gate_list_remove(&p->node);
    hold(p);
    gate_wait_wake(&p->task->wait, GATE_OK);
}

/* Who waited waits no more. */
static void on_cancel(struct gate_wait *w)
{
    struct gate_permit *p = w->user;

    gate_list_remove(&p->node);
    permit_free(p);
}

enum gate_err gate_semaphore_acquire(struct gate_semaphore *s, struct gate_task *t,
                                     uint64_t deadline_ms)
{
    struct gate_permit *p = gate_calloc(1, sizeof(*p));

    p->s = s;
    p->task = t;
    s->users++;
    gate_list_init(&p->node);
    if (s->free > 0) {
        s->free--;
        hold(p);
        return GATE_OK;
    }
    gate_list_push(&s->waiting, &p->node);
    gate_wait_cancel(&t->wait);
    t->wait.user = p;
    gate_wait_arm(&t->wait, deadline_ms, on_cancel);
    return GATE_E_AGAIN;
}

static void give_back(struct gate_permit **at)
{
    struct gate_permit *p = *at;

    *at = p->next;
    pass_on(p->s);
    permit_free(p);
}

bool gate_semaphore_release(struct gate_semaphore *s, struct gate_task *t)
{
    struct gate_permit **at = held_by(t);

    while (*at != NULL && (*at)->s != s)
        at = &(*at)->next;
    if (*at == NULL)
        return false;
    give_back(at);
    return true;
}

uint32_t gate_semaphore_free(const struct gate_semaphore *s)
{
    return s->free;
}

void gate_permits_end(struct gate_permit **held)
{
    while (*held != NULL)
        give_back(held);
}
