#include "script/fullness_int.h"

#include "script/heavy_int.h"

/* It is full when so many collections in a row have found it so, one a look. */
#define LOOKS   3
#define LOOK_MS 1000

/* What was told and came to nothing is told again. */
#define AGAIN_MS 15000

static void on_look(struct gate_timer *t)
{
    struct gate_vm *vm = gate_container_of(t, struct gate_vm, fullness.look);

    vm->fullness.due = true;
    gate_heap_reclaim(&vm->heap);
}

void gate_fullness_init(struct gate_vm *vm)
{
    gate_timer_init(&vm->fullness.look, on_look);
}

static void look_in(struct gate_vm *vm, uint64_t ms)
{
    gate_loop_timer(&vm->worker->loop, &vm->fullness.look, ms);
}

static bool is_full_for_long(const struct gate_vm *vm)
{
    const struct gate_fullness *f = &vm->fullness;

    if (f->hurried)
        return true;
    return vm->heap.crowded >= LOOKS &&
           gate_loop_now(&vm->worker->loop) - f->since_ms >= (LOOKS - 1) * LOOK_MS;
}

/* What waiting requests hold goes with them, and at the cap the heaviest of them ends. */
static bool tell(struct gate_vm *vm)
{
    uint64_t held = gate_heavy_held(vm), kept = vm->heap.kept;
    const struct gate_vm_fullness f = {
        .vm = vm,
        .kept = kept > held ? kept - held : 0,
        .born = vm->fullness.born,
        .cap = vm->heap.declared,
    };

    if (f.kept <= gate_heap_crowded_at(&vm->heap))
        return false;
    vm->worker->on_full(vm->worker, &f);
    return true;
}

/* A look has ended: all garbage is gone. */
static void judge(struct gate_vm *vm)
{
    struct gate_fullness *f = &vm->fullness;

    f->due = false;
    if (is_full_for_long(vm))
        f->asked = tell(vm);
    f->hurried = false;
    look_in(vm, f->asked ? AGAIN_MS : LOOK_MS);
}

static bool is_watched(const struct gate_vm *vm)
{
    return !vm->io.exiting && vm->worker->on_full != NULL;
}

void gate_fullness_note(struct gate_vm *vm)
{
    struct gate_fullness *f = &vm->fullness;

    if (vm->heap.clearing || !is_watched(vm))
        return;
    if (vm->heap.crowded == 0) {
        f->since_ms = 0;
        f->due = f->hurried = f->asked = false;
        gate_loop_untimer(&vm->worker->loop, &f->look);
        return;
    }
    if (f->since_ms == 0) {
        f->since_ms = gate_loop_now(&vm->worker->loop);
        if (!f->hurried)
            look_in(vm, LOOK_MS);
    }
    if (f->due)
        judge(vm);
}

void gate_fullness_hurry(struct gate_vm *vm)
{
    struct gate_fullness *f = &vm->fullness;

    if (f->asked || f->hurried || !is_watched(vm))
        return;
    f->hurried = true;
    if (!f->due)
        look_in(vm, 1);
}

void gate_fullness_end(struct gate_vm *vm)
{
    gate_loop_untimer(&vm->worker->loop, &vm->fullness.look);
}
