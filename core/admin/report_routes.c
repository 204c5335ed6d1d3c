#include "admin/json.h"
#include "admin/report.h"
#include "admin/table.h"

/* One walk over the routes of a gateway. */
struct walk {
    struct gate_table table;
    const struct gate_config *config;
    const struct gate_route_totals *totals;
    const struct gate_report_hide *hide;
    FILE *to;
    uint32_t n;
};

#define TEXT_MAX 1024

/* Hidden before it is cut: half a secret is one, too. */
static struct gate_str hidden(const struct walk *w, struct gate_str s, char to[TEXT_MAX])
{
    struct gate_out o = gate_out_on(to, TEXT_MAX);

    w->hide->fn(w->hide->arg, s, &o);
    return gate_out_view(&o);
}

static struct gate_str methods_of(const struct gate_route_config *r, char *to, size_t cap)
{
    struct gate_out o = gate_out_on(to, cap);

    for (uint32_t i = 0; i < r->n_methods; i++) {
        if (i > 0)
            gate_out_char(&o, ',');
        gate_out_str(&o, r->methods[i]);
    }
    return r->n_methods == 0 ? GATE_STR("*") : gate_out_view(&o);
}

static struct gate_str action_of(const struct gate_config *c, const struct gate_route_config *r,
                                 char *to, size_t cap)
{
    struct gate_out o = gate_out_on(to, cap);

    switch (r->action) {
    case GATE_ACTION_UPSTREAM:
        GATE_OUT_LIT(&o, "upstream ");
        gate_out_str(&o, c->upstreams[r->upstream].name);
        break;
    case GATE_ACTION_REPLY:
        gate_out_fmt(&o, "reply %d", r->reply.status);
        break;
    case GATE_ACTION_HANDLER:
        GATE_OUT_LIT(&o, "handler");
        break;
    case GATE_ACTION_REDIRECT:
        gate_out_fmt(&o, "redirect %d ", r->redirect_status);
        gate_out_str(&o, r->redirect_to);
        break;
    default:
        GATE_OUT_LIT(&o, "-");
        break;
    }
    if (r->when)
        GATE_OUT_LIT(&o, " (depends on when)");
    return gate_out_view(&o);
}

static uint64_t answered(const struct gate_route_totals *totals, struct gate_str name,
                         int from_class)
{
    const struct gate_route_total *t = gate_route_totals_find(totals, name);
    uint64_t sum = 0;

    for (int c = from_class; t != NULL && c < 6; c++)
        sum += t->by_class[c];
    return sum;
}

static struct gate_str or_else(struct gate_str s, const char *empty)
{
    return s.n > 0 ? s : gate_str_from_cstr(empty);
}

static void put_cell(struct walk *w, struct gate_str s, const char *empty)
{
    char text[TEXT_MAX];

    gate_table_put(&w->table, or_else(hidden(w, s, text), empty));
}

static void add_row(void *arg, const struct gate_route_config *r)
{
    struct walk *w = arg;
    struct gate_table *t = &w->table;
    char text[512];

    put_cell(w, r->name, "-");
    put_cell(w, r->host, "*");
    put_cell(w, r->path, "*");
    put_cell(w, methods_of(r, text, sizeof(text)), "*");
    put_cell(w, action_of(w->config, r, text, sizeof(text)), "-");
    if (w->totals == NULL)
        return;
    gate_table_fmt(t, "%llu", (unsigned long long)answered(w->totals, r->name, 1));
    gate_table_fmt(t, "%llu", (unsigned long long)answered(w->totals, r->name, 5));
}

static void put_member(struct walk *w, const char *key, struct gate_str s)
{
    char text[TEXT_MAX];

    gate_json_member(w->to, key, hidden(w, s, text));
}

static void add_object(void *arg, const struct gate_route_config *r)
{
    struct walk *w = arg;
    char text[512];

    fputs(w->n++ == 0 ? "{\"priority\":" : ",{\"priority\":", w->to);
    fprintf(w->to, "%d", r->priority);
    put_member(w, "name", r->name);
    put_member(w, "host", r->host);
    put_member(w, "path", r->path);
    put_member(w, "methods", methods_of(r, text, sizeof(text)));
    put_member(w, "action", action_of(w->config, r, text, sizeof(text)));
    put_member(w, "at", r->at);
    if (w->totals != NULL) {
        gate_json_number(w->to, "requests", answered(w->totals, r->name, 1));
        gate_json_number(w->to, "errors", answered(w->totals, r->name, 5));
    }
    fputc('}', w->to);
}

void gate_report_routes(const struct gate_config *config, const struct gate_router *router,
                        const struct gate_route_totals *totals,
                        const struct gate_report_hide *hide, bool text, FILE *to)
{
    static const char *const titles[] = { "ROUTE",  "HOST",     "PATH", "METHODS",
                                          "ACTION", "REQUESTS", "5XX" };
    struct walk w = { .config = config, .totals = totals, .hide = hide, .to = to };

    if (!text) {
        fputs("{\"routes\":[", to);
        gate_router_each(router, add_object, &w);
        fputs("]}\n", to);
        return;
    }
    gate_table_init(&w.table, titles, totals == NULL ? 5 : 7);
    gate_router_each(router, add_row, &w);
    gate_table_print(&w.table, to);
    gate_table_fini(&w.table);
}
