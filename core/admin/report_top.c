#include <stdlib.h>

#include "admin/json.h"
#include "admin/report.h"
#include "admin/table.h"
#include "base/mem.h"

/* Hooks that a table shows. */
#define ROWS_MAX 40

/* What one hook did lately. */
struct rate {
    const struct gate_hook_total *total;
    double calls;           /* a second */
    double errors;
    double kills;
    double cpu;             /* share of one processor */
};

static double per_second(const struct gate_report *r, uint64_t now, uint64_t before)
{
    return r->before.ns == 0 || now < before
               ? 0
               : (double)(now - before) * 1e9 / (double)r->before.ns;
}

static struct rate rate_of(const struct gate_report *r, const struct gate_hook_total *t)
{
    static const struct gate_hook_total none;
    const struct gate_hook_total *b =
        r->before.hooks == NULL ? NULL
                                : gate_hook_totals_find(r->before.hooks, t->policy, t->hook);

    if (b == NULL)
        b = &none;
    return (struct rate){
        .total = t,
        .calls = per_second(r, t->calls, b->calls),
        .errors = per_second(r, t->errors, b->errors),
        .kills = per_second(r, t->kills, b->kills),
        .cpu = per_second(r, t->cpu_ns, b->cpu_ns) / 1e9,
    };
}

static double worker_cpu(const struct gate_report *r, uint32_t i)
{
    uint64_t before = r->before.cpu_ns == NULL ? 0 : r->before.cpu_ns[i];

    return per_second(r, r->workers[i].cpu_ns, before) / 1e9;
}

static double worker_requests(const struct gate_report *r, uint32_t i)
{
    uint64_t before = r->before.requests == NULL ? 0 : r->before.requests[i];
    const struct gate_counters *c = &r->workers[i].worker->counters;

    return per_second(r, gate_counters_get(c, GATE_C_REQUESTS), before);
}

static uint64_t connections(const struct gate_counters *c)
{
    return gate_counters_open(c, GATE_C_CLIENT_ACCEPTED, GATE_C_CLIENT_CLOSED);
}

/* The busiest first; of equals the one that was called more often. */
static int compare(const void *a, const void *b)
{
    const struct rate *x = a, *y = b;

    if (x->cpu != y->cpu)
        return x->cpu < y->cpu ? 1 : -1;
    if (x->calls != y->calls)
        return x->calls < y->calls ? 1 : -1;
    return x->total->calls < y->total->calls ? 1 : x->total->calls > y->total->calls ? -1 : 0;
}

static void put_worker(const struct gate_report *r, uint32_t i, FILE *to)
{
    const struct gate_report_worker *w = &r->workers[i];

    fprintf(to, "%s{\"index\":%u,\"cpu\":%.4f,\"requests_per_second\":%.1f", i > 0 ? "," : "",
            w->worker->index, worker_cpu(r, i), worker_requests(r, i));
    gate_json_number(to, "connections", connections(&w->worker->counters));
    gate_json_number(to, "vm_bytes", w->vm_bytes);
    gate_json_number(to, "vm_limit", w->vm_limit);
    fputc('}', to);
}

static void put_hook(const struct rate *v, FILE *to)
{
    fputs("{\"policy\":", to);
    gate_json_string(to, gate_str_from_cstr(v->total->policy));
    gate_json_member(to, "hook", gate_str_from_cstr(v->total->hook));
    gate_json_number(to, "calls", v->total->calls);
    gate_json_number(to, "errors", v->total->errors);
    gate_json_number(to, "kills", v->total->kills);
    gate_json_number(to, "barred", v->total->barred);
    fprintf(to, ",\"quarantined\":%s", v->total->quarantined ? "true" : "false");
    fprintf(to, ",\"cpu_seconds\":%.3f,\"cpu\":%.4f,\"calls_per_second\":%.1f}",
            (double)v->total->cpu_ns / 1e9, v->cpu, v->calls);
}

static void put_json(const struct gate_report *r, const struct rate *v, uint32_t n, FILE *to)
{
    fprintf(to, "{\"seconds\":%.3f,\"workers\":[", (double)r->before.ns / 1e9);
    for (uint32_t i = 0; i < r->n_workers; i++)
        put_worker(r, i, to);
    fputs("],\"hooks\":[", to);
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0)
            fputc(',', to);
        put_hook(&v[i], to);
    }
    fputs("]}\n", to);
}

static void put_workers(const struct gate_report *r, FILE *to)
{
    static const char *const titles[] = { "WORKER", "CPU", "REQUESTS/S", "CONNECTIONS",
                                          "VM MEMORY", "VM LIMIT" };
    struct gate_table t;

    gate_table_init(&t, titles, 6);
    for (uint32_t i = 0; i < r->n_workers; i++) {
        gate_table_fmt(&t, "%u", r->workers[i].worker->index);
        gate_table_fmt(&t, "%.1f %%", worker_cpu(r, i) * 100);
        gate_table_fmt(&t, "%.1f", worker_requests(r, i));
        gate_table_fmt(&t, "%llu",
                       (unsigned long long)connections(&r->workers[i].worker->counters));
        gate_table_bytes(&t, r->workers[i].vm_bytes);
        gate_table_bytes(&t, r->workers[i].vm_limit);
    }
    gate_table_print(&t, to);
    gate_table_fini(&t);
}

static void put_hooks(const struct rate *v, uint32_t n, FILE *to)
{
    static const char *const titles[] = { "POLICY",   "HOOK",  "CPU",    "CALLS/S", "ERRORS/S",
                                          "KILLS/S", "CALLS", "ERRORS", "KILLS",
                                          "BARRED" };
    struct gate_table t;

    gate_table_init(&t, titles, 10);
    for (uint32_t i = 0; i < n && i < ROWS_MAX; i++) {
        const struct gate_hook_total *total = v[i].total;

        gate_table_put(&t, gate_str_from_cstr(total->policy));
        gate_table_fmt(&t, "%s", total->hook);
        gate_table_fmt(&t, "%.1f %%", v[i].cpu * 100);
        gate_table_fmt(&t, "%.1f", v[i].calls);
        gate_table_fmt(&t, "%.1f", v[i].errors);
        gate_table_fmt(&t, "%.1f", v[i].kills);
        gate_table_fmt(&t, "%llu", (unsigned long long)total->calls);
        gate_table_fmt(&t, "%llu", (unsigned long long)total->errors);
        gate_table_fmt(&t, "%llu", (unsigned long long)total->kills);
        gate_table_fmt(&t, "%llu%s", (unsigned long long)total->barred,
                       total->quarantined ? " quarantine" : "");
    }
    gate_table_print(&t, to);
    gate_table_fini(&t);
    if (n > ROWS_MAX)
        fprintf(to, "and %u more\n", n - ROWS_MAX);
}

void gate_report_top(const struct gate_report *r, bool text, FILE *to)
{
    struct rate *v = gate_calloc(r->hooks->n + 1, sizeof(*v));
    uint32_t n = 0;

    for (uint32_t i = 0; i < r->hooks->n; i++) {
        if (r->hooks->v[i].calls > 0)
            v[n++] = rate_of(r, &r->hooks->v[i]);
    }
    if (n > 1)
        qsort(v, n, sizeof(*v), compare);
    if (text) {
        put_workers(r, to);
        fputc('\n', to);
        put_hooks(v, n, to);
    } else {
        put_json(r, v, n, to);
    }
    gate_free(v);
}
