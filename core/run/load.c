#include "run/load.h"

#include "admin/json.h"
#include "base/mem.h"
#include "script/watchdog.h"

#define MEMORY_FIRST (64ull * 1024 * 1024)
#define LOAD_MS 5000

void gate_load_errors_add(struct gate_load_errors *e, struct gate_str file, uint32_t line,
                          const char *message)
{
    const struct gate_load_error v = { .file = file, .line = line,
                                       .message = gate_str_from_cstr(message) };

    gate_load_errors_copy(e, &v);
}

void gate_load_errors_copy(struct gate_load_errors *e, const struct gate_load_error *from)
{
    struct gate_load_error *v = gate_arena_alloc(&e->arena, (e->n + 1) * sizeof(*v));

    if (e->n > 0)
        memcpy(v, e->v, e->n * sizeof(*v));
    v[e->n] = (struct gate_load_error){
        .file = gate_arena_copy(&e->arena, from->file),
        .line = from->line,
        .pointer = gate_arena_copy(&e->arena, from->pointer),
        .name = gate_arena_copy(&e->arena, from->name),
        .expected = gate_arena_copy(&e->arena, from->expected),
        .nearest = gate_arena_copy(&e->arena, from->nearest),
        .message = gate_arena_copy(&e->arena, from->message),
    };
    e->v = v;
    e->n++;
}

/* --listen replaces what the file declared. The addresses were checked with the options. */
static void replace_listeners(struct gate_config *c, const struct gate_options *o)
{
    struct gate_listener_config *v;

    if (o->n_listen == 0)
        return;
    v = gate_arena_zalloc(&c->arena, o->n_listen * sizeof(*v));
    for (uint32_t i = 0; i < o->n_listen; i++) {
        struct gate_str text = gate_str_from_cstr(o->listen[i]);

        if (i < c->n_listeners)
            v[i] = c->listeners[i];     /* trust and the like of the one it stands for */
        else
            v[i].mode = -1;
        v[i].text = gate_arena_copy(&c->arena, text);
        gate_config_listen_addr(text, &v[i].addr);
        v[i].at = GATE_STR("--listen");
    }
    c->listeners = v;
    c->n_listeners = o->n_listen;
}

/* What the command line, or a host, has decided. */
static void apply_options(struct gate_config *c, const struct gate_options *o)
{
    replace_listeners(c, o);
    if (o->no_stdout && gate_str_eq(c->process.access_log, GATE_STR("stdout")))
        c->process.access_log = GATE_STR_NONE;
}

static enum gate_err compile(const struct gate_load_tools *t, struct gate_loaded *l,
                             struct gate_load_errors *errors)
{
    struct gate_str file = gate_bundle_main_name(t->bundle);
    char why[512] = "";
    enum gate_err err = gate_config_parse(gate_vm_config_text(l->vm), &l->config, why, sizeof(why));

    if (err == GATE_OK) {
        apply_options(l->config, t->options);
        err = gate_router_build(l->config, &l->router);
    } else {
        gate_load_errors_add(errors, file, 0, why);
        return err;
    }
    if (err != GATE_OK) {
        gate_load_errors_add(errors, file, 0, "the routes cannot be compiled");
        return err;
    }
    return gate_load_tls(t, l, errors);
}

enum gate_err gate_load_vm(const struct gate_load_tools *t, struct gate_vm **out,
                           struct gate_load_errors *errors)
{
    struct gate_vm_options options = {
        .bundle = t->bundle,
        .log = t->log,
        .memory = MEMORY_FIRST,
        .load_time_ms = LOAD_MS,
        .check = t->check,
        .trust = t->options->trust,
        .watchdog = t->watchdog,
        .shared = t->shared,
        .natives = t->natives,
        .quarantine = t->quarantine,
        .clock = t->clock,
    };

    *out = NULL;
    return gate_vm_build(&options, out, errors);
}

enum gate_err gate_load_all(const struct gate_load_tools *t, struct gate_loaded *out,
                            struct gate_load_errors *errors)
{
    enum gate_err err;

    memset(out, 0, sizeof(*out));
    err = gate_load_vm(t, &out->vm, errors);
    if (err == GATE_OK)
        err = compile(t, out, errors);
    if (err != GATE_OK)
        gate_loaded_fini(out);
    return err;
}

void gate_loaded_fini(struct gate_loaded *l)
{
    gate_load_tls_free(&l->tls, &l->clients, l->config);
    if (l->router != NULL)
        gate_router_free(&l->router);
    if (l->config != NULL)
        gate_config_free(&l->config);
    if (l->vm != NULL)
        gate_vm_free(&l->vm);
}

bool gate_loaded_listens(const struct gate_loaded *l, const struct gate_bundle *bundle,
                         struct gate_load_errors *errors)
{
    if (l->config->n_listeners > 0)
        return true;
    gate_load_errors_add(errors, gate_bundle_main_name(bundle), 0,
                         "no address to listen on: gate.listen { \":8080\" } or --listen says one");
    return false;
}

bool gate_config_scripted(const struct gate_config *config)
{
    for (uint32_t i = 0; i < config->n_policies; i++) {
        if (config->policies[i].hooks != 0)
            return true;
    }
    for (uint32_t i = 0; i < config->n_routes; i++) {
        if (config->routes[i].when || config->routes[i].action == GATE_ACTION_HANDLER)
            return true;
    }
    for (uint32_t i = 0; i < config->n_upstreams; i++) {
        if (config->upstreams[i].balance == GATE_BALANCE_FUNCTION)
            return true;
    }
    return config->n_timers > 0;
}

void gate_load_errors_text(const struct gate_load_errors *e, FILE *to)
{
    for (uint32_t i = 0; i < e->n; i++) {
        const struct gate_load_error *v = &e->v[i];

        if (v->file.n > 0)
            fprintf(to, "%.*s%s%.*s:", (int)v->file.n, v->file.p, v->pointer.n > 0 ? " " : "",
                    (int)v->pointer.n, v->pointer.p == NULL ? "" : v->pointer.p);
        if (v->line > 0)
            fprintf(to, "%u:", v->line);
        fprintf(to, "%s%.*s\n", v->file.n > 0 || v->line > 0 ? " " : "", (int)v->message.n,
                v->message.p);
    }
}

static void put_field(FILE *to, const char *key, struct gate_str value)
{
    fprintf(to, ",\"%s\":", key);
    if (value.n == 0)
        fputs("null", to);
    else
        gate_json_string(to, value);
}

void gate_load_errors_json(const struct gate_load_errors *e, FILE *to)
{
    fputc('[', to);
    for (uint32_t i = 0; i < e->n; i++) {
        const struct gate_load_error *v = &e->v[i];

        fputs(i == 0 ? "{\"message\":" : ",{\"message\":", to);
        gate_json_string(to, v->message);
        put_field(to, "file", v->file);
        if (v->line > 0)
            fprintf(to, ",\"line\":%u", v->line);
        else
            fputs(",\"line\":null", to);
        put_field(to, "pointer", v->pointer);
        put_field(to, "name", v->name);
        put_field(to, "expected", v->expected);
        put_field(to, "nearest", v->nearest);
        fputc('}', to);
    }
    fputc(']', to);
}
