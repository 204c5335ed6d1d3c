/* Loads of a program: they run beside what serves, several at once, and leave generations that wait
 * for activation. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "run/builder.h"
#include "run/gateway_int.h"

/* Each has the VMs of all workers. */
#define MADE_MAX 8

void gate_made_free(struct gate_made **made)
{
    struct gate_made *m = *made;

    *made = NULL;
    if (m == NULL)
        return;
    gate_loaded_fini(&m->loaded);
    for (uint32_t i = 0; i < m->n_vms; i++) {
        if (m->vms[i] != NULL)
            gate_vm_free(&m->vms[i]);
    }
    gate_free(m->vms);
    gate_bundle_free(&m->bundle);
    gate_free(m);
}

static void copy_errors(struct gate_load_errors *to, const struct gate_build *b)
{
    for (uint32_t i = 0; i < b->errors.n; i++)
        gate_load_errors_copy(to, &b->errors.v[i]);
}

static struct gate_builder_options builder_options(struct gate_gateway *gw, struct gate_made *m)
{
    struct gate_engine *e = &gw->engine;

    return (struct gate_builder_options){
        .tools = {
            .options = &gw->options,
            .bundle = m->bundle,
            .log = &e->log,
            .watchdog = e->watchdog,
            .tickets = e->tickets,
            .shared = e->shared,
            .natives = gw->host.natives,
            .clock = &e->clock,
        },
        .threads = e->processors,
    };
}

static enum gate_err build_first(struct gate_gateway *gw, struct gate_made *m,
                                 struct gate_load_errors *errors)
{
    const struct gate_builder_options o = builder_options(gw, m);
    struct gate_builder *builder;
    struct gate_build *b;
    enum gate_err err = gate_builder_run(&o, 1, &builder);

    if (err != GATE_OK) {
        gate_load_errors_add(errors, GATE_STR_NONE, 0, "no thread to load with");
        return err;
    }
    b = gate_builder_at(builder, 0);
    err = b->err;
    m->loaded = b->loaded;
    memset(&b->loaded, 0, sizeof(b->loaded));
    copy_errors(errors, b);
    gate_builder_free(&builder);
    if (err == GATE_OK && !gate_loaded_listens(&m->loaded, m->bundle, errors))
        err = GATE_E_INVALID;
    return err;
}

static enum gate_err build_rest(struct gate_gateway *gw, struct gate_made *m, uint32_t n,
                                struct gate_load_errors *errors)
{
    struct gate_builder_options o = builder_options(gw, m);
    struct gate_builder *builder;
    enum gate_err err;

    o.like = &m->loaded;
    err = gate_builder_run(&o, n, &builder);
    if (err != GATE_OK) {
        gate_load_errors_add(errors, GATE_STR_NONE, 0, "no thread to load with");
        return err;
    }
    m->vms = gate_calloc(n, sizeof(struct gate_vm *));
    m->n_vms = n;
    for (uint32_t i = 0; i < n; i++) {
        struct gate_build *b = gate_builder_at(builder, i);

        m->vms[i] = b->loaded.vm;
        b->loaded.vm = NULL;
        if (err != GATE_OK || b->err == GATE_OK)
            continue;
        err = b->err;
        copy_errors(errors, b);
    }
    gate_builder_free(&builder);
    return err;
}

/* The first file that is loaded decides, where the program has not. */
static uint32_t count_workers(struct gate_gateway *gw, const struct gate_config *c)
{
    uint32_t n;

    pthread_mutex_lock(&gw->lock);
    n = gate_engine_workers(&gw->options, c);
    if (gw->options.workers == 0)
        gw->options.workers = n;
    pthread_mutex_unlock(&gw->lock);
    return n;
}

static enum gate_err make(struct gate_gateway *gw, const char *main, struct gate_made *m,
                          struct gate_load_errors *errors)
{
    char why[300];
    enum gate_err err = gate_gateway_bundle(gw, main, &m->bundle, why, sizeof(why));
    uint32_t n;

    if (err != GATE_OK) {
        gate_load_errors_add(errors, gate_str_from_cstr(main), 0, why);
        return err;
    }
    err = build_first(gw, m, errors);
    if (err != GATE_OK)
        return err;
    n = count_workers(gw, m->loaded.config);
    if (n == 1 || !gate_config_scripted(m->loaded.config))
        return GATE_OK;
    return build_rest(gw, m, n - 1, errors);
}

