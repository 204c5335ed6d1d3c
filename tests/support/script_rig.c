/* See script_rig.h. */
#include "support/script_rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

#define PATIENCE_NS (30 * GATE_SEC)

static void on_line(struct gate_log_sink *sink, const char *line, size_t n)
{
    struct script_rig *r = gate_container_of(sink, struct script_rig, sink);

    r->lines = realloc(r->lines, r->lines_n + n + 1);
    memcpy(r->lines + r->lines_n, line, n);
    r->lines_n += n;
    r->lines[r->lines_n] = '\0';
}

void script_rig_begin(struct script_rig *r, const char *lua)
{
    memset(r, 0, sizeof(*r));
    gate_clock_init(&r->clock);
    r->sink.write = on_line;
    gate_log_init(&r->log, &r->sink, GATE_LOG_DEBUG, false);
    script_rig_clear_log(r);
    GATE_ASSERT(gate_watchdog_open(&r->dog, GATE_WATCHDOG_SIGNAL, NULL, NULL) == GATE_OK);
    GATE_ASSERT(gate_loop_open(&r->worker.loop, &r->clock, &r->log) == GATE_OK);
    gate_mailbox_open(&r->worker.mail, &r->worker.loop, NULL);
    r->worker.log = &r->log;
    r->worker.watchdog = r->dog;
    gate_handle_table_init(&r->worker.exchanges);
    gate_slab_init(&r->worker.exchange_slab, "exchange", sizeof(struct gate_exchange));
    gate_list_init(&r->worker.live);
    r->worker.seat = &r->seat;
    r->seat.generation = &r->generation;
    r->seat.refs = 1;
    r->bundle = gate_bundle_from_memory("gateway.lua", gate_str_from_cstr(lua));
    gate_load_errors_init(&r->errors);
}

void script_rig_attach(struct script_rig *r)
{
    char why[256] = "";
    struct gate_str text = gate_vm_config_text(r->seat.vm);

    if (gate_config_parse(text, &r->generation.config, why, sizeof(why)) != GATE_OK)
        fprintf(stderr, "%s\n%.*s\n", why, (int)text.n, text.p);
    GATE_ASSERT(r->generation.config != NULL);
    gate_vm_attach(r->seat.vm, &r->worker, r->generation.config);
}

enum gate_err script_rig_load(struct script_rig *r)
{
    struct gate_vm_options o = {
        .bundle = r->bundle, .log = &r->log, .load_time_ms = 5000, .watchdog = r->dog,
        .shared = r->shared, .clock = &r->clock};
    enum gate_err err = gate_vm_build(&o, &r->seat.vm, &r->errors);

    if (err == GATE_OK)
        script_rig_attach(r);
    return err;
}

void script_rig_open(struct script_rig *r, const char *lua)
{
    script_rig_begin(r, lua);
    if (script_rig_load(r) == GATE_OK)
        return;
    for (uint32_t i = 0; i < r->errors.n; i++)
        fprintf(stderr, "%.*s:%u: %.*s\n", (int)r->errors.v[i].file.n, r->errors.v[i].file.p,
                r->errors.v[i].line, (int)r->errors.v[i].message.n, r->errors.v[i].message.p);
    GATE_ASSERT(!"the gateway file loads");
}

void script_rig_close(struct script_rig *r)
{
    GATE_ASSERT(gate_list_empty(&r->worker.live));
    if (r->seat.vm != NULL)
        gate_vm_detach(r->seat.vm);
    gate_vm_free(&r->seat.vm);
    gate_config_free(&r->generation.config);
    gate_bundle_free(&r->bundle);
    gate_load_errors_fini(&r->errors);
    gate_slab_fini(&r->worker.exchange_slab);
    gate_handle_table_fini(&r->worker.exchanges);
    gate_mailbox_close(&r->worker.mail);
    gate_loop_close(&r->worker.loop);
    gate_watchdog_close(&r->dog);
    free(r->lines);
}

