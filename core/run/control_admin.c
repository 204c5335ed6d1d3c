#include "base/mem.h"
#include "run/canary.h"
#include "run/engine_int.h"
#include "run/explain.h"
#include "run/version.h"

/* Pings that may be unanswered while a worker counts as alive. */
#define PINGS_OPEN 5

/* /top tells what has happened since the last sample, if that is not older than this. */
#define SAMPLE_MIN_NS (900 * GATE_MS)
#define SAMPLE_MAX_NS (60 * GATE_SEC)

/* Everything that a report says, gathered now; freed by drop. */
struct gathering {
    struct gate_report report;
    struct gate_report_worker *workers;
    struct gate_report_generation *live;
    struct gate_report_kept kept[GATE_KEPT_MAX];
    struct gate_addr *listening;
    struct gate_route_totals routes;
    struct gate_shared_numbers *dicts;
    struct gate_hook_totals hooks;
    struct gate_report_canary canary;
};

static uint64_t cpu_of(pthread_t thread)
{
    struct timespec t;
    clockid_t clock;

    if (pthread_getcpuclockid(thread, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return 0;
    return (uint64_t)t.tv_sec * GATE_SEC + (uint64_t)t.tv_nsec;
}

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
            .vm_limit = vm == NULL ? 0 : e->current->g.config->limits.vm_memory,
            .cpu_ns = w->ended ? 0 : cpu_of(w->thread),
            .stall_ns = atomic_load_explicit(&w->stall_ns, memory_order_relaxed),
        };
    }
}

/* While it is on trial. */
static uint32_t share_of(const struct gate_live *live)
{
    return live->canary == NULL || live == live->engine->current ? 0 : live->slots[0].trial->share;
}

static uint32_t gather_live(struct gate_engine *e, struct gathering *g)
{
    uint64_t now = gate_clock_now_ns(&e->clock);
    uint32_t n = 0;

    for (struct gate_list *at = e->generations.next; at != &e->generations; at = at->next)
        n++;
    g->live = gate_calloc(n + 1, sizeof(*g->live));
    n = 0;
    for (struct gate_list *at = e->generations.prev; at != &e->generations; at = at->prev) {
        const struct gate_live *live = gate_container_of(at, struct gate_live, node);

        g->live[n++] = (struct gate_report_generation){
            .number = live->g.number,
            .from = live->from,
            .hash = live->g.hash,
            .age_ms = (now - live->made_ns) / GATE_MS,
            .active = gate_live_active(live),
            .memory = gate_live_memory(live),
            .serves = live == e->current,
            .share = share_of(live),
            .ended = live->ended,
        };
    }
    return n;
}

static uint32_t gather_kept(const struct gate_engine *e, struct gathering *g)
{
    uint32_t n = 0;

    for (; n < GATE_KEPT_MAX && e->kept[n].bundle != NULL; n++)
        g->kept[n] = (struct gate_report_kept){ e->kept[n].number, e->kept[n].hash };
    return n;
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
    uint32_t listening = gather_listening(e, g);
    uint32_t live = gather_live(e, g);

    gather_workers(e, g);
    gate_live_totals(e, &g->routes);
    gate_live_hooks(e, &g->hooks);
    g->report = (struct gate_report){
        .version = GATE_VERSION,
        .tls = e->current == NULL ? NULL : e->current->tls,
        .generation = e->current == NULL ? NULL : &e->current->g,
        .generations = live,
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
        .reload_error = e->reload_error == NULL ? "" : e->reload_error,
        .renewals = e->renewals.count,
        .live = g->live,
        .n_live = live,
        .kept = g->kept,
        .n_kept = gather_kept(e, g),
        .hooks = &g->hooks,
        .canary = gate_canary_report(e, &g->canary) ? &g->canary : NULL,
    };
}

static void drop(struct gathering *g)
{
    gate_route_totals_fini(&g->routes);
    gate_hook_totals_fini(&g->hooks);
    gate_free(g->workers);
    gate_free(g->live);
    gate_free(g->listening);
    gate_free(g->dicts);
}

/* What the counters say now, for the next who asks. Takes the hooks' totals over. */
static void keep_sample(struct gate_engine *e, struct gathering *g, uint64_t now)
{
    struct gate_sample *s = &e->sample;

    gate_hook_totals_fini(&s->hooks);
    s->hooks = g->hooks;
    gate_hook_totals_init(&g->hooks);
    s->ns = now;
    for (uint32_t i = 0; i < e->n_workers; i++) {
        s->cpu_ns[i] = g->workers[i].cpu_ns;
        s->requests[i] = gate_counters_get(&e->workers[i].base.counters, GATE_C_REQUESTS);
    }
}

