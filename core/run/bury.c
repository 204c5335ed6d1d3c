/* Burials: VMs are large, so they are freed off the loops, and some time after they have gone: who
 * unmaps memory holds up those who map some, or make it executable, as workers do when they begin
 * to compile for the VM that has come. A thread frees all that have gone meanwhile and ends: what a
 * thread frees it keeps in part for itself, as long as it lives. When nothing is left the allocator
 * gives free pages back to the system. */
#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "run/engine_int.h"

/* As builders: who serves comes first. */
#define BURIAL_NICE 10

/* By then the VM that has come is warm. */
#define REST_MS 500

struct grave {
    struct gate_list node;
    struct gate_vm *vm;
};

static void trim(struct gate_work *w)
{
    (void)w;
    malloc_trim(0);
}

static void on_trimmed(struct gate_work *w, void *engine)
{
    (void)engine;
    gate_free(w);
}

static void trim_later(struct gate_engine *e)
{
    struct gate_work *w = gate_calloc(1, sizeof(*w));

    w->reply = &e->mail;
    w->run = trim;
    w->done = on_trimmed;
    gate_offload_submit(e->offload, w);
}

static void free_all(struct gate_list *graves)
{
    struct gate_list *n;

    while ((n = gate_list_pop(graves)) != NULL) {
        struct grave *g = gate_container_of(n, struct grave, node);

        gate_vm_free(&g->vm);
        gate_free(g);
    }
}

/* The thread is about to end: it lets go of what it has kept. */
static void join(struct gate_burials *b)
{
    if (b->works)
        pthread_join(b->thread, NULL);
    b->works = false;
}

/* All that were under way are freed. */
static void settle(struct gate_engine *e)
{
    gate_memory_settle(e);
    if (e->closing)
        return;
    if (!gate_list_empty(&e->burials.waiting))
        gate_loop_timer(&e->loop, &e->burials.rest, REST_MS);
    else if (e->host == NULL) /* the allocator of a host is not ours to empty */
        trim_later(e);
}

static void on_buried(struct gate_mail *m, void *engine)
{
    struct gate_engine *e = engine;

    (void)m;
    join(&e->burials);
    settle(e);
}

static void *burial_main(void *engine)
{
    struct gate_engine *e = engine;

    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), BURIAL_NICE);
    free_all(&e->burials.under_way);
    gate_mailbox_post(&e->mail, &e->burials.done);
    return NULL;
}

static void on_rest(struct gate_timer *t)
{
    struct gate_engine *e = gate_container_of(t, struct gate_engine, burials.rest);
    struct gate_burials *b = &e->burials;

    gate_list_splice(&b->under_way, &b->waiting);
    b->works = gate_thread_start(&b->thread, "gate-burial", burial_main, e) == 0;
    if (b->works)
        return;
    free_all(&b->under_way);
    settle(e);
}

void gate_bury_begin(struct gate_engine *e)
{
    gate_list_init(&e->burials.waiting);
    gate_list_init(&e->burials.under_way);
    gate_timer_init(&e->burials.rest, on_rest);
    e->burials.done.deliver = on_buried;
}

void gate_bury(struct gate_engine *e, struct gate_vm **vm)
{
    struct gate_burials *b = &e->burials;
    struct grave *g;

    if (*vm == NULL)
        return;
    if (e->closing) {
        gate_vm_free(vm);
        return;
    }
    g = gate_alloc(sizeof(*g));
    g->vm = *vm;
    *vm = NULL;
    gate_list_push(&b->waiting, &g->node);
    if (!b->works && !gate_timer_active(&b->rest))
        gate_loop_timer(&e->loop, &b->rest, REST_MS);
}

void gate_bury_end(struct gate_engine *e)
{
    e->closing = true;
    gate_loop_untimer(&e->loop, &e->burials.rest);
    join(&e->burials);
    free_all(&e->burials.waiting);
}
