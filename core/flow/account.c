/* What is left of an exchange: its access line and its counts. */
#include <stdio.h>

#include "base/assert.h"
#include "flow/access_log.h"
#include "flow/flow_int.h"

static uint64_t span_us(uint64_t from, uint64_t to)
{
    return from == 0 || to < from ? 0 : (to - from) / 1000;
}

static struct gate_str field_of(const struct gate_exchange *x, enum gate_field_id id)
{
    const struct gate_field *f = gate_fields_find(&x->req.head.fields, id);

    return f == NULL ? GATE_STR_NONE : gate_field_value(f);
}

static int final_status(const struct gate_exchange *x)
{
    if (x->client_gone && !x->head_sent)
        return 499;
    return x->res.status;
}

static void write_line(struct gate_exchange *x)
{
    const struct gate_request_head *h = &x->req.head;
    struct gate_access_record r = {
        .wall_s = x->worker->date_s,
        .ip = x->client.ip,
        .method = h->method_text,
        .target = h->target,
        .version = gate_request_version(h),
        .host = h->host,
        .status = final_status(x),
        .grpc_status = x->grpc ? gate_flow_grpc_status(x) : GATE_STR_NONE,
        .bytes_in = x->bytes_in,
        .bytes_out = x->bytes_out,
        .referer = field_of(x, GATE_F_REFERER),
        .user_agent = field_of(x, GATE_F_USER_AGENT),
        .id = gate_str_of(x->id, x->id_len),
        .route = x->route_name,
        .upstream = x->upstream == GATE_NO_ORDINAL
                        ? GATE_STR_NONE
                        : gate_flow_config(x)->upstreams[x->upstream].name,
        .peer = x->peer == NULL ? GATE_STR_NONE : gate_str_from_cstr(x->peer->text),
        .tries = x->tries,
        .fault = gate_str_from_cstr(gate_fault_name(x->fault)),
        .why = gate_str_from_cstr(x->fault_why),
        .total_us = span_us(x->times.begin, x->times.end),
        .connect_us = span_us(x->times.picked, x->times.connected),
        .first_byte_us = span_us(x->times.sent, x->times.first_byte),
        .script_us = x->times.script_ns / 1000,
        .close = x->flow->first_end,
    };

    gate_worker_date(x->worker);
    r.wall_s = x->worker->date_s;
    gate_access_log_write(x->worker->access_log, &r);
}

/* Answered 5xx, or cut short by what was not the client's doing. */
static bool is_error(const struct gate_exchange *x, int status)
{
    return status >= 500 || (x->head_sent && !x->dn_complete && !x->client_gone &&
                             gate_fault_status(x->fault) >= 500);
}

/* For a canary. With the time of now: what has taken one turn of the loop may have taken long. A
 * tunnel's time is its client's. */
static GATE_COLD void count_trial(const struct gate_exchange *x, int status)
{
    if (status != 101)
        gate_canary_count(x->seat->tally, x->times.begin,
                          gate_clock_now_ns(x->worker->loop.clock), is_error(x, status));
}

static void count_route(struct gate_exchange *x, int status)
{
    const struct gate_config *config = gate_flow_config(x);
    struct gate_route_stats *stats = x->seat->routes;
    uint32_t i = x->match.route != NULL ? x->match.route->ordinal : config->n_routes;
    int class = status / 100;
    uint64_t old;

    if (stats == NULL || class < 1 || class > 5)
        return;
    old = atomic_load_explicit(&stats[i].by_class[class], memory_order_relaxed);
    atomic_store_explicit(&stats[i].by_class[class], old + 1, memory_order_relaxed);
}

/* If the last try was sent and answered: times may be those of an earlier one, at another peer. */
static void note_latency(struct gate_exchange *x)
{
    const struct gate_times *t = &x->times;

    if (t->first_byte > t->sent && t->sent >= t->picked)
        gate_peer_note_latency(x->peer_share, t->first_byte - t->sent, x->worker->loop.now_ns);
}

/* A server that is gone makes a fault of every request: so many lines a second of each worker. */
#define FAULT_LINES 10

/* Faults that the operator should know of are one line of the error log: what failed, where, and
 * why. Those that a client makes by itself are in the access log only. */
static void log_fault(const struct gate_exchange *x)
{
    struct gate_log_field v[] = {
        {"request", gate_str_of(x->id, x->id_len)},
        {"route", x->route_name},
        {"upstream", x->upstream == GATE_NO_ORDINAL
                         ? GATE_STR_NONE
                         : gate_flow_config(x)->upstreams[x->upstream].name},
        {"peer", x->peer == NULL ? GATE_STR_NONE : gate_str_from_cstr(x->peer->text)},
        {"why", gate_str_from_cstr(x->fault_why)},
    };
    struct gate_worker *w = x->worker;
    uint32_t untold;
    char text[64];

    if (x->fault < GATE_FAULT_CONNECT || x->fault == GATE_FAULT_CLIENT_GONE ||
        x->fault == GATE_FAULT_DEADLINE || x->fault == GATE_FAULT_SCRIPT_KILLED ||
        !gate_log_pace_allows(&w->fault_pace, gate_loop_now(&w->loop), FAULT_LINES, &untold))
        return;
    snprintf(text, sizeof(text), "fault %s", gate_fault_name(x->fault));
    gate_log_write(w->log, GATE_LOG_WARN, text, v, GATE_COUNT_OF(v));
    if (untold > 0)
        gate_logf(w->log, GATE_LOG_WARN, "%u faults before that one, of which no line tells",
                  untold);
}

static GATE_COLD void count_tunnel(const struct gate_exchange *x)
{
    struct gate_counters *c = &x->worker->counters;

    gate_counters_add(c, GATE_C_TUNNELS_DONE, 1);
    gate_counters_add(c, GATE_C_TUNNEL_BYTES_IN, x->bytes_in);
    gate_counters_add(c, GATE_C_TUNNEL_BYTES_OUT, x->bytes_out);
}

void gate_flow_account(struct gate_exchange *x)
{
    if (GATE_UNLIKELY(gate_flow_is_tunnel(x)) && x->flow->relaying)
        count_tunnel(x);
    if (x->fault != GATE_FAULT_NONE)
        log_fault(x);
    if (x->times.end == 0)
        x->times.end = x->worker->loop.now_ns;
    note_latency(x);
    count_route(x, final_status(x));
    if (GATE_UNLIKELY(x->seat->tally != NULL))
        count_trial(x, final_status(x));
    gate_counters_add(&x->worker->counters, GATE_C_REQUESTS_DONE, 1);
    if (x->worker->access_log != NULL)
        write_line(x);
}

void gate_flow_refused(struct gate_worker *w, struct gate_access_record *r)
{
    gate_counters_bad(&w->counters, r->status);
    gate_worker_date(w);
    r->wall_s = w->date_s;
    if (w->access_log != NULL)
        gate_access_log_write(w->access_log, r);
}
