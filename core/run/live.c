#include <time.h>

#include "base/assert.h"
#include "base/mem.h"
#include "exchange/tunnel_seat.h"
#include "flow/access_log.h"
#include "flow/flow.h"
#include "run/engine_int.h"

#define FLUSH_AFTER_MS 1000

/* Swap: control mails a seat to each worker; the worker serves from it and answers. The old
 * seat goes when its last exchange ends: detached on its thread, freed off the loops. */

static void on_gone(struct gate_mail *m, void *engine);

/* What a reload does on a worker keeps its clients waiting: the longest is noted, as CPU time. */
static uint64_t cpu_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * GATE_SEC + (uint64_t)t.tv_nsec;
}

static void note_stall(struct gate_run_worker *w, uint64_t began)
{
    uint64_t took = cpu_now() - began;

    if (took > atomic_load_explicit(&w->stall_ns, memory_order_relaxed))
        atomic_store_explicit(&w->stall_ns, took, memory_order_relaxed);
}

/* The newest other seat of this worker that runs in the same VM; NULL: there is none. */
static struct gate_seat_slot *sharer_of(const struct gate_seat_slot *s)
{
    struct gate_list *seats = &s->owner->seats;

    for (struct gate_list *n = seats->prev; n != seats; n = n->prev) {
        struct gate_seat_slot *other = gate_container_of(n, struct gate_seat_slot, node);

        if (other != s && other->seat.vm == s->seat.vm)
            return other;
    }
    return NULL;
}

/* Starts the timer of a retired VM. */
static void arm_old(struct gate_seat_slot *s)
{
    struct gate_loop *loop = &s->owner->base.loop;
    uint64_t now = gate_loop_now(loop);
    uint64_t left = s->exit_ms > now ? s->exit_ms - now : 0;

    gate_loop_timer(loop, &s->old, left < FLUSH_AFTER_MS ? left : FLUSH_AFTER_MS);
}

/* The seat lets go of its VM: the last one of all that share it takes the VM from its thread. */
static void leave_vm(struct gate_seat_slot *s)
{
    struct gate_seat_slot *heir = s->seat.vm == NULL ? NULL : sharer_of(s);

    gate_loop_untimer(&s->owner->base.loop, &s->old);
    if (heir == NULL) {
        if (s->seat.vm != NULL)
            gate_vm_detach(s->seat.vm);
        return;
    }
    if (heir->seat.retired)
        gate_vm_serve(heir->seat.vm, &heir->seat);
    if (s->exit_ms != 0 && heir->exit_ms == 0) {
        heir->exit_ms = s->exit_ms;
        arm_old(heir);
    }
}

/* Nobody uses the seat. Not from inside the unref: a script of this very VM may be what gave up the
 * last reference. */
static void on_seat_ready(struct gate_ready *r)
{
    struct gate_seat_slot *s = gate_container_of(r, struct gate_seat_slot, idle);
    uint64_t began = cpu_now();

    leave_vm(s);
    gate_list_remove(&s->node);
    note_stall(s->owner, began);
    s->gone.deliver = on_gone;
    gate_mailbox_post(&s->owner->engine->mail, &s->gone);
}

static void on_seat_idle(struct gate_generation_seat *seat, void *arg)
{
    struct gate_seat_slot *s = arg;

    (void)seat;
    gate_loop_ready(&s->owner->base.loop, &s->idle);
}

static void on_swapped(struct gate_mail *m, void *engine)
{
    struct gate_seat_slot *s = gate_container_of(m, struct gate_seat_slot, swapped);

    (void)engine;
    if (++s->live->swapped == s->live->n)
        s->live->moved(s->live);
}

static void tell_swapped(struct gate_seat_slot *s)
{
    s->swapped.deliver = on_swapped;
    gate_mailbox_post(&s->owner->engine->mail, &s->swapped);
}

/* Most retired VMs are gone within a moment. One that is not lets its compiled code go, and later
 * its waits end. */