static void add_field(struct gate_exchange *x, const char *name, const char *value)
{
    struct gate_fields *fs = &x->req.head.fields;

    fs->v[fs->n++] = (struct gate_field){
        .name = name,
        .value = value,
        .name_len = (uint16_t)strlen(name),
        .id = (uint16_t)gate_field_id_of(name, strlen(name)),
        .value_len = (uint32_t)strlen(value),
    };
    fs->known |= GATE_F_BIT(fs->v[fs->n - 1].id);
}

struct gate_exchange *script_rig_exchange(struct script_rig *r)
{
    struct gate_exchange *x = gate_exchange_new(&r->worker);
    struct gate_request *q = &x->req;

    q->head.fields.v = gate_arena_alloc(&x->arena, 16 * sizeof(struct gate_field));
    q->head.fields.cap = 16;
    add_field(x, "Host", "shop.example:8080");
    add_field(x, "X-User", "alice");
    add_field(x, "x-key", "k1");
    add_field(x, "Accept", "text/html");
    add_field(x, "Accept", "*/*");
    add_field(x, "Cookie", "a=1; b=\"two\"; all=x");
    q->head.target = GATE_STR("/a/b?x=1&y=2&x=3");
    q->head.minor = 1;
    q->head.port = 8080;
    q->headers.original = &q->head.fields;
    q->headers.arena = &x->arena;
    q->method = GATE_STR("GET");
    q->method_id = GATE_M_GET;
    q->scheme = GATE_STR("http");
    q->host = GATE_STR("shop.example");
    q->path = q->path_text = GATE_STR("/a/b");
    q->query = GATE_STR("x=1&y=2&x=3");
    q->has_query = true;
    x->peer_ip = GATE_STR("127.0.0.1");
    x->client.ip = GATE_STR("192.0.2.7");
    x->client_port = 5000;
    gate_pump_init(&x->up, &r->worker.loop, NULL, NULL);
    gate_pump_init(&x->dn, &r->worker.loop, NULL, NULL);
    if (r->generation.config != NULL && r->generation.config->n_routes > 0) {
        x->match.route = &r->generation.config->routes[0];
        x->route_name = x->match.route->name;
    }
    return x;
}

void script_rig_end(struct gate_exchange **x)
{
    gate_hook_forget(*x);
    gate_exchange_free(x);
}

static struct script_rig *rig_of(struct gate_exchange *x)
{
    return gate_container_of(x->worker, struct script_rig, worker);
}

static void on_done(void *exchange, const struct gate_hook_verdict *v)
{
    struct script_rig *r = rig_of(exchange);

    r->done = true;
    r->verdict = *v;
}

enum gate_vm_result script_rig_start(struct script_rig *r, struct gate_exchange *x,
                                     enum gate_hook hook)
{
    enum gate_vm_result result;

    r->done = false;
    result = gate_hook_call(x, hook, GATE_SCOPE_ALL, on_done, &r->verdict);
    r->done = result != GATE_VM_YIELD;
    return result;
}

void script_rig_wait(struct script_rig *r)
{
    uint64_t end = gate_clock_now_ns(&r->clock) + PATIENCE_NS;

    while (!r->done) {
        GATE_ASSERT(gate_clock_now_ns(&r->clock) < end);
        gate_loop_turn(&r->worker.loop, true);
    }
}

enum gate_verdict_kind script_rig_call(struct script_rig *r, struct gate_exchange *x,
                                       enum gate_hook hook)
{
    if (script_rig_start(r, x, hook) == GATE_VM_YIELD)
        script_rig_wait(r);
    return r->verdict.kind;
}

enum gate_verdict_kind script_rig_handler(struct script_rig *r, struct gate_exchange *x)
{
    r->done = gate_hook_handler(x, on_done, &r->verdict) != GATE_VM_YIELD;
    script_rig_wait(r);
    return r->verdict.kind;
}

bool script_rig_logged(const struct script_rig *r, const char *text)
{
    if (strstr(r->lines, text) != NULL)
        return true;
    fprintf(stderr, "not in the log: %s\n%s", text, r->lines);
    return false;
}

void script_rig_clear_log(struct script_rig *r)
{
    r->lines_n = 0;
    r->lines = realloc(r->lines, 1);
    r->lines[0] = '\0';
}
