#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "run/builder.h"
#include "run/engine_int.h"
#include "run/reload.h"
#include "run/resolver.h"
#include "run/source.h"

/* A load, first or later: read the files, run them once, compile; run them once for each
 * further worker and compare; listen; resolve; publish. Whatever fails before the publishing
 * changes nothing. */

struct gate_reload {
    struct gate_engine *engine;
    bool first;
    struct gate_bundle *bundle;
    struct gate_builder *builder;       /* that runs */
    struct gate_loaded loaded;          /* of the first VM */
    struct gate_live *live;
    struct gate_load_errors errors;
    bool cannot_listen;
    struct gate_listen_point **fresh;   /* opened by this load */
    uint32_t n_fresh;
    struct gate_handle tickets[GATE_RELOAD_TICKETS];
    uint32_t n_tickets;
};

static void on_first_built(void *arg);
static void on_rest_built(void *arg);
static void on_resolved(void *arg);

static void reload_free(struct gate_reload **reload)
{
    struct gate_reload *r = *reload;

    *reload = NULL;
    gate_builder_free(&r->builder);
    gate_loaded_fini(&r->loaded);
    gate_live_free(&r->live);
    if (r->bundle != NULL)
        gate_bundle_free(&r->bundle);
    gate_load_errors_fini(&r->errors);
    gate_free(r->fresh);
    gate_free(r);
}

static void answer(struct gate_reload *r, int status, const char *text)
{
    struct gate_engine *e = r->engine;

    for (uint32_t i = 0; i < r->n_tickets; i++)
        gate_admin_answer(e->admin, r->tickets[i], status, "text/plain; charset=utf-8", text,
                          strlen(text));
}

/* The next one, when it was asked for meanwhile. */
static void finish(struct gate_engine *e)
{
    bool again = e->reload_again;

    reload_free(&e->reload);
    gate_memory_settle(e);
    e->reload_again = false;
    if (again)
        gate_reload_begin(e, NULL);
}

static void count(struct gate_engine *e, const char *error)
{
    e->reloads++;
    e->reloads_failed += error[0] != '\0';
    e->reload_s = gate_clock_wall_ns(&e->clock) / (int64_t)GATE_SEC;
    snprintf(e->reload_error, sizeof(e->reload_error), "%s", error);
}

/* The first load failed: the process says why and ends. */
static void fail_first(struct gate_reload *r, const char *text)
{
    struct gate_engine *e = r->engine;

    fprintf(stderr, "%s%s", r->cannot_listen ? "moongate: " : "", text);
    e->status = r->cannot_listen ? 2 : 1;
    reload_free(&e->reload);
    gate_control_quit(e);
}

static void fail(struct gate_reload *r)
{
    struct gate_engine *e = r->engine;
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    if (f == NULL)
        abort();
    gate_load_errors_text(&r->errors, f);
    fclose(f);
    for (uint32_t i = 0; i < r->n_fresh; i++)
        gate_broker_forget(e->broker, &r->fresh[i]);
    r->n_fresh = 0;
    if (r->first) {
        fail_first(r, text);
    } else {
        count(e, text);
        gate_logf(&e->log, GATE_LOG_ERROR, "reload refused, generation %llu goes on: %.*s",
                  (unsigned long long)e->current->g.number, (int)strcspn(text, "\n"), text);
        answer(r, 422, text);
        finish(e);
    }
    free(text);
}

static void fail_with(struct gate_reload *r, const char *message)
{
    gate_load_errors_add(&r->errors, GATE_STR_NONE, 0, message);
    fail(r);
}

static enum gate_err start_builder(struct gate_reload *r, uint32_t n, void (*done)(void *arg))
{
    struct gate_engine *e = r->engine;
    struct gate_builder_options o = {
        .tools = {
            .options = e->options,
            .bundle = r->bundle,
            .log = &e->log,
            .watchdog = e->watchdog,
            .shared = e->shared,
            .clock = &e->clock,
        },
        .reply = &e->mail,
        .done = done,
        .arg = r,
        .threads = e->processors,
        .compile = done == on_first_built,
    };

    return gate_builder_start(&o, n, &r->builder);
}

