/* Report: the numbers of a running engine, as control has gathered them, and the two forms in
 * which an operator reads them: /status (JSON) and /metrics (Prometheus text). No state. */
#ifndef GATE_ADMIN_REPORT_H
#define GATE_ADMIN_REPORT_H

#include <stdio.h>

#include "admin/route_totals.h"
#include "exchange/worker.h"
#include "shared/shared.h"

struct gate_report_worker {
    const struct gate_worker *worker;   /* only its counters are read */
    bool alive;                         /* answered within the last seconds */
    uint64_t vm_bytes;                  /* of its present VM; 0: none */
};

struct gate_report {
    const char *version;
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
};

void gate_report_status(const struct gate_report *r, FILE *to);
void gate_report_metrics(const struct gate_report *r, FILE *to);

/* Sum over the workers. */
uint64_t gate_report_counter(const struct gate_report *r, enum gate_counter which);

#endif