static void on_old(struct gate_timer *t)
{
    struct gate_seat_slot *s = gate_container_of(t, struct gate_seat_slot, old);
    uint64_t now = gate_loop_now(&s->owner->base.loop);
    uint64_t began = cpu_now();

    if (now >= s->exit_ms) {
        gate_vm_expire(s->seat.vm);
    } else {
        gate_vm_flush(s->seat.vm);
        gate_loop_timer(&s->owner->base.loop, &s->old, s->exit_ms - now);
    }
    note_stall(s->owner, began);
}

static void retire(struct gate_generation_seat *old, const struct gate_seat_slot *by)
{
    struct gate_seat_slot *s = gate_container_of(old, struct gate_seat_slot, seat);

    old->retired = true;
    if (old->vm != NULL && old->vm != by->seat.vm) {
        gate_vm_retire(old->vm);
        s->exit_ms = gate_loop_now(&s->owner->base.loop) + s->live->g.config->process.drain_ms;
        arm_old(s);
    }
    gate_seat_unref(&old);
}

static void swap_access_log(struct gate_run_worker *w, const struct gate_live *live)
{
    struct gate_log_writer *writer = w->engine->access_writer;

    if (w->base.access_log != NULL)
        gate_access_log_free(&w->base.access_log);
    if (live->access_log)
        w->base.access_log = gate_access_log_new(&w->base, writer, live->access_json);
}

/* The seat comes to its worker. */
static void enter(struct gate_run_worker *w, struct gate_seat_slot *s)
{
    gate_list_push(&w->seats, &s->node);
    if (s->seat.vm != NULL && sharer_of(s) == NULL) {
        gate_vm_attach(s->seat.vm, &w->base, s->live->g.config);
        gate_hook_set_services(s->seat.vm, &gate_flow_services);
    }
}

/* Takes over a reference to the seat. */
static void serve(struct gate_run_worker *w, struct gate_seat_slot *s)
{
    struct gate_generation_seat *old = w->base.seat;

    if (s->seat.vm != NULL)
        gate_vm_serve(s->seat.vm, &s->seat);
    w->base.seat = &s->seat;
    w->base.session_limit = s->live->session_limit;
    w->base.handshake_limit = s->live->handshake_limit;
    swap_access_log(w, s->live);
    if (!w->base.draining)
        gate_acceptors_apply(w, s->live);
    if (old != NULL)
        retire(old, s);
}

static void swap(struct gate_run_worker *w, struct gate_seat_slot *s)
{
    enter(w, s);
    gate_seat_ref(&s->seat);
    serve(w, s);
}

/* Canary: the seat gets its share of new requests, beside the one that serves. */
static void try(struct gate_run_worker *w, struct gate_seat_slot *s)
{
    enter(w, s);
    if (s->seat.vm != NULL)
        gate_vm_try(s->seat.vm, &s->seat);
    s->trial->canary.from_ns = s->trial->current.from_ns = w->base.loop.now_ns;
    s->seat.tally = &s->trial->canary;
    w->base.seat->tally = &s->trial->current;
    gate_canary_share_init(&w->base.share, s->trial->share, w->base.id_prefix);
    w->base.canary = gate_seat_ref(&s->seat);
}

/* The end of a canary. Its seat, with the reference that the worker had. */
static struct gate_generation_seat *end_trial(struct gate_run_worker *w)
{
    struct gate_generation_seat *seat = w->base.canary;

    w->base.canary = NULL;
    w->base.seat->tally = seat->tally = NULL;
    return seat;
}

/* From now on its upstreams go by their own names. */
static void promote(struct gate_run_worker *w, struct gate_seat_slot *s)
{
    end_trial(w)->upstreams = s->live->upstreams;
    serve(w, s);
}

static void withdraw(struct gate_run_worker *w, struct gate_seat_slot *s)
{
    (void)s;
    retire(end_trial(w), gate_container_of(w->base.seat, struct gate_seat_slot, seat));
}