void gate_reload_begin(struct gate_engine *e, const struct gate_handle *ticket)
{
    struct gate_reload *r = e->reload;
    char why[256], text[400];

    if (e->draining) {
        if (ticket != NULL)
            gate_admin_answer(e->admin, *ticket, 503, "text/plain; charset=utf-8",
                              "the gateway is draining\n", 24);
        return;
    }
    if (r != NULL) {
        /* What it has read may be old: once more afterwards. Who waits is told of this one. */
        e->reload_again = true;
        if (ticket != NULL && r->n_tickets < GATE_RELOAD_TICKETS)
            r->tickets[r->n_tickets++] = *ticket;
        return;
    }
    r = e->reload = gate_calloc(1, sizeof(*r));
    r->engine = e;
    r->first = e->current == NULL;
    gate_load_errors_init(&r->errors);
    if (ticket != NULL)
        r->tickets[r->n_tickets++] = *ticket;
    if (gate_source_open(e->options, &r->bundle, why, sizeof(why)) != GATE_OK) {
        snprintf(text, sizeof(text), "%s: %s", e->name, why);
        fail_with(r, text);
    } else if (start_builder(r, 1, on_first_built) != GATE_OK) {
        fail_with(r, "no thread to load with");
    }
}

/* Takes over the errors of a build. */
static void copy_errors(struct gate_reload *r, const struct gate_build *b)
{
    for (uint32_t i = 0; i < b->errors.n; i++)
        gate_load_errors_copy(&r->errors, &b->errors.v[i]);
}

static void prepare(struct gate_reload *r)
{
    struct gate_engine *e = r->engine;
    struct gate_config *c = r->loaded.config;
    struct gate_bundle *bundle = r->bundle;

    if (c->limits.connections == 0)
        c->limits.connections = gate_reload_connections();
    r->bundle = NULL;
    r->live = gate_live_new(e, bundle, &r->loaded);
    r->live->session_limit = (c->limits.connections + e->n_workers - 1) / e->n_workers;
}

static void on_first_built(void *arg)
{
    struct gate_reload *r = arg;
    struct gate_engine *e = r->engine;
    struct gate_build *b = gate_builder_at(r->builder, 0);
    enum gate_err err = b->err;
    bool scripted;

    r->loaded = b->loaded;
    memset(&b->loaded, 0, sizeof(b->loaded));
    if (err != GATE_OK)
        copy_errors(r, b);
    gate_builder_free(&r->builder);
    if (err == GATE_OK && r->loaded.config->n_listeners == 0) {
        gate_load_errors_add(&r->errors, gate_bundle_main_name(r->bundle), 0,
                             "no address to listen on: gate.listen { \":8080\" } or --listen "
                             "says one");
        err = GATE_E_INVALID;
    }
    if (err != GATE_OK) {
        fail(r);
        return;
    }
    if (r->first)
        err = gate_engine_settle(e, r->loaded.config, &r->errors);
    if (err != GATE_OK) {
        r->cannot_listen = err == GATE_E_SYS || err == GATE_E_EXISTS;
        fail(r);
        return;
    }
    scripted = gate_config_scripted(r->loaded.config);
    if (scripted && e->n_workers > 1) {
        if (start_builder(r, e->n_workers - 1, on_rest_built) != GATE_OK)
            fail_with(r, "no thread to load with");
        return;
    }
    prepare(r);
    if (scripted)
        r->live->slots[0].seat.vm = r->loaded.vm;
    else
        gate_vm_free(&r->loaded.vm);
    r->loaded.vm = NULL;
    on_rest_built(r);
}

/* The same files, run again, must have declared the same: workers cannot disagree. */
static enum gate_err take_rest(struct gate_reload *r)
{
    struct gate_str first = gate_vm_config_text(r->loaded.vm);

