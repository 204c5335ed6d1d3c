#include "script/heavy_int.h"

#include "script/run_int.h"
#include "script/weight_int.h"

/* Who holds less than this part of the cap is not ended for others. */
#define HEAVY_PART 16

/* Steps of all walks together, about 2 ms; the running call gets half of them. */
#define STEPS_MAX   (20000u * GATE_WEIGHT_OBJECT)
#define STEPS_LEAST (100u * GATE_WEIGHT_OBJECT)

static uint64_t heavy_from(const struct gate_vm *vm)
{
    return vm->heap.declared / HEAVY_PART;
}

static struct gate_task *waiter_of(struct gate_list *n)
{
    return gate_container_of(n, struct gate_task, node);
}

/* What a call has allocated: more than it can hold. */
static uint64_t charge_of(const struct gate_vm *vm, struct gate_task *owner)
{
    bool runs = vm->task != NULL && gate_task_owner(vm->task) == owner;

    return owner->charge + (runs ? gate_heap_taken(&vm->heap) : 0);
}

/* Tasks that wait, of calls other than the running one which may be heavy; *doomed: one is about to
 * end already. */
static uint32_t count_suspects(const struct gate_vm *vm, bool *doomed)
{
    const struct gate_task *running = gate_task_owner(vm->task);
    uint32_t count = 0;

    *doomed = false;
    for (struct gate_list *n = vm->waiting.next; n != &vm->waiting; n = n->next) {
        struct gate_task *owner = gate_task_owner(waiter_of(n));

        owner->weight = 0;
        *doomed |= owner->doomed;
        count += owner != running && owner->charge >= heavy_from(vm);
    }
    return count;
}

/* What scripts keep with the request of a call. */
static uint64_t weigh_ctx(struct gate_weights *w, const struct gate_vm *vm,
                          const struct gate_task *t)
{
    const struct gate_hook_run *run = gate_container_of(t, const struct gate_hook_run, task);

    if (t->kind != GATE_TASK_HOOK || run->x == NULL)
        return 0;
    lua_rawgeti(vm->L, GATE_VM_CTX, (int)run->x->handle.id + 1);
    return gate_weights_value(w);
}

/* Adds what a task holds to its call's weight. What was not seen to its end weighs all that the
 * call has allocated. */
static void weigh(struct gate_weights *w, struct gate_vm *vm, struct gate_task *t, uint32_t steps)
{
    struct gate_task *owner = gate_task_owner(t);
    uint64_t most = charge_of(vm, owner);

    gate_weights_allow(w, steps);
    owner->weight += gate_weights_coroutine(w, t->co) + weigh_ctx(w, vm, t);
    if (w->cut || owner->weight > most)
        owner->weight = most;
}

/* The running call comes first: what it shares with others counts for none of them. */
static void weigh_all(struct gate_vm *vm, lua_State *L, uint32_t suspects)
{
    struct gate_task *running = gate_task_owner(vm->task);
    uint32_t steps = STEPS_MAX / 2 / suspects;
    struct gate_weights w;

    running->weight = 0;
    gate_weights_init(&w, vm->L);
    gate_weights_allow(&w, STEPS_MAX / 2);
    if (L != vm->task->co)
        running->weight += gate_weights_coroutine(&w, L);
    weigh(&w, vm, vm->task, w.left);
    for (struct gate_list *n = vm->waiting.next; n != &vm->waiting; n = n->next) {
        struct gate_task *t = waiter_of(n);

        if (charge_of(vm, gate_task_owner(t)) >= heavy_from(vm))
            weigh(&w, vm, t, steps > STEPS_LEAST ? steps : STEPS_LEAST);
    }
    gate_weights_fini(&w);
}

/* The running call, unless one that waits is heavier. */
static struct gate_task *heaviest(const struct gate_vm *vm)
{
    struct gate_task *found = gate_task_owner(vm->task);

    for (struct gate_list *n = vm->waiting.next; n != &vm->waiting; n = n->next) {
        struct gate_task *owner = gate_task_owner(waiter_of(n));

        if (owner->weight > found->weight)
            found = owner;
    }
    return found;
}

/* Whether the running call goes on. Garbage goes first, as long as nobody is heavy or the last
 * collection found enough of it. */
static bool decide(struct gate_vm *vm)
{
    struct gate_task *running = gate_task_owner(vm->task), *found = heaviest(vm);

    if (found->weight >= heavy_from(vm) && found == running)
        return false;
    if (!gate_heap_packed(&vm->heap))
        return gate_heap_lend(&vm->heap);
    if (found->weight < heavy_from(vm))
        return false;
    found->doomed = true;
    gate_loop_ready(&vm->worker->loop, &vm->ending);
    return gate_heap_lend(&vm->heap);
}

static bool is_heavy_request(const struct gate_vm *vm, struct gate_task *t)
{
    const struct gate_task *owner = gate_task_owner(t);

    return owner->kind == GATE_TASK_HOOK && owner->charge >= heavy_from(vm);
}

/* Jobs do not count: they may work for ever, and hold what modules would. */
uint64_t gate_heavy_held(struct gate_vm *vm)
{
    struct gate_weights w;
    uint64_t held = 0;
    uint32_t n = 0;

    for (struct gate_list *at = vm->waiting.next; at != &vm->waiting; at = at->next) {
        gate_task_owner(waiter_of(at))->weight = 0;
        n += is_heavy_request(vm, waiter_of(at));
    }
    if (n == 0)
        return 0;
    gate_weights_init(&w, vm->L);
    for (struct gate_list *at = vm->waiting.next; at != &vm->waiting; at = at->next) {
        struct gate_task *owner = gate_task_owner(waiter_of(at));
        uint64_t before = owner->weight;

        if (!is_heavy_request(vm, owner))
            continue;
        weigh(&w, vm, waiter_of(at), STEPS_MAX / n > STEPS_LEAST ? STEPS_MAX / n : STEPS_LEAST);
        held += owner->weight - before;
    }
    gate_weights_fini(&w);
    return held;
}

bool gate_heavy_spare(struct gate_heap *h, lua_State *L)
{
    struct gate_vm *vm = gate_container_of(h, struct gate_vm, heap);
    bool doomed;
    uint32_t suspects;
    bool spared;

    if (vm->task == NULL)
        return false;
    suspects = count_suspects(vm, &doomed);
    if (L == NULL || (suspects == 0 && !doomed))
        return suspects > 0 || doomed;
    if (doomed)
        return gate_heap_lend(h);
    /* Stacks may have to grow for it. */
    gate_heap_release(h);
    weigh_all(vm, L, suspects);
    spared = decide(vm);
    gate_heap_resume(h);
    return spared;
}

void gate_heavy_end(struct gate_ready *r)
{
    struct gate_vm *vm = gate_container_of(r, struct gate_vm, ending);

    for (struct gate_list *n = vm->waiting.next; n != &vm->waiting; n = n->next)
        if (waiter_of(n)->doomed)
            gate_wait_expire(&waiter_of(n)->wait, GATE_E_NOMEM);
}