static void on_move(struct gate_mail *m, void *worker)
{
    struct gate_seat_slot *s = gate_container_of(m, struct gate_seat_slot, swap);
    struct gate_run_worker *w = worker;
    uint64_t began = cpu_now();

    if (w->ended)
        return;
    s->move(w, s);
    note_stall(w, began);
    tell_swapped(s);
}

static struct gate_hook_total total_of(const struct gate_hook_count *c)
{
    return (struct gate_hook_total){
        .policy = (char *)c->policy,
        .hook = c->hook,
        .runs = c->runs,
        .calls = c->calls,
        .errors = c->errors,
        .kills = c->kills,
        .barred = c->barred,
        .quarantined = c->quarantined,
        .cpu_ns = c->cpu_ns,
    };
}

static void add_hook(void *arg, const struct gate_hook_count *c)
{
    const struct gate_hook_total total = total_of(c);

    gate_hook_totals_add(arg, &total);
}

/* Of a VM that is gone, quarantine with it. */
static void add_past_hook(void *arg, const struct gate_hook_count *c)
{
    struct gate_hook_total total = total_of(c);

    total.quarantined = false;
    gate_hook_totals_add(arg, &total);
}

/* Whether a generation newer than `live` has the VM too (`newer`), or any other one. */
static bool has_vm(const struct gate_engine *e, const struct gate_live *live, uint32_t worker,
                   bool newer)
{
    const struct gate_list *n = newer ? live->node.next : e->generations.next;

    for (; n != &e->generations; n = n->next) {
        const struct gate_live *other = gate_container_of(n, struct gate_live, node);

        if (other != live && other->slots[worker].seat.vm == live->slots[worker].seat.vm)
            return true;
    }
    return false;
}

/* The generation's last worker has left it. */
static void on_gone(struct gate_mail *m, void *engine)
{
    struct gate_seat_slot *s = gate_container_of(m, struct gate_seat_slot, gone);
    struct gate_live *live = s->live;
    struct gate_engine *e = engine;

    if (++live->gone < live->n)
        return;
    for (uint32_t i = 0; i < live->n; i++) {
        struct gate_generation_seat *seat = &live->slots[i].seat;

        gate_route_totals_add(&e->totals, live->g.config, seat->routes);
        if (seat->vm == NULL || has_vm(e, live, i, false))
            continue;
        gate_vm_each_hook(seat->vm, add_past_hook, &e->hooks);
        gate_bury(e, &seat->vm);
    }
    gate_list_remove(&live->node);
    gate_live_free(&live);
    gate_live_apply(e, NULL);
}

static struct gate_head_limits head_limits_of(const struct gate_limits *l)
{
    return (struct gate_head_limits){
        .header_bytes = l->header_bytes,
        .header_count = l->header_count,
        .target_bytes = l->target_bytes,
        .underscores = l->underscores,
        .encoded_slash_reject = l->encoded_slash_reject,
        .merge_slashes = l->merge_slashes,
    };
}

struct gate_live *gate_live_new(struct gate_engine *e, struct gate_bundle *bundle,
                                struct gate_loaded *loaded)
{
    struct gate_live *live = gate_calloc(1, sizeof(*live));
    const struct gate_config *c = loaded->config;

