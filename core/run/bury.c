/* Burials: VMs are large, so they are freed off the loops, each by a thread of its own: what a
 * thread frees it keeps in part for itself, as long as it lives. When the last one is gone the
 * allocator gives free pages back to the system. */
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

struct burial {
    struct gate_list node;      /* engine->burials */
    struct gate_mail mail;
    struct gate_engine *engine;
    struct gate_vm *vm;
    pthread_t thread;
    bool joined;
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

/* The thread is about to end: it lets go of what it has kept. */
static void burial_end(struct burial *b)
{
    if (!b->joined)
        pthread_join(b->thread, NULL);
    gate_list_remove(&b->node);
    gate_free(b);
}

static void on_buried(struct gate_mail *m, void *engine)
{
    struct gate_engine *e = engine;
    struct gate_work *w;

    burial_end(gate_container_of(m, struct burial, mail));
    gate_memory_settle(e);
    /* The allocator of a host is not ours to empty. */
    if (!gate_list_empty(&e->burials) || e->closing || e->host != NULL)
        return;
    w = gate_calloc(1, sizeof(*w));
    w->reply = &e->mail;
    w->run = trim;
    w->done = on_trimmed;
    gate_offload_submit(e->offload, w);
}

static void *burial_main(void *arg)
{
    struct burial *b = arg;

    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), BURIAL_NICE);
    gate_vm_free(&b->vm);
    gate_mailbox_post(&b->engine->mail, &b->mail);
    return NULL;
}

void gate_bury(struct gate_engine *e, struct gate_vm **vm)
{
    struct burial *b;

    if (*vm == NULL)
        return;
    if (e->closing) {
        gate_vm_free(vm);
        return;
    }
    b = gate_calloc(1, sizeof(*b));
    b->mail.deliver = on_buried;
    b->engine = e;
    b->vm = *vm;
    if (gate_thread_start(&b->thread, "gate-burial", burial_main, b) == 0) {
        *vm = NULL;
        gate_list_push(&e->burials, &b->node);
        return;
    }
    gate_free(b);
    gate_vm_free(vm);
}

void gate_bury_end(struct gate_engine *e)
{
    e->closing = true;
    for (struct gate_list *n = e->burials.next; n != &e->burials; n = n->next) {
        struct burial *b = gate_container_of(n, struct burial, node);

        pthread_join(b->thread, NULL);
        b->joined = true;
    }
}
