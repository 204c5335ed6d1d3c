#include "run/builder.h"

#include <errno.h>
#include <pthread.h>

#include "base/mem.h"

struct gate_builder {
    struct gate_builder_options o;
    struct gate_mail mail;
    _Atomic uint32_t next;
    _Atomic uint32_t threads;   /* that still run */
    uint32_t n;
    struct gate_build v[];
};

static void on_done(struct gate_mail *m, void *receiver)
{
    struct gate_builder *b = gate_container_of(m, struct gate_builder, mail);

    (void)receiver;
    b->o.done(b->o.arg);
}

static void build_one(struct gate_builder *b, struct gate_build *v)
{
    if (b->o.compile)
        v->err = gate_load(&b->o.tools, &v->loaded, &v->errors);
    else
        v->err = gate_load_vm(&b->o.tools, &v->loaded.vm, &v->errors);
}

/* The last thread to end tells: afterwards nobody touches the builder. */
static void *builder_main(void *arg)
{
    struct gate_builder *b = arg;
    uint32_t i;

    while ((i = atomic_fetch_add(&b->next, 1)) < b->n)
        build_one(b, &b->v[i]);
    if (atomic_fetch_sub(&b->threads, 1) == 1)
        gate_mailbox_post(b->o.reply, &b->mail);
    return NULL;
}

static int start_threads(struct gate_builder *b, uint32_t wanted)
{
    pthread_attr_t attr;
    pthread_t thread;
    int e = 0;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    /* Counted before they run, so that the first cannot take itself for the last. */
    atomic_store(&b->threads, wanted);
    for (uint32_t i = 0; i < wanted && e == 0; i++) {
        e = pthread_create(&thread, &attr, builder_main, b);
        if (e != 0 && i > 0) {
            /* Those that run do all the work. */
            if (atomic_fetch_sub(&b->threads, wanted - i) == wanted - i)
                gate_mailbox_post(b->o.reply, &b->mail);
            e = 0;
            break;
        }
    }
    pthread_attr_destroy(&attr);
    return e;
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
    gate_free(b);
}