    gate_list_init(&live->node);
    live->engine = e;
    live->bundle = bundle;
    live->g.number = e->last_number + 1;
    live->g.hash = gate_bundle_hash(bundle);
    live->g.config = loaded->config;
    live->g.router = loaded->router;
    live->tls = loaded->tls;
    live->g.clients = loaded->clients;
    live->handshake_limit = (c->limits.handshakes + e->n_workers - 1) / e->n_workers;
    live->g.head_limits = head_limits_of(&c->limits);
    live->made_ns = gate_clock_now_ns(&e->clock);
    live->g.made_s = gate_clock_wall_ns(&e->clock) / (int64_t)GATE_SEC;
    live->points = gate_calloc(c->n_listeners + 1, sizeof(*live->points));
    live->access_log = c->process.access_log.n > 0;
    live->access_json = c->process.access_json;
    live->n = e->n_workers;
    live->slots = gate_calloc_lines(live->n * sizeof(*live->slots));
    atomic_init(&live->g.seats, live->n);
    for (uint32_t i = 0; i < live->n; i++) {
        struct gate_seat_slot *s = &live->slots[i];

        s->live = live;
        s->owner = &e->workers[i];
        gate_list_init(&s->node);
        gate_ready_init(&s->idle, on_seat_ready);
        gate_timer_init(&s->old, on_old);
        s->seat.generation = &live->g;
        s->seat.routes = gate_calloc_lines((c->n_routes + 1) * sizeof(*s->seat.routes));
        s->seat.on_idle = on_seat_idle;
        s->seat.on_idle_arg = s;
    }
    loaded->config = NULL;
    loaded->router = NULL;
    loaded->tls = NULL;
    loaded->clients = NULL;
    return live;
}

/* VMs that are still there belong to this generation alone. */
void gate_live_free(struct gate_live **live)
{
    struct gate_live *l = *live;

    *live = NULL;
    if (l == NULL)
        return;
    for (uint32_t i = 0; i < l->n; i++) {
        struct gate_generation_seat *seat = &l->slots[i].seat;

        if (seat->vm != NULL && !has_vm(l->engine, l, i, false))
            gate_vm_free(&seat->vm);
        gate_route_chains_free(&seat->chains, l->g.config->n_routes);
        gate_free(seat->routes);
    }
    gate_canary_gone(l);
    gate_live_drop_aliases(l);
    gate_upstream_names_free(&l->g.names);
    gate_router_free(&l->g.router);
    gate_load_tls_free(&l->tls, &l->g.clients, l->g.config);
    gate_live_drop_upstreams(l, &l->upstreams);
    gate_live_drop_upstreams(l, &l->tried);
    gate_config_free(&l->g.config);
    gate_bundle_free(&l->bundle);
    gate_free((char *)l->code.p);
    gate_secrets_fini(&l->secrets);
    gate_free(l->points);
    gate_free(l->slots);
    gate_free(l);
}

void gate_live_keep_vms(struct gate_live *live, const struct gate_live *old)
{
    for (uint32_t i = 0; i < live->n; i++) {
        struct gate_generation_seat *seat = &live->slots[i].seat;
        const struct gate_generation_seat *before = &old->slots[i].seat;

        seat->vm = before->vm;
        if (seat->vm != NULL)
            seat->chains = gate_vm_route_chains(seat->vm, before->chains, old->g.config,
                                                live->g.config);
    }
    if (live->n > 0 && live->slots[0].seat.vm != NULL)
        live->g.names = gate_upstream_names_new(old->g.names, old->g.config, live->g.config);
}

/* `moved` is called once all workers have done it. */
static void tell_workers(struct gate_live *live,
                         void (*move)(struct gate_run_worker *w, struct gate_seat_slot *s),
                         void (*moved)(struct gate_live *live))
{
    live->swapped = 0;
    live->moved = moved;
    for (uint32_t i = 0; i < live->n; i++) {
        live->slots[i].move = move;
        live->slots[i].swap.deliver = on_move;
        gate_mailbox_post(&live->engine->workers[i].base.mail, &live->slots[i].swap);
    }
}

static void set_upstreams(struct gate_live *live, struct gate_upstream **upstreams)
{
    for (uint32_t i = 0; i < live->n; i++)
        live->slots[i].seat.upstreams = upstreams;
}

static void on_published(struct gate_live *live)
{
    gate_reload_swapped(live->engine);
}

void gate_live_publish(struct gate_live *live)
{
    struct gate_engine *e = live->engine;

    live->upstreams = gate_live_upstreams(live);
    set_upstreams(live, live->upstreams);
    gate_list_push(&e->generations, &live->node);
    e->current = live;
    if (live->g.number > e->last_number)
        e->last_number = live->g.number;
    tell_workers(live, swap, on_published);
    gate_live_end_oldest(e);
}

