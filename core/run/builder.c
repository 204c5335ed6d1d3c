#include "run/builder.h"

#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"

/* Who builds stands back behind those who serve. */
#define BUILDER_NICE 10

struct gate_builder {
    struct gate_builder_options o;
    struct gate_mail mail;
    _Atomic uint32_t next;
    _Atomic uint32_t running;   /* threads */
    pthread_t *threads;
    uint32_t n_threads;
    uint32_t n;
    struct gate_build v[];
};

/* What a library keeps for a thread goes with it. */
static void join(struct gate_builder *b)
{
    for (uint32_t i = 0; i < b->n_threads; i++)
        pthread_join(b->threads[i], NULL);
}

static void on_done(struct gate_mail *m, void *receiver)
{
    struct gate_builder *b = gate_container_of(m, struct gate_builder, mail);

    (void)receiver;
    /* They are at their end. */
    join(b);
    b->o.done(b->o.arg);
}

/* The same files, run again, must have declared the same: workers cannot disagree. */
static enum gate_err compare(const struct gate_builder *b, struct gate_build *v)
{
    if (gate_str_eq(gate_vm_config_text(b->o.like->vm), gate_vm_config_text(v->loaded.vm)))
        return GATE_OK;
    gate_load_errors_add(&v->errors, gate_bundle_main_name(b->o.tools.bundle), 0,
                         "two runs of the file declared different things: declarations may not "
                         "depend on time, chance or the order of pairs()");
    return GATE_E_INVALID;
}

/* What can be made here need not be made on the worker, whose clients would wait. */
static void build_one(struct gate_builder *b, struct gate_build *v)
{
    const struct gate_builder_options *o = &b->o;
    const struct gate_config *config;

    if (o->like == NULL) {
        v->err = gate_load_all(&o->tools, &v->loaded, &v->errors);
    } else {
        struct gate_load_tools tools = o->tools;

        tools.quarantine = gate_vm_quarantine(o->like->vm);
        v->err = gate_load_vm(&tools, &v->loaded.vm, &v->errors);
        if (v->err == GATE_OK)
            v->err = compare(b, v);
    }
    config = o->like != NULL ? o->like->config : v->loaded.config;
    if (v->err == GATE_OK && gate_config_scripted(config))
        gate_vm_prepare(v->loaded.vm, config);
}

/* The last thread to end tells: afterwards nobody touches the builder. */
static void leave(struct gate_builder *b, uint32_t threads)
{
    if (atomic_fetch_sub(&b->running, threads) == threads && b->o.reply != NULL)
        gate_mailbox_post(b->o.reply, &b->mail);
}

static void *builder_main(void *arg)
{
    struct gate_builder *b = arg;
    uint32_t i;

    /* On Linux a thread has a priority of its own. */
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), BUILDER_NICE);
    while ((i = atomic_fetch_add(&b->next, 1)) < b->n)
        build_one(b, &b->v[i]);
    leave(b, 1);
    return NULL;
}

static int start_threads(struct gate_builder *b, uint32_t wanted)
{
    int e = 0;

    b->threads = gate_calloc(wanted + 1, sizeof(*b->threads));
    /* Counted before they run, so that the first cannot take itself for the last. */
    atomic_store(&b->running, wanted);
    while (b->n_threads < wanted && e == 0) {
        e = gate_thread_start(&b->threads[b->n_threads], "gate-builder", builder_main, b);
        b->n_threads += e == 0;
    }
    if (e == 0 || b->n_threads == 0)
        return e;
    /* Those that run do all the work. */
    leave(b, wanted - b->n_threads);
    return 0;
}

enum gate_err gate_builder_start(const struct gate_builder_options *o, uint32_t n,
                                 struct gate_builder **out)
{
    struct gate_builder *b = gate_calloc(1, sizeof(*b) + n * sizeof(b->v[0]));
    int e;

    b->o = *o;
    b->n = n;
    b->mail.deliver = on_done;
    for (uint32_t i = 0; i < n; i++)
        gate_load_errors_init(&b->v[i].errors);
    *out = b;
    e = start_threads(b, n < o->threads ? n : o->threads);
    if (e == 0)
        return GATE_OK;
    gate_builder_free(out);
    errno = e;
    return GATE_E_SYS;
}

enum gate_err gate_builder_run(const struct gate_builder_options *o, uint32_t n,
                               struct gate_builder **out)
{
    enum gate_err err = gate_builder_start(o, n, out);

    if (err == GATE_OK)
        join(*out);
    return err;
}

struct gate_build *gate_builder_at(struct gate_builder *b, uint32_t i)
{
    return &b->v[i];
}

void gate_builder_free(struct gate_builder **builder)
{
    struct gate_builder *b = *builder;

    *builder = NULL;
    if (b == NULL)
        return;
    for (uint32_t i = 0; i < b->n; i++) {
        gate_loaded_fini(&b->v[i].loaded);
        gate_load_errors_fini(&b->v[i].errors);
    }
    gate_free(b->threads);
    gate_free(b);
}
