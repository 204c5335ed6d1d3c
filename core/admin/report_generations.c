#include "admin/json.h"
#include "admin/report.h"
#include "admin/table.h"

static const char *state_of(const struct gate_report_generation *g)
{
    if (g->serves)
        return "serves";
    if (g->share != 0)
        return "canary";
    return g->ended ? "has to end" : "ends";
}

static void put_generation(const struct gate_report_generation *g, FILE *to)
{
    fprintf(to, "{\"number\":%llu,\"hash\":\"%016llx\",\"state\":\"%s\",\"age\":%.3f",
            (unsigned long long)g->number, (unsigned long long)g->hash, state_of(g),
            (double)g->age_ms / 1000);
    gate_json_number(to, "active", g->active);
    gate_json_number(to, "memory", g->memory);
    if (g->from != 0)
        gate_json_number(to, "from", g->from);
    if (g->share != 0)
        fprintf(to, ",\"share\":%.4f", g->share * 100.0 / GATE_CANARY_WHOLE);
    fputc('}', to);
}

static void put_json(const struct gate_report *r, FILE *to)
{
    fputs("{\"generations\":[", to);
    for (uint32_t i = 0; i < r->n_live; i++) {
        if (i > 0)
            fputc(',', to);
        put_generation(&r->live[i], to);
    }
    fputs("],\"kept\":[", to);
    for (uint32_t i = 0; i < r->n_kept; i++)
        fprintf(to, "%s{\"number\":%llu,\"hash\":\"%016llx\"}", i > 0 ? "," : "",
                (unsigned long long)r->kept[i].number, (unsigned long long)r->kept[i].hash);
    fputc(']', to);
    gate_json_number(to, "renewals", r->renewals);
    gate_report_canary_member(r, to);
    gate_report_last_reload(r, to);
    fputs("}\n", to);
}

static void put_age(struct gate_table *t, uint64_t ms)
{
    if (ms < 120 * 1000)
        gate_table_fmt(t, "%.1f s", (double)ms / 1000);
    else if (ms < 120 * 60 * 1000)
        gate_table_fmt(t, "%llu min", (unsigned long long)(ms / 60000));
    else
        gate_table_fmt(t, "%llu h", (unsigned long long)(ms / 3600000));
}

static void put_table(const struct gate_report *r, FILE *to)
{
    static const char *const titles[] = { "GENERATION", "STATE",  "HASH",
                                          "AGE",        "ACTIVE", "MEMORY" };
    struct gate_table t;

    gate_table_init(&t, titles, 6);
    for (uint32_t i = 0; i < r->n_live; i++) {
        const struct gate_report_generation *g = &r->live[i];

        if (g->from != 0)
            gate_table_fmt(&t, "%llu (as %llu)", (unsigned long long)g->number,
                           (unsigned long long)g->from);
        else
            gate_table_fmt(&t, "%llu", (unsigned long long)g->number);
        if (g->share != 0)
            gate_table_fmt(&t, "canary %g%%", g->share * 100.0 / GATE_CANARY_WHOLE);
        else
            gate_table_fmt(&t, "%s", state_of(g));
        gate_table_fmt(&t, "%016llx", (unsigned long long)g->hash);
        put_age(&t, g->age_ms);
        gate_table_fmt(&t, "%llu", (unsigned long long)g->active);
        gate_table_bytes(&t, g->memory);
    }
    gate_table_print(&t, to);
    gate_table_fini(&t);
}

void gate_report_generations(const struct gate_report *r, bool text, FILE *to)
{
    if (!text) {
        put_json(r, to);
        return;
    }
    put_table(r, to);
    /* The first is what serves. */
    fputs("\nrollback can bring back:", to);
    for (uint32_t i = 1; i < r->n_kept; i++)
        fprintf(to, " %llu", (unsigned long long)r->kept[i].number);
    fputs(r->n_kept > 1 ? "\n" : " none\n", to);
    if (r->renewals > 0)
        fprintf(to, "\nfresh VMs because one stayed full (vm_memory): %llu times\n",
                (unsigned long long)r->renewals);
    if (r->canary != NULL)
        fputc('\n', to);
    gate_report_canary_text(r, to);
    if (r->reload_error[0] != '\0')
        fprintf(to, "\nthe last reload was refused:\n%s", r->reload_error);
}