static void show_top(struct gate_engine *e, struct gathering *g, bool text, FILE *to)
{
    uint64_t now = gate_clock_now_ns(&e->clock);
    const struct gate_sample *s = &e->sample;
    bool fresh = s->ns != 0 && now - s->ns < SAMPLE_MAX_NS;

    g->report.before = (struct gate_report_before){
        .ns = now - (fresh ? s->ns : e->started_ns),
        .cpu_ns = fresh ? s->cpu_ns : NULL,
        .requests = fresh ? s->requests : NULL,
        .hooks = fresh ? &s->hooks : NULL,
    };
    gate_report_top(&g->report, text, to);
    if (!fresh || now - s->ns >= SAMPLE_MIN_NS)
        keep_sample(e, g, now);
}

static void hide(const void *secrets, struct gate_str text, struct gate_out *to)
{
    gate_secrets_hide(secrets, text, to);
}

static void show_routes(const struct gate_engine *e, const struct gathering *g, bool text,
                        FILE *to)
{
    const struct gate_generation *now = &e->current->g;

    struct gate_report_hide h = { hide, &e->current->secrets };

    gate_report_routes(now->config, now->router, &g->routes, &h, text, to);
}

/* Somebody may ask before anything serves. */
static void on_show(void *engine, enum gate_admin_page page, bool text, FILE *to)
{
    struct gate_engine *e = engine;
    struct gathering g;

    gather(e, &g);
    switch (page) {
    case GATE_PAGE_STATUS:
        gate_report_status(&g.report, to);
        break;
    case GATE_PAGE_METRICS:
        gate_report_metrics(&g.report, to);
        break;
    case GATE_PAGE_GENERATIONS:
        gate_report_generations(&g.report, text, to);
        break;
    case GATE_PAGE_ROUTES:
        if (e->current != NULL)
            show_routes(e, &g, text, to);
        break;
    case GATE_PAGE_UPSTREAMS:
        gate_report_upstreams(&g.report, text, to);
        break;
    case GATE_PAGE_TOP:
        show_top(e, &g, text, to);
        break;
    case GATE_PAGE_CANARY:
        gate_report_canary(&g.report, text, to);
        break;
    }
    drop(&g);
}

static void on_explain(void *engine, const char *method, const char *url, FILE *to)
{
    const struct gate_engine *e = engine;
    struct gate_report_hide h = { hide, e->current == NULL ? NULL : &e->current->secrets };

    if (e->current != NULL)
        gate_explain(e->current->g.config, e->current->g.router, &h, method, url, to);
}

static void on_rollback(void *engine, uint64_t number, struct gate_handle ticket)
{
    gate_reload_rollback(engine, number, &ticket);
}

static void on_reload(void *engine, struct gate_handle ticket)
{
    gate_reload_begin(engine, GATE_RELOAD_ORDER, &ticket);
}

static void on_canary(void *engine, const char *share, const char *time, const char *conditions,
                      struct gate_handle ticket)
{
    struct gate_engine *e = engine;
    struct gate_canary_order order = { .share = 0 };
    char why[400];

    if (!gate_canary_order_share(&order, share, why, sizeof(why) - 1) ||
        (time[0] != '\0' && !gate_canary_order_time(&order, time, why, sizeof(why) - 1)) ||
        (conditions[0] != '\0' &&
         !gate_canary_order_abort(&order, conditions, why, sizeof(why) - 1))) {
        strcat(why, "\n");
        gate_admin_answer(e->admin, ticket, 400, why);
        return;
    }
    gate_canary_order_complete(&order);
    gate_reload_canary(e, &order, &ticket);
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
    .show = on_show,
    .explain = on_explain,
    .reload = on_reload,
    .rollback = on_rollback,
    .canary = on_canary,
};

/* A host loads and decides itself. */
const struct gate_admin_ops gate_control_admin_ops_host = {
    .show = on_show,
    .explain = on_explain,
};

const struct gate_admin_ops gate_control_admin_ops_test = {
    .show = on_show,
    .explain = on_explain,
    .reload = on_reload,
    .rollback = on_rollback,
    .canary = on_canary,
    .advance = on_advance,
};
