#include "base/mem.h"
#include "flow/access_log.h"
#include "flow/flow.h"
#include "run/engine_int.h"
#include "run/resolver.h"

/* Swap: control mails a seat to each worker; the worker serves from it and answers. The old
 * seat goes when its last exchange ends: detached on its thread, freed off the loops. */

static void on_gone(struct gate_mail *m, void *engine);

/* Nobody uses the seat. Not from inside the unref: a script of this very VM may be what gave up the
 * last reference. */
static void on_seat_ready(struct gate_ready *r)
{
    struct gate_seat_slot *s = gate_container_of(r, struct gate_seat_slot, idle);

    if (s->seat.vm != NULL)
        gate_vm_detach(s->seat.vm);
    gate_list_remove(&s->node);
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

    if (++s->live->swapped == s->live->n)
        gate_reload_swapped(engine);
}

static void swap_access_log(struct gate_run_worker *w, const struct gate_live *live)
{
    struct gate_log_writer *writer = w->engine->access_writer;

    if (w->base.access_log != NULL)
        gate_access_log_free(&w->base.access_log);
    if (live->access_log)
        w->base.access_log = gate_access_log_new(&w->base, writer, live->access_json);
}

static void on_swap(struct gate_mail *m, void *worker)
{
    struct gate_seat_slot *s = gate_container_of(m, struct gate_seat_slot, swap);
    struct gate_run_worker *w = worker;
    struct gate_generation_seat *old = w->base.seat;

    if (w->ended)
        return;
    if (s->seat.vm != NULL) {
        gate_vm_attach(s->seat.vm, &w->base, s->live->g.config);
        gate_hook_set_services(s->seat.vm, &gate_flow_services);
    }
    gate_list_push(&w->seats, &s->node);
    w->base.seat = gate_seat_ref(&s->seat);
    w->base.session_limit = s->live->session_limit;
    swap_access_log(w, s->live);
    if (!w->base.draining)
        gate_acceptors_apply(w, s->live);
    if (old != NULL) {
        old->retired = true;
        gate_seat_unref(&old);
    }
    s->swapped.deliver = on_swapped;
    gate_mailbox_post(&w->engine->mail, &s->swapped);
}

/* VMs are large: freeing them is work for the pool. */
struct burial {
    struct gate_work work;
    struct gate_vm *vm;
};

static void bury(struct gate_work *w)
{
    gate_vm_free(&gate_container_of(w, struct burial, work)->vm);
}

static void on_buried(struct gate_work *w, void *engine)
{
    gate_memory_settle(engine);
    gate_free(gate_container_of(w, struct burial, work));
}

static void free_vm_elsewhere(struct gate_engine *e, struct gate_vm **vm)
{
    struct burial *b;

    if (*vm == NULL)
        return;
    b = gate_calloc(1, sizeof(*b));
    b->vm = *vm;
    *vm = NULL;
    b->work.reply = &e->mail;
    b->work.run = bury;
    b->work.done = on_buried;
    gate_offload_submit(e->offload, &b->work);
}

static void on_gone(struct gate_mail *m, void *engine)
{
    struct gate_seat_slot *s = gate_container_of(m, struct gate_seat_slot, gone);
    struct gate_live *live = s->live;
    struct gate_engine *e = engine;

    free_vm_elsewhere(e, &s->seat.vm);
    if (++live->gone < live->n)
        return;
    for (uint32_t i = 0; i < live->n; i++)
        gate_route_totals_add(&e->totals, live->g.config, live->slots[i].seat.routes);
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
    live->g.number = ++e->last_number;
    live->g.hash = gate_bundle_hash(bundle);
    live->g.config = loaded->config;
    live->g.router = loaded->router;
    live->g.head_limits = head_limits_of(&c->limits);
    live->g.made_s = gate_clock_wall_ns(&e->clock) / (int64_t)GATE_SEC;
    live->points = gate_calloc(c->n_listeners + 1, sizeof(*live->points));
    live->access_log = c->process.access_log.n > 0;
    live->access_json = c->process.access_json;
    live->n = e->n_workers;
    live->slots = gate_calloc(live->n, sizeof(*live->slots));
    atomic_init(&live->g.seats, live->n);
    for (uint32_t i = 0; i < live->n; i++) {
        struct gate_seat_slot *s = &live->slots[i];

        s->live = live;
        s->owner = &e->workers[i];
        gate_list_init(&s->node);
        gate_ready_init(&s->idle, on_seat_ready);
        s->seat.generation = &live->g;
        s->seat.routes = gate_calloc(c->n_routes + 1, sizeof(*s->seat.routes));
        s->seat.on_idle = on_seat_idle;
        s->seat.on_idle_arg = s;
    }
    loaded->config = NULL;
    loaded->router = NULL;
    return live;
}

