#include <stdlib.h>
#include <unistd.h>

#include "admin/json.h"
#include "admin/report.h"

static void put_listening(const struct gate_report *r, FILE *to)
{
    char text[GATE_ADDR_TEXT];

    fputs(",\"listening\":[", to);
    for (uint32_t i = 0; i < r->n_listening; i++) {
        size_t n = gate_addr_format(&r->listening[i], text, sizeof(text));

        if (i > 0)
            fputc(',', to);
        gate_json_string(to, gate_str_of(text, n));
    }
    fputc(']', to);
}

static void put_worker(const struct gate_report_worker *w, FILE *to)
{
    const struct gate_counters *c = &w->worker->counters;

    fprintf(to, "{\"index\":%u,\"alive\":%s", w->worker->index, w->alive ? "true" : "false");
    gate_json_number(to, "connections",
                     gate_counters_open(c, GATE_C_CLIENT_ACCEPTED, GATE_C_CLIENT_CLOSED));
    gate_json_number(to, "requests", gate_counters_get(c, GATE_C_REQUESTS));
    gate_json_number(to, "vm_bytes", w->vm_bytes);
    fputc('}', to);
}

struct peers_walk {
    const struct gate_report *report;
    FILE *to;
};

static void put_peers(void *arg, struct gate_str upstream, const struct gate_peer_set *set)
{
    const struct peers_walk *w = arg;
    FILE *to = w->to;

    fputs(",{\"name\":", to);
    gate_json_string(to, upstream);
    fputs(",\"peers\":[", to);
    for (uint32_t i = 0; i < set->n; i++) {
        struct gate_peer *p = set->v[i].peer;

        fputs(i == 0 ? "{\"address\":" : ",{\"address\":", to);
        gate_json_string(to, gate_str_from_cstr(p->text));
        fprintf(to, ",\"state\":\"%s\"", gate_report_peer_state(w->report, &set->v[i]));
        gate_json_number(to, "active", gate_peer_active(p));
        gate_json_number(to, "connections", gate_peer_connections(p));
        gate_json_number(to, "streams", gate_peer_streams(p));
        gate_json_number(to, "requests", gate_peer_requests(p));
        gate_json_number(to, "failures", atomic_load(&p->failures));
        fputc('}', to);
    }
    fputs("]}", to);
}

void gate_report_peers(const struct gate_report *r, FILE *to)
{
    char *text = NULL;
    size_t n = 0;
    struct peers_walk w = { r, open_memstream(&text, &n) };

    if (w.to == NULL)
        return;
    gate_registry_each(r->registry, put_peers, &w);
    fclose(w.to);
    /* The first one has a comma too many. */
    fprintf(to, "[%s]", n > 0 ? text + 1 : "");
    free(text);
}

void gate_report_last_reload(const struct gate_report *r, FILE *to)
{
    if (r->reload_s == 0)
        return;
    fprintf(to, ",\"last_reload\":{\"time\":%lld,\"ok\":%s", (long long)r->reload_s,
            r->reload_error[0] == '\0' ? "true" : "false");
    if (r->reload_error[0] != '\0')
        gate_json_member(to, "error", gate_str_from_cstr(r->reload_error));
    fputc('}', to);
}

void gate_report_status(const struct gate_report *r, FILE *to)
{
    fputs("{\"version\":", to);
    gate_json_string(to, gate_str_from_cstr(r->version));
    gate_json_number(to, "pid", (uint64_t)getpid());
    gate_json_number(to, "generation", r->generation == NULL ? 0 : r->generation->number);
    gate_json_number(to, "live_generations", r->generations);
    fprintf(to, ",\"uptime\":%llu.%03u", (unsigned long long)(r->uptime_ms / 1000),
            (unsigned)(r->uptime_ms % 1000));
    fprintf(to, ",\"draining\":%s", r->draining ? "true" : "false");
    put_listening(r, to);
    gate_json_number(to, "connections",
                     gate_report_open(r, GATE_C_CLIENT_ACCEPTED, GATE_C_CLIENT_CLOSED));
    gate_json_number(to, "connections_accepted", gate_report_counter(r, GATE_C_CLIENT_ACCEPTED));
    gate_json_number(to, "requests", gate_report_counter(r, GATE_C_REQUESTS));
    gate_json_number(to, "requests_active",
                     gate_report_open(r, GATE_C_REQUESTS, GATE_C_REQUESTS_DONE));
    gate_json_number(to, "log_lines_dropped",
                     r->lines_dropped + gate_report_counter(r, GATE_C_LOG_DROPPED));
    fputs(",\"workers\":[", to);
    for (uint32_t i = 0; i < r->n_workers; i++) {
        if (i > 0)
            fputc(',', to);
        put_worker(&r->workers[i], to);
    }
    fputc(']', to);
    fputs(",\"upstreams\":", to);
    gate_report_peers(r, to);
    gate_json_number(to, "reloads", r->reloads);
    gate_json_number(to, "reloads_failed", r->reloads_failed);
    gate_report_last_reload(r, to);
    fputs("}\n", to);
}
