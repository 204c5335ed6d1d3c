#include "admin/report.h"
#include "admin/table.h"

#define COLUMNS 8

struct walk {
    struct gate_table table;
    const struct gate_report *report;
};

const char *gate_report_peer_state(const struct gate_report *r, const struct gate_peer_entry *e)
{
    if (e->down)
        return "down";
    return gate_peer_is_down(e->peer, r->now_ms) ? "left out" : "up";
}

/* None of its names has been resolved. */
static void put_nobody(struct gate_table *t, struct gate_str upstream)
{
    gate_table_put(t, upstream);
    gate_table_fmt(t, "none");
    gate_table_fmt(t, "no address");
    for (int i = 3; i < COLUMNS; i++)
        gate_table_fmt(t, "-");
}

static void put_peers(void *arg, struct gate_str upstream, const struct gate_peer_set *set)
{
    struct walk *w = arg;
    struct gate_table *t = &w->table;

    if (set->n == 0)
        put_nobody(t, upstream);
    for (uint32_t i = 0; i < set->n; i++) {
        struct gate_peer *p = set->v[i].peer;

        gate_table_put(t, upstream);
        gate_table_put(t, gate_str_from_cstr(p->text));
        gate_table_fmt(t, "%s", gate_report_peer_state(w->report, &set->v[i]));
        gate_table_fmt(t, "%llu", (unsigned long long)gate_peer_active(p));
        gate_table_fmt(t, "%llu", (unsigned long long)gate_peer_connections(p));
        gate_table_fmt(t, "%llu", (unsigned long long)gate_peer_streams(p));
        gate_table_fmt(t, "%llu", (unsigned long long)gate_peer_requests(p));
        gate_table_fmt(t, "%llu", (unsigned long long)atomic_load(&p->failures));
    }
}

void gate_report_upstreams(const struct gate_report *r, bool text, FILE *to)
{
    static const char *const titles[] = { "UPSTREAM",    "ADDRESS", "STATE",    "ACTIVE",
                                          "CONNECTIONS", "STREAMS", "REQUESTS", "FAILURES" };
    struct walk w = { .report = r };

    if (!text) {
        fputs("{\"upstreams\":", to);
        gate_report_peers(r, to);
        fputs("}\n", to);
        return;
    }
    gate_table_init(&w.table, titles, COLUMNS);
    gate_registry_each(r->registry, put_peers, &w);
    gate_table_print(&w.table, to);
    gate_table_fini(&w.table);
}
