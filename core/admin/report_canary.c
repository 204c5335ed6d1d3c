#include "admin/json.h"
#include "admin/report.h"
#include "admin/table.h"

static double percent(uint64_t n, uint64_t of)
{
    return of == 0 ? 0 : 100.0 * (double)n / (double)of;
}

/* JSON */

static void put_figures(const char *key, uint64_t number, const struct gate_canary_figures *f,
                        FILE *to)
{
    fprintf(to, ",\"%s\":{\"generation\":%llu", key, (unsigned long long)number);
    gate_json_number(to, "requests", f->requests);
    gate_json_number(to, "errors", f->errors);
    gate_json_number(to, "faults", f->faults);
    gate_json_number(to, "kills", f->kills);
    fprintf(to, ",\"p99\":%.6f}", (double)f->p99_us / 1e6);
}

static void put_object(const struct gate_report_canary *c, FILE *to)
{
    fprintf(to, "{\"generation\":%llu,\"state\":\"%s\",\"over\":%s,\"share\":%.4f",
            (unsigned long long)c->number, c->state, c->over ? "true" : "false",
            c->share * 100.0 / GATE_CANARY_WHOLE);
    fprintf(to, ",\"for\":%.3f,\"ran\":%.3f", (double)c->for_ms / 1000, (double)c->ran_ms / 1000);
    gate_json_member(to, "abort_if", gate_str_from_cstr(c->conditions));
    if (c->over)
        gate_json_member(to, "why", gate_str_from_cstr(c->why));
    put_figures("canary", c->number, c->canary, to);
    put_figures("current", c->against, c->current, to);
    fputc('}', to);
}

void gate_report_canary_member(const struct gate_report *r, FILE *to)
{
    if (r->canary == NULL)
        return;
    fputs(",\"canary\":", to);
    put_object(r->canary, to);
}

/* Text */

static void put_row(struct gate_table *t, uint64_t number, const struct gate_canary_figures *f)
{
    const uint64_t counts[] = { f->errors, f->faults, f->kills };

    gate_table_fmt(t, "%llu", (unsigned long long)number);
    gate_table_fmt(t, "%llu", (unsigned long long)f->requests);
    for (int i = 0; i < 3; i++)
        gate_table_fmt(t, "%llu (%.2f%%)", (unsigned long long)counts[i],
                       percent(counts[i], f->requests));
    gate_table_fmt(t, "%.2f ms", (double)f->p99_us / 1000);
}

void gate_report_canary_text(const struct gate_report *r, FILE *to)
{
    static const char *const titles[] = { "GENERATION", "REQUESTS", "ERRORS",
                                          "FAULTS",     "KILLS",    "P99" };
    const struct gate_report_canary *c = r->canary;
    struct gate_table t;

    if (c == NULL)
        return;
    fprintf(to, "canary: generation %llu with %g%% of new requests, beside generation %llu: ",
            (unsigned long long)c->number, c->share * 100.0 / GATE_CANARY_WHOLE,
            (unsigned long long)c->against);
    fprintf(to, "%s", c->state);
    if (c->over)
        fprintf(to, " after %.1f s: %s\n", (double)c->ran_ms / 1000, c->why);
    else
        fprintf(to, ", %.1f s of %.1f s; withdrawn if %s\n", (double)c->ran_ms / 1000,
                (double)c->for_ms / 1000, c->conditions);
    gate_table_init(&t, titles, 6);
    put_row(&t, c->number, c->canary);
    put_row(&t, c->against, c->current);
    gate_table_print(&t, to);
    gate_table_fini(&t);
    if (!c->over && c->canary->requests < c->needed)
        fprintf(to, "judged once generation %llu has had %llu requests\n",
                (unsigned long long)c->number, (unsigned long long)c->needed);
}

void gate_report_canary(const struct gate_report *r, bool text, FILE *to)
{
    if (text && r->canary == NULL) {
        fputs("there has been no canary\n", to);
    } else if (text) {
        gate_report_canary_text(r, to);
    } else {
        fputs("{\"canary\":", to);
        if (r->canary != NULL)
            put_object(r->canary, to);
        else
            fputs("null", to);
        fputs("}\n", to);
    }
}

/* Metrics */

static void put_head(FILE *to, const char *name, const char *type, const char *help)
{
    fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* What is told of both generations. */
static const struct {
    const char *name;
    const char *help;
} metrics[] = {
    { "moongate_canary_requests", "Requests that ended while the last canary ran, by generation." },
    { "moongate_canary_errors", "Of these, answered 5xx or broken off by our side." },
    { "moongate_canary_faults", "Errors that scripts raised meanwhile." },
    { "moongate_canary_kills", "Scripts that were stopped meanwhile." },
    { "moongate_canary_p99_seconds", "99 % of these requests took no longer." },
};

static void put_value(FILE *to, int metric, const char *side, const struct gate_canary_figures *f)
{
    const uint64_t counts[] = { f->requests, f->errors, f->faults, f->kills };

    fprintf(to, "%s{side=\"%s\"} ", metrics[metric].name, side);
    if (metric == 4)
        fprintf(to, "%.6f\n", (double)f->p99_us / 1e6);
    else
        fprintf(to, "%llu\n", (unsigned long long)counts[metric]);
}

void gate_report_canary_metrics(const struct gate_report *r, FILE *to)
{
    const struct gate_report_canary *c = r->canary;

    put_head(to, "moongate_canaries_total", "counter", "Canaries that have ended, by verdict.");
    fprintf(to, "moongate_canaries_total{verdict=\"promoted\"} %llu\n",
            (unsigned long long)(c == NULL ? 0 : c->promoted));
    fprintf(to, "moongate_canaries_total{verdict=\"withdrawn\"} %llu\n",
            (unsigned long long)(c == NULL ? 0 : c->withdrawn));
    put_head(to, "moongate_canary_share", "gauge",
             "Part of new requests that a canary gets; 0: none runs.");
    fprintf(to, "moongate_canary_share %g\n",
            c == NULL || c->over ? 0 : (double)c->share / GATE_CANARY_WHOLE);
    for (int i = 0; i < 5 && c != NULL; i++) {
        put_head(to, metrics[i].name, "gauge", metrics[i].help);
        put_value(to, i, "canary", c->canary);
        put_value(to, i, "current", c->current);
    }
}