void gate_live_free(struct gate_live **live)
{
    struct gate_live *l = *live;

    *live = NULL;
    if (l == NULL)
        return;
    for (uint32_t i = 0; i < l->n; i++) {
        if (l->slots[i].seat.vm != NULL)
            gate_vm_free(&l->slots[i].seat.vm);
        gate_free(l->slots[i].seat.routes);
    }
    gate_router_free(&l->g.router);
    gate_config_free(&l->g.config);
    gate_bundle_free(&l->bundle);
    gate_free(l->g.upstreams);
    gate_free(l->points);
    gate_free(l->slots);
    gate_free(l);
}

void gate_live_publish(struct gate_live *live)
{
    struct gate_engine *e = live->engine;
    const struct gate_config *c = live->g.config;

    live->g.upstreams = gate_calloc(c->n_upstreams + 1, sizeof(*live->g.upstreams));
    for (uint32_t i = 0; i < c->n_upstreams; i++)
        live->g.upstreams[i] = gate_registry_find(e->registry, c->upstreams[i].name);
    gate_list_push(&e->generations, &live->node);
    e->current = live;
    for (uint32_t i = 0; i < live->n; i++) {
        live->slots[i].swap.deliver = on_swap;
        gate_mailbox_post(&e->workers[i].base.mail, &live->slots[i].swap);
    }
}

static bool declares(const struct gate_upstream_config *v, uint32_t n, struct gate_str name)
{
    for (uint32_t i = 0; i < n; i++) {
        if (gate_str_eq(v[i].name, name))
            return true;
    }
    return false;
}

/* Old generations keep their upstreams as long as they have requests: the newest declaration of
 * each name counts. */
void gate_live_apply(struct gate_engine *e, const struct gate_config *next)
{
    struct gate_config all = { .n_upstreams = 0 };
    struct gate_upstream_config *v;
    uint32_t cap = next == NULL ? 0 : next->n_upstreams;
    struct gate_list *at;

    for (at = e->generations.next; at != &e->generations; at = at->next)
        cap += gate_container_of(at, struct gate_live, node)->g.config->n_upstreams;
    v = gate_calloc(cap + 1, sizeof(*v));
    while (next != NULL && all.n_upstreams < next->n_upstreams) {
        v[all.n_upstreams] = next->upstreams[all.n_upstreams];
        all.n_upstreams++;
    }
    for (at = e->generations.prev; at != &e->generations; at = at->prev) {
        const struct gate_config *c = gate_container_of(at, struct gate_live, node)->g.config;

        for (uint32_t i = 0; i < c->n_upstreams; i++) {
            if (!declares(v, all.n_upstreams, c->upstreams[i].name))
                v[all.n_upstreams++] = c->upstreams[i];
        }
    }
    all.upstreams = v;
    gate_registry_apply(e->registry, &all);
    gate_resolver_apply(e->resolver);
    gate_free(v);
}

void gate_live_totals(struct gate_engine *e, struct gate_route_totals *out)
{
    gate_route_totals_init(out);
    gate_route_totals_merge(out, &e->totals);
    for (struct gate_list *n = e->generations.next; n != &e->generations; n = n->next) {
        struct gate_live *live = gate_container_of(n, struct gate_live, node);

        for (uint32_t i = 0; i < live->n; i++)
            gate_route_totals_add(out, live->g.config, live->slots[i].seat.routes);
    }
}
