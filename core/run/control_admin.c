#include "base/mem.h"
#include "run/engine_int.h"
#include "run/version.h"

/* Pings that may be unanswered while a worker counts as alive. */
#define PINGS_OPEN 5

/* Everything that a report says, gathered now; freed by drop. */
struct gathering {
    struct gate_report report;
    struct gate_report_worker *workers;
    struct gate_addr *listening;
    struct gate_route_totals routes;
    struct gate_shared_numbers *dicts;
};

static void gather_workers(struct gate_engine *e, struct gathering *g)
{
    g->workers = gate_calloc(e->n_workers + 1, sizeof(*g->workers));
    for (uint32_t i = 0; i < e->n_workers; i++) {
        struct gate_run_worker *w = &e->workers[i];
        const struct gate_vm *vm = e->current == NULL ? NULL : e->current->slots[i].seat.vm;
        uint32_t pong = atomic_load_explicit(&w->pong, memory_order_relaxed);

        g->workers[i] = (struct gate_report_worker){
            .worker = &w->base,
            .alive = e->draining || e->pings - pong <= PINGS_OPEN,
            .vm_bytes = vm == NULL ? 0 : gate_vm_memory(vm),
        };
    }
}

static uint32_t gather_listening(struct gate_engine *e, struct gathering *g)
{
    struct gate_list *points = &e->broker->set.points;
    uint32_t n = 0;

    for (struct gate_list *at = points->next; at != points; at = at->next)
        n++;
    g->listening = gate_calloc(n + 1, sizeof(*g->listening));
    n = 0;
    for (struct gate_list *at = points->next; at != points; at = at->next) {
        struct gate_listen_point *p = gate_container_of(at, struct gate_listen_point, node);

        if (p->wanted)
            g->listening[n++] = p->bound;
    }
    return n;
}

static uint64_t dropped(const struct gate_log_writer *w)
{
    return w == NULL ? 0 : gate_log_writer_dropped(w);
}

static void gather(struct gate_engine *e, struct gathering *g)
{
    uint32_t n_dicts = gate_shared_report(e->shared, &g->dicts);
    uint32_t generations = 0;
    uint32_t listening = gather_listening(e, g);

    gather_workers(e, g);
    gate_live_totals(e, &g->routes);
    for (struct gate_list *n = e->generations.next; n != &e->generations; n = n->next)
        generations++;
    g->report = (struct gate_report){
        .version = GATE_VERSION,
        .generation = e->current == NULL ? NULL : &e->current->g,
        .generations = generations,
        .uptime_ms = (gate_clock_now_ns(&e->clock) - e->started_ns) / GATE_MS,
        .now_ms = gate_loop_now(&e->loop),
        .draining = e->draining,
        .workers = g->workers,
        .n_workers = e->n_workers,
        .listening = g->listening,
        .n_listening = listening,
        .registry = e->registry,
        .routes = &g->routes,
        .dicts = g->dicts,
        .n_dicts = n_dicts,
        .lines_dropped = dropped(e->error_writer) + dropped(e->access_writer),
        .reloads = e->reloads,
        .reloads_failed = e->reloads_failed,
        .reload_s = e->reload_s,
        .reload_error = e->reload_error,
    };
}

static void drop(struct gathering *g)
{
    gate_route_totals_fini(&g->routes);
    gate_free(g->workers);
    gate_free(g->listening);
    gate_free(g->dicts);
}

static void on_status(void *engine, FILE *to)
{
    struct gathering g;

    gather(engine, &g);
    gate_report_status(&g.report, to);
    drop(&g);
}

static void on_metrics(void *engine, FILE *to)
{
    struct gathering g;

    gather(engine, &g);
    gate_report_metrics(&g.report, to);
    drop(&g);
}

static void on_reload(void *engine, struct gate_handle ticket)
{
    gate_reload_begin(engine, &ticket);
}

static void on_advance(void *engine, uint64_t ms)
{
    struct gate_engine *e = engine;

    gate_clock_advance(&e->clock, ms * GATE_MS);
    for (uint32_t i = 0; i < e->n_workers; i++)
        gate_run_worker_refresh(&e->workers[i]);
    gate_loop_refresh(&e->loop);
}

const struct gate_admin_ops gate_control_admin_ops = {
    .status = on_status,
    .metrics = on_metrics,
    .reload = on_reload,
};

const struct gate_admin_ops gate_control_admin_ops_test = {
    .status = on_status,
    .metrics = on_metrics,
    .reload = on_reload,
    .advance = on_advance,
};
