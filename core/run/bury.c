/* Burials: VMs are large, freeing them is work for the pool. What was built on one thread and freed
 * on another stays with the allocator, in as many pieces as there are arenas: when the last one is
 * gone the free pages go back to the system. */
#include <malloc.h>

#include "base/mem.h"
#include "run/engine_int.h"

struct burial {
    struct gate_work work;
    struct gate_vm *vm;
};

static void submit(struct gate_engine *e, struct gate_vm *vm);

static void bury(struct gate_work *w)
{
    struct burial *b = gate_container_of(w, struct burial, work);

    if (b->vm != NULL)
        gate_vm_free(&b->vm);
    else
        malloc_trim(0);
}

static void on_buried(struct gate_work *w, void *engine)
{
    struct burial *b = gate_container_of(w, struct burial, work);
    struct gate_engine *e = engine;

    gate_free(b);
    if (--e->burials > 0 || !e->trim_due)
        return;
    e->trim_due = false;
    submit(e, NULL);
}

static void submit(struct gate_engine *e, struct gate_vm *vm)
{
    struct burial *b = gate_calloc(1, sizeof(*b));

    b->vm = vm;
    b->work.reply = &e->mail;
    b->work.run = bury;
    b->work.done = on_buried;
    e->burials++;
    gate_offload_submit(e->offload, &b->work);
}

void gate_live_bury(struct gate_engine *e, struct gate_vm **vm)
{
    struct gate_vm *x = *vm;

    *vm = NULL;
    if (x == NULL)
        return;
    e->trim_due = true;
    submit(e, x);
}
