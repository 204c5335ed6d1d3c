#include "admin/report.h"

uint64_t gate_report_counter(const struct gate_report *r, enum gate_counter which)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < r->n_workers; i++)
        sum += gate_counters_get(&r->workers[i].worker->counters, which);
    return sum;
}

uint64_t gate_report_open(const struct gate_report *r, enum gate_counter begun,
                          enum gate_counter ended)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < r->n_workers; i++)
        sum += gate_counters_open(&r->workers[i].worker->counters, begun, ended);
    return sum;
}

static void put_head(FILE *to, const char *name, const char *type, const char *help)
{
    fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_number(FILE *to, const char *name, const char *type, const char *help, uint64_t v)
{
    put_head(to, name, type, help);
    fprintf(to, "%s %llu\n", name, (unsigned long long)v);
}

/* A label's value, as the text format wants it escaped; control bytes become '?'. */
static void put_label(FILE *to, struct gate_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c == '\\' || c == '"')
            fputc('\\', to);
        fputc(c < 0x20 || c == 0x7f ? '?' : c, to);
    }
}

/* moongate_requests_total is the sum by route: what has only begun has a name of its own. */
static const char *name_of(enum gate_counter c)
{
    return c == GATE_C_REQUESTS ? "moongate_requests_begun_total" : gate_counter_name(c);
}

static void put_counters(const struct gate_report *r, FILE *to)
{
    for (int i = 0; i < GATE_C_COUNT; i++) {
        uint64_t v = gate_report_counter(r, i);

        if (i == GATE_C_LOG_DROPPED)
            v += r->lines_dropped;
        put_number(to, name_of(i), "counter", gate_counter_help(i), v);
    }
}

static void put_closes(const struct gate_report *r, FILE *to)
{
    put_head(to, "moongate_connections_closed_total", "counter",
             "Connections closed, client and upstream, by reason.");
    for (int i = GATE_CLOSE_NONE + 1; i < GATE_CLOSE_COUNT; i++) {
        uint64_t sum = 0;

        for (uint32_t w = 0; w < r->n_workers; w++)
            sum += atomic_load_explicit(&r->workers[w].worker->counters.closes[i],
                                        memory_order_relaxed);
        fprintf(to, "moongate_connections_closed_total{reason=\"%s\"} %llu\n",
                gate_close_reason_name(i), (unsigned long long)sum);
    }
}

static void put_routes(const struct gate_report *r, FILE *to)
{
    put_head(to, "moongate_requests_total", "counter",
             "Requests answered, by route and status class; no route, or a head that was refused: "
             "route is empty.");
    for (uint32_t i = 0; i < r->routes->n; i++) {
        const struct gate_route_total *t = &r->routes->v[i];

        for (int c = 1; c < 6; c++) {
            if (t->by_class[c] == 0)
                continue;
            fputs("moongate_requests_total{route=\"", to);
            put_label(to, gate_str_from_cstr(t->name));
            fprintf(to, "\",class=\"%dxx\"} %llu\n", c, (unsigned long long)t->by_class[c]);
        }
    }
}

enum hook_metric {
    HOOK_CALLS,
    HOOK_ERRORS,
    HOOK_KILLS,
    HOOK_BARRED,
    HOOK_QUARANTINED,
    HOOK_CPU,
    HOOK_N
};

static const struct {
    const char *name;
    const char *type;
    const char *help;
} hook_metrics[HOOK_N] = {
    { "moongate_policy_calls_total", "counter",
      "Calls, by policy and hook (handler, when: by route; spawn, every: tasks)." },
    { "moongate_policy_errors_total", "counter",
      "Errors and lack of memory, by policy and hook." },
    { "moongate_policy_kills_total", "counter", "Calls that were stopped, by policy and hook." },
    { "moongate_policy_barred_total", "counter",
      "Calls that quarantine prevented, by policy and hook." },
    { "moongate_policy_quarantined", "gauge",
      "1 while a hook is in quarantine, by policy and hook." },
    { "moongate_policy_cpu_seconds_total", "counter",
      "CPU time, sampled, by policy and hook." },
};

static void put_hook_value(FILE *to, enum hook_metric metric, const struct gate_hook_total *t)
{
    const uint64_t numbers[HOOK_CPU] = {t->calls, t->errors, t->kills, t->barred, t->quarantined};

    if (metric == HOOK_CPU)
        fprintf(to, "%.3f\n", (double)t->cpu_ns / 1e9);
    else
        fprintf(to, "%llu\n", (unsigned long long)numbers[metric]);
}

static void put_hooks(const struct gate_report *r, FILE *to)
{
    uint64_t runs = 0;

    for (uint32_t i = 0; i < r->hooks->n; i++)
        runs += r->hooks->v[i].runs;
    put_number(to, "moongate_hook_calls_total", "counter", "Script hooks called.", runs);
    for (int m = 0; m < HOOK_N; m++) {
        put_head(to, hook_metrics[m].name, hook_metrics[m].type, hook_metrics[m].help);
        for (uint32_t i = 0; i < r->hooks->n; i++) {
            const struct gate_hook_total *t = &r->hooks->v[i];

            if (t->calls == 0)
                continue;
            fprintf(to, "%s{policy=\"", hook_metrics[m].name);
            put_label(to, gate_str_from_cstr(t->policy));
            fprintf(to, "\",hook=\"%s\"} ", t->hook);
            put_hook_value(to, m, t);
        }
    }
}