void gate_live_try(struct gate_live *live, struct gate_live_trial *trials,
                   void (*tried)(struct gate_live *live))
{
    struct gate_engine *e = live->engine;

    gate_live_alias(live, e->current);
    gate_list_push(&e->generations, &live->node);
    e->last_number = live->g.number;
    gate_live_apply(e, NULL);
    live->tried = gate_live_upstreams(live);
    set_upstreams(live, live->tried);
    for (uint32_t i = 0; i < live->n; i++)
        live->slots[i].trial = &trials[i];
    tell_workers(live, try, tried);
    gate_live_end_oldest(e);
}

void gate_live_promote(struct gate_live *live, void (*promoted)(struct gate_live *live))
{
    struct gate_engine *e = live->engine;

    e->current = live;
    gate_live_apply(e, NULL);
    live->upstreams = gate_live_upstreams(live);
    tell_workers(live, promote, promoted);
}

void gate_live_withdraw(struct gate_live *live, void (*withdrawn)(struct gate_live *live))
{
    tell_workers(live, withdraw, withdrawn);
}

uint64_t gate_live_active(const struct gate_live *live)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < live->n; i++)
        n += atomic_load_explicit(&live->slots[i].seat.refs, memory_order_relaxed);
    /* Each worker holds its present one, and its canary. */
    if (live == live->engine->current || live->canary != NULL)
        n = n > live->n ? n - live->n : 0;
    return n;
}

uint64_t gate_live_memory(const struct gate_live *live)
{
    uint64_t n = live->g.config->arena.bytes;

    for (uint32_t i = 0; i < live->n; i++) {
        const struct gate_vm *vm = live->slots[i].seat.vm;

        if (vm != NULL && !has_vm(live->engine, live, i, true))
            n += gate_vm_memory(vm);
    }
    return n;
}

static void add_tunnels(void *arg, struct gate_str route, const uint64_t by_class[6])
{
    gate_route_totals_count(arg, route, by_class);
}

/* Heads that were refused before a request began: they have no route either. */
static void add_bad(const struct gate_engine *e, struct gate_route_totals *out)
{
    for (uint32_t i = 0; i < e->n_workers; i++) {
        const struct gate_counters *c = &e->workers[i].base.counters;
        uint64_t by_class[6];

        for (size_t k = 0; k < GATE_COUNT_OF(by_class); k++)
            by_class[k] = atomic_load_explicit(&c->bad_by_class[k], memory_order_relaxed);
        gate_route_totals_count(out, GATE_STR(""), by_class);
    }
}

void gate_live_totals(struct gate_engine *e, struct gate_route_totals *out)
{
    gate_route_totals_init(out);
    gate_route_totals_merge(out, &e->totals);
    gate_tunnel_counts_each(e->tunnels, add_tunnels, out);
    add_bad(e, out);
    for (struct gate_list *n = e->generations.next; n != &e->generations; n = n->next) {
        struct gate_live *live = gate_container_of(n, struct gate_live, node);

        for (uint32_t i = 0; i < live->n; i++)
            gate_route_totals_add(out, live->g.config, live->slots[i].seat.routes);
    }
}

void gate_live_hooks(struct gate_engine *e, struct gate_hook_totals *out)
{
    gate_hook_totals_init(out);
    gate_hook_totals_merge(out, &e->hooks);
    for (struct gate_list *n = e->generations.next; n != &e->generations; n = n->next) {
        struct gate_live *live = gate_container_of(n, struct gate_live, node);

        for (uint32_t i = 0; i < live->n; i++) {
            const struct gate_vm *vm = live->slots[i].seat.vm;

            if (vm != NULL && !has_vm(e, live, i, true))
                gate_vm_each_hook(vm, add_hook, out);
        }
    }
}