    for (uint32_t i = 1; i < r->engine->n_workers; i++) {
        struct gate_build *b = gate_builder_at(r->builder, i - 1);

        if (b->err != GATE_OK) {
            copy_errors(r, b);
            return b->err;
        }
        if (!gate_str_eq(first, gate_vm_config_text(b->loaded.vm))) {
            gate_load_errors_add(&r->errors, gate_bundle_main_name(r->bundle), 0,
                                 "two runs of the file declared different things: declarations "
                                 "may not depend on time, chance or the order of pairs()");
            return GATE_E_INVALID;
        }
    }
    prepare(r);
    r->live->slots[0].seat.vm = r->loaded.vm;
    r->loaded.vm = NULL;
    for (uint32_t i = 1; i < r->engine->n_workers; i++) {
        struct gate_build *b = gate_builder_at(r->builder, i - 1);

        r->live->slots[i].seat.vm = b->loaded.vm;
        b->loaded.vm = NULL;
    }
    return GATE_OK;
}

/* Every address gets its sockets, or none does. */
static enum gate_err listen_all(struct gate_reload *r)
{
    struct gate_engine *e = r->engine;
    const struct gate_config *c = r->live->g.config;

    r->fresh = gate_calloc(c->n_listeners + 1, sizeof(*r->fresh));
    for (uint32_t i = 0; i < c->n_listeners; i++) {
        const struct gate_listener_config *l = &c->listeners[i];
        struct gate_listen_wish wish;
        char text[GATE_ADDR_TEXT + 256];

        memset(&wish, 0, sizeof(wish));
        wish.addr = l->addr;
        wish.mode = l->mode;
        wish.backlog = l->backlog;
        wish.sockets = l->addr.u.sa.sa_family == AF_UNIX
                           ? 1
                           : gate_listen_sockets(e->n_workers, e->processors);
        for (uint32_t k = 0; k < i; k++)
            wish.nth += gate_addr_eq(&c->listeners[k].addr, &l->addr);
        if (gate_listen_set_find(&e->broker->set, &wish) == NULL)
            r->fresh[r->n_fresh++] = NULL;
        if (gate_broker_listen(e->broker, &wish, &r->live->points[i]) != GATE_OK) {
            if (r->n_fresh > 0 && r->fresh[r->n_fresh - 1] == NULL)
                r->n_fresh--;
            gate_listen_explain(&l->addr, errno, text, sizeof(text));
            gate_load_errors_add(&r->errors, GATE_STR_NONE, 0, text);
            r->cannot_listen = true;
            return GATE_E_SYS;
        }
        if (r->n_fresh > 0 && r->fresh[r->n_fresh - 1] == NULL)
            r->fresh[r->n_fresh - 1] = r->live->points[i];
    }
    return GATE_OK;
}

static void on_rest_built(void *arg)
{
    struct gate_reload *r = arg;
    struct gate_engine *e = r->engine;
    enum gate_err err = GATE_OK;

    if (r->builder != NULL) {
        err = take_rest(r);
        gate_builder_free(&r->builder);
    }
    if (err == GATE_OK && !e->draining)
        err = listen_all(r);
    if (err == GATE_OK)
        err = gate_engine_logs(e, r->live->g.config, &r->errors);
    if (err != GATE_OK)
        fail(r);
    else
        gate_resolver_prepare(e->resolver, r->live->g.config, on_resolved, r);
}

static void on_resolved(void *arg)
{
    struct gate_reload *r = arg;
    struct gate_engine *e = r->engine;
    struct gate_live *live = r->live;

    if (e->draining) {
        fail_with(r, "the gateway is draining");
        return;
    }
    r->live = NULL;
    gate_live_apply(e, live->g.config);
    for (struct gate_list *n = e->broker->set.points.next; n != &e->broker->set.points;
         n = n->next)
        gate_container_of(n, struct gate_listen_point, node)->wanted = false;
    for (uint32_t i = 0; i < live->g.config->n_listeners; i++)
        live->points[i]->wanted = true;
    gate_live_publish(live);
}

void gate_reload_swapped(struct gate_engine *e)
{
    struct gate_reload *r = e->reload;
    char text[64];

    if (r->first) {
        gate_broker_ready(e->broker, e->current->g.config->process.drain_ms);
        gate_engine_announce(e);
    } else {
        count(e, "");
        gate_logf(&e->log, GATE_LOG_INFO, "generation %llu serves",
                  (unsigned long long)e->current->g.number);
    }
    snprintf(text, sizeof(text), "generation %llu serves\n",
             (unsigned long long)e->current->g.number);
    answer(r, 200, text);
    finish(e);
    gate_control_left(e);
}