/* What is told of each peer: the registry is walked once for each, so that samples of a metric
 * stand together. */
enum peer_metric {
    PEER_REQUESTS,
    PEER_FAILURES,
    PEER_ACTIVE,
    PEER_CONNECTIONS,
    PEER_STREAMS,
    PEER_UP,
    PEER_N
};

static const struct {
    const char *name;
    const char *type;
    const char *help;
} peer_metrics[PEER_N] = {
    { "moongate_upstream_requests_total", "counter", "Requests sent to a peer." },
    { "moongate_upstream_failures_total", "counter", "Connects and tries that failed." },
    { "moongate_upstream_active_requests", "gauge", "Requests at a peer now." },
    { "moongate_upstream_connections", "gauge", "Open connections to a peer." },
    { "moongate_upstream_streams", "gauge", "Streams open on those that speak HTTP/2." },
    { "moongate_upstream_up", "gauge", "0 while a peer is left out, 1 otherwise." },
};

struct peer_walk {
    FILE *to;
    uint64_t now_ms;
    enum peer_metric metric;
};

static uint64_t peer_value(const struct peer_walk *w, const struct gate_peer_entry *e)
{
    switch (w->metric) {
    case PEER_REQUESTS:
        return gate_peer_requests(e->peer);
    case PEER_FAILURES:
        return atomic_load_explicit(&e->peer->failures, memory_order_relaxed);
    case PEER_ACTIVE:
        return gate_peer_active(e->peer);
    case PEER_CONNECTIONS:
        return gate_peer_connections(e->peer);
    case PEER_STREAMS:
        return gate_peer_streams(e->peer);
    default:
        return !e->down && !gate_peer_is_down(e->peer, w->now_ms);
    }
}

static void put_peers(void *arg, struct gate_str upstream, const struct gate_peer_set *set)
{
    struct peer_walk *w = arg;

    for (uint32_t i = 0; i < set->n; i++) {
        fprintf(w->to, "%s{upstream=\"", peer_metrics[w->metric].name);
        put_label(w->to, upstream);
        fputs("\",peer=\"", w->to);
        put_label(w->to, gate_str_from_cstr(set->v[i].peer->text));
        fprintf(w->to, "\"} %llu\n", (unsigned long long)peer_value(w, &set->v[i]));
    }
}

static void put_upstreams(const struct gate_report *r, FILE *to)
{
    struct peer_walk w = { .to = to, .now_ms = r->now_ms };

    for (int i = 0; i < PEER_N; i++) {
        w.metric = i;
        put_head(to, peer_metrics[i].name, peer_metrics[i].type, peer_metrics[i].help);
        gate_registry_each(r->registry, put_peers, &w);
    }
}

static void put_workers(const struct gate_report *r, FILE *to)
{
    put_head(to, "moongate_worker_cpu_seconds_total", "counter", "CPU time of a worker.");
    for (uint32_t i = 0; i < r->n_workers; i++)
        fprintf(to, "moongate_worker_cpu_seconds_total{worker=\"%u\"} %.3f\n",
                r->workers[i].worker->index, (double)r->workers[i].cpu_ns / 1e9);
    put_head(to, "moongate_reload_stall_seconds", "gauge",
             "The longest that a reload has kept a worker from its clients.");
    for (uint32_t i = 0; i < r->n_workers; i++)
        fprintf(to, "moongate_reload_stall_seconds{worker=\"%u\"} %.6f\n",
                r->workers[i].worker->index, (double)r->workers[i].stall_ns / 1e9);
    put_head(to, "moongate_vm_memory_bytes", "gauge", "Memory of a worker's script VM.");
    for (uint32_t i = 0; i < r->n_workers; i++)
        fprintf(to, "moongate_vm_memory_bytes{worker=\"%u\"} %llu\n", r->workers[i].worker->index,
                (unsigned long long)r->workers[i].vm_bytes);
    put_number(to, "moongate_vm_renewals_total", "counter",
               "How often all workers got fresh VMs because one stayed full.", r->renewals);
    put_head(to, "moongate_worker_alive", "gauge", "1 while a worker answers.");
    for (uint32_t i = 0; i < r->n_workers; i++)
        fprintf(to, "moongate_worker_alive{worker=\"%u\"} %d\n", r->workers[i].worker->index,
                r->workers[i].alive);
}

/* What is told of each dictionary. */
enum dict_metric { DICT_LIMIT, DICT_BYTES, DICT_ENTRIES, DICT_EVICTIONS, DICT_DROPS, DICT_N };

