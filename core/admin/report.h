/* Report: the numbers of a running engine, as control has gathered them, and the forms in which an
 * operator reads them: JSON, tables, and the text of Prometheus (/metrics). No state. */
#ifndef GATE_ADMIN_REPORT_H
#define GATE_ADMIN_REPORT_H

#include <stdio.h>

#include "admin/hook_totals.h"
#include "admin/route_totals.h"
#include "exchange/canary.h"
#include "exchange/worker.h"
#include "shared/shared.h"
#include "tls/server.h"

struct gate_report_worker {
    const struct gate_worker *worker;   /* only its counters are read */
    bool alive;                         /* answered within the last seconds */
    uint64_t vm_bytes;                  /* of its present VM; 0: none */
    uint64_t vm_limit;                  /* vm_memory */
    uint64_t cpu_ns;                    /* of its thread */
    uint64_t stall_ns;                  /* the longest that a reload kept it from its clients */
};

struct gate_report_generation {
    uint64_t number;
    uint64_t from;                      /* the one that it brought back; 0: read anew */
    uint64_t hash;
    uint64_t age_ms;
    uint64_t active;                    /* requests under way on it */
    uint64_t memory;
    bool serves;
    uint32_t share;                     /* it is a canary that gets so much; 0: it is none */
    bool ended;                         /* it has to end: there were too many */
};

/* The last canary: the generation that was tried, and the one beside it. */
struct gate_report_canary {
    uint64_t number;
    uint64_t against;
    const char *state;                  /* "runs", "promoted" and the like */
    const char *why;                    /* it ended; "" */
    const char *conditions;
    bool over;
    uint32_t share;                     /* of GATE_CANARY_WHOLE */
    uint64_t for_ms;
    uint64_t ran_ms;
    uint64_t needed;                    /* requests, for a verdict */
    const struct gate_canary_figures *canary;
    const struct gate_canary_figures *current;
    uint64_t promoted;                  /* canaries, since the start */
    uint64_t withdrawn;
};

/* A bundle that may come back. */
struct gate_report_kept {
    uint64_t number;
    uint64_t hash;
};

/* What counters said at an earlier time: /top tells what has happened since. */
struct gate_report_before {
    uint64_t ns;                        /* how long ago */
    const uint64_t *cpu_ns;             /* by worker */
    const uint64_t *requests;
    const struct gate_hook_totals *hooks;
};

struct gate_report {
    const char *version;
    struct gate_tls_server *const *tls; /* by listener of the generation; NULL: none has TLS */
    const struct gate_generation *generation;   /* NULL: nothing is loaded yet */
    uint32_t generations;               /* live ones, old ones that still have requests included */
    uint64_t uptime_ms;
    uint64_t now_ms;                    /* monotonic, for marks of peers */
    bool draining;
    const struct gate_report_worker *workers;
    uint32_t n_workers;
    const struct gate_addr *listening;  /* bound addresses */
    uint32_t n_listening;
    struct gate_registry *registry;
    const struct gate_route_totals *routes;
    const struct gate_shared_numbers *dicts;
    uint32_t n_dicts;
    uint64_t lines_dropped;             /* log lines, by the writers */
    uint64_t reloads;                   /* since the start, the first load not counted */
    uint64_t reloads_failed;
    int64_t reload_s;                   /* wall clock of the last; 0: none */
    const char *reload_error;           /* of the last, "" when it went well */
    uint64_t renewals;                  /* of VMs that stayed full */
    const struct gate_report_generation *live;  /* all, the newest first */
    uint32_t n_live;
    const struct gate_report_kept *kept;
    uint32_t n_kept;
    const struct gate_hook_totals *hooks;
    const struct gate_report_canary *canary;    /* NULL: there was none */
    struct gate_report_before before;
};

void gate_report_status(const struct gate_report *r, FILE *to);
void gate_report_metrics(const struct gate_report *r, FILE *to);

/* As JSON, or as a table for people. */
void gate_report_generations(const struct gate_report *r, bool text, FILE *to);
void gate_report_canary(const struct gate_report *r, bool text, FILE *to);
void gate_report_upstreams(const struct gate_report *r, bool text, FILE *to);
void gate_report_top(const struct gate_report *r, bool text, FILE *to);

/* Replaces what is secret in a text. */
struct gate_report_hide {
    void (*fn)(const void *arg, struct gate_str text, struct gate_out *to);
    const void *arg;
};

/* The routes in the order in which they win; `totals` (may be NULL): what each has answered. */
void gate_report_routes(const struct gate_config *config, const struct gate_router *router,
                        const struct gate_route_totals *totals,
                        const struct gate_report_hide *hide, bool text, FILE *to);

/* `"canary":{…}` as a further member; as a paragraph of text. Nothing, when there was none. */
void gate_report_canary_member(const struct gate_report *r, FILE *to);
void gate_report_canary_text(const struct gate_report *r, FILE *to);

/* Its metrics. */
void gate_report_canary_metrics(const struct gate_report *r, FILE *to);

/* `"last_reload":{…}` as a further member, when there was one. */
void gate_report_last_reload(const struct gate_report *r, FILE *to);

/* "up", "left out" after failures, or "down", which is declared. */
const char *gate_report_peer_state(const struct gate_report *r, const struct gate_peer_entry *e);

/* The list of upstreams with their peers, as JSON. */
void gate_report_peers(const struct gate_report *r, FILE *to);

/* Sum over the workers. */
uint64_t gate_report_counter(const struct gate_report *r, enum gate_counter which);

/* The same of what has begun and not ended. */
uint64_t gate_report_open(const struct gate_report *r, enum gate_counter begun,
                          enum gate_counter ended);

#endif