/* A place among those that wait, before the work. */
static int reserve(struct gate_gateway *gw, const char **why)
{
    int result = 0;

    if (gate_gateway_is_control(gw)) {
        *why = "a callback cannot wait for a load";
        return EDEADLK;
    }
    pthread_mutex_lock(&gw->lock);
    if (gw->over) {
        *why = "the gateway has ended";
        result = ESHUTDOWN;
    } else if (gw->drains) {
        *why = "the gateway is draining";
        result = ESHUTDOWN;
    } else if (gw->n_made == MADE_MAX) {
        *why = "8 loaded generations wait for activation: activate or discard some";
        result = ENOSPC;
    } else {
        gw->n_made++;
        gw->users++;
    }
    pthread_mutex_unlock(&gw->lock);
    return result;
}

static uint64_t keep(struct gate_gateway *gw, struct gate_made *m)
{
    uint64_t number;

    pthread_mutex_lock(&gw->lock);
    number = m->number = ++gw->last_number;
    gate_list_push(&gw->made, &m->node);
    pthread_mutex_unlock(&gw->lock);
    return number;
}

static void drop(struct gate_gateway *gw, struct gate_made *m)
{
    gate_made_free(&m);
    pthread_mutex_lock(&gw->lock);
    gw->n_made--;
    pthread_mutex_unlock(&gw->lock);
}

struct refusal {
    struct gate_gateway_order order;
    const struct gate_errors *errors;
};

static void run_refusal(struct gate_gateway_order *o)
{
    const struct gate_setup *setup = &o->gw->setup;

    if (setup->on_refused != NULL)
        setup->on_refused(setup->arg, 0, gate_container_of(o, struct refusal, order)->errors);
    gate_gateway_answer(o, 0);
}

int gate_load(struct gate_gateway *gw, const char *main, uint64_t *generation,
              struct gate_errors **errors)
{
    struct gate_load_errors found;
    struct refusal refusal;
    struct gate_errors *list;
    struct gate_made *m;
    const char *why;
    int result = reserve(gw, &why);

    if (result != 0) {
        gate_gateway_give_errors(gate_gateway_error(why), errors);
        return result;
    }
    m = gate_calloc(1, sizeof(*m));
    gate_list_init(&m->node);
    gate_load_errors_init(&found);
    if (make(gw, main, m, &found) == GATE_OK) {
        *generation = keep(gw, m);
        gate_gateway_unuse(gw);
        gate_load_errors_fini(&found);
        gate_gateway_give_errors(NULL, errors);
        return 0;
    }
    drop(gw, m);
    gate_gateway_unuse(gw);
    refusal.errors = list = gate_gateway_errors(&found);
    gate_load_errors_fini(&found);
    gate_gateway_ask(gw, &refusal.order, run_refusal);
    gate_gateway_give_errors(list, errors);
    return EINVAL;
}

struct gate_made *gate_gateway_take_made(struct gate_gateway *gw, uint64_t number)
{
    struct gate_made *found = NULL;

    pthread_mutex_lock(&gw->lock);
    for (struct gate_list *n = gw->made.next; n != &gw->made && found == NULL; n = n->next) {
        struct gate_made *m = gate_container_of(n, struct gate_made, node);

        if (m->number == number)
            found = m;
    }
    if (found != NULL) {
        gate_list_remove(&found->node);
        gw->n_made--;
    }
    pthread_mutex_unlock(&gw->lock);
    return found;
}

int gate_discard(struct gate_gateway *gw, uint64_t generation)
{
    struct gate_made *m;
    int result;

    if (!gate_gateway_use(gw))
        return ESHUTDOWN;
    m = gate_gateway_take_made(gw, generation);
    result = m == NULL ? ENOENT : 0;
    gate_made_free(&m);
    gate_gateway_unuse(gw);
    return result;
}

void gate_gateway_drop_made_locked(struct gate_gateway *gw)
{
    while (!gate_list_empty(&gw->made)) {
        struct gate_made *m = gate_container_of(gw->made.next, struct gate_made, node);

        gate_list_remove(&m->node);
        gate_made_free(&m);
    }
}