static const struct {
    const char *name;
    const char *type;
    const char *help;
} dict_metrics[DICT_N] = {
    { "moongate_shared_limit_bytes", "gauge", "Memory that a dictionary may take." },
    { "moongate_shared_bytes", "gauge", "Memory of a dictionary's entries." },
    { "moongate_shared_entries", "gauge",
      "Entries of a dictionary, with those that have ended and were not yet taken away." },
    { "moongate_shared_evictions_total", "counter",
      "Entries that made room for others before their end." },
    { "moongate_shared_drops_total", "counter",
      "Parts of a dictionary that began anew because an engine died while it changed them." },
};

static uint64_t dict_value(const struct gate_dict_numbers *n, int metric)
{
    switch (metric) {
    case DICT_LIMIT:
        return n->bytes;
    case DICT_BYTES:
        return n->used;
    case DICT_ENTRIES:
        return n->entries;
    case DICT_EVICTIONS:
        return n->evictions;
    default:
        return n->drops;
    }
}

static void put_dicts(const struct gate_report *r, FILE *to)
{
    for (int m = 0; m < DICT_N && r->n_dicts > 0; m++) {
        put_head(to, dict_metrics[m].name, dict_metrics[m].type, dict_metrics[m].help);
        for (uint32_t i = 0; i < r->n_dicts; i++) {
            const struct gate_shared_numbers *d = &r->dicts[i];

            fprintf(to, "%s{dictionary=\"", dict_metrics[m].name);
            put_label(to, gate_str_of(d->name, d->name_n));
            fprintf(to, "\"} %llu\n", (unsigned long long)dict_value(&d->numbers, m));
        }
    }
}

struct certificate_walk {
    FILE *to;
    const char *metric;
    const char *holder; /* the label of who has it, */
    struct gate_str name; /* and what that one is called */
};

static void put_certificate(void *arg, const struct gate_tls_term *term)
{
    const struct certificate_walk *w = arg;

    fprintf(w->to, "%s{%s=\"", w->metric, w->holder);
    put_label(w->to, w->name);
    fputs("\",certificate=\"", w->to);
    put_label(w->to, term->file);
    fprintf(w->to, "\"} %lld\n", (long long)term->ends_s);
}

static void put_certificates(const struct gate_report *r, FILE *to)
{
    struct certificate_walk w = { to, "moongate_certificate_end_seconds", "listener",
                                  GATE_STR_NONE };

    put_head(to, w.metric, "gauge", "When a certificate ends, in seconds since 1970.");
    for (uint32_t i = 0; r->tls != NULL && i < r->generation->config->n_listeners; i++) {
        w.name = r->generation->config->listeners[i].text;
        if (r->tls[i] != NULL)
            gate_tls_server_each(r->tls[i], put_certificate, &w);
    }
}

static void put_client_certificates(const struct gate_report *r, FILE *to)
{
    const struct gate_generation *g = r->generation;
    struct certificate_walk w = { to, "moongate_upstream_certificate_end_seconds", "upstream",
                                  GATE_STR_NONE };

    put_head(to, w.metric, "gauge",
             "When the certificate that servers are shown ends, in seconds since 1970.");
    for (uint32_t i = 0; g != NULL && g->clients != NULL && i < g->config->n_upstreams; i++) {
        w.name = g->config->upstreams[i].name;
        if (g->clients[i] != NULL)
            gate_tls_client_each(g->clients[i], put_certificate, &w);
    }
}

void gate_report_metrics(const struct gate_report *r, FILE *to)
{
    put_head(to, "moongate_info", "gauge", "Always 1.");
    fprintf(to, "moongate_info{version=\"%s\"} 1\n", r->version);
    put_number(to, "moongate_uptime_seconds", "gauge", "Since the engine started.",
               r->uptime_ms / 1000);
    put_number(to, "moongate_generation", "gauge", "Number of the generation that serves.",
               r->generation == NULL ? 0 : r->generation->number);
    put_number(to, "moongate_live_generations", "gauge",
               "Generations that still have requests, with the one that serves.", r->generations);
    put_head(to, "moongate_reloads_total", "counter", "Reloads, by result.");
    fprintf(to, "moongate_reloads_total{result=\"ok\"} %llu\n",
            (unsigned long long)(r->reloads - r->reloads_failed));
    fprintf(to, "moongate_reloads_total{result=\"failed\"} %llu\n",
            (unsigned long long)r->reloads_failed);
    put_number(to, "moongate_client_connections", "gauge", "Open client connections.",
               gate_report_open(r, GATE_C_CLIENT_ACCEPTED, GATE_C_CLIENT_CLOSED));
    put_number(to, "moongate_active_requests", "gauge", "Requests inside the gateway now.",
               gate_report_open(r, GATE_C_REQUESTS, GATE_C_REQUESTS_DONE));
    put_number(to, "moongate_tunnels", "gauge", "Open tunnels.",
               gate_report_open(r, GATE_C_TUNNELS, GATE_C_TUNNELS_DONE));
    put_counters(r, to);
    put_routes(r, to);
    put_hooks(r, to);
    put_closes(r, to);
    put_upstreams(r, to);
    put_workers(r, to);
    put_dicts(r, to);
    gate_report_canary_metrics(r, to);
    put_certificates(r, to);
    put_client_certificates(r, to);
}
