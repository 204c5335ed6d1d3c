#include "net/offload.h"

#include <pthread.h>
#include <stdbool.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/thread.h"

#define MAX_THREADS 64

struct gate_offload {
    pthread_mutex_t lock;       /* guards first, last and closing */
    pthread_cond_t more;
    struct gate_work *first;
    struct gate_work *last;
    bool closing;
    int count;
    pthread_t threads[MAX_THREADS];
};

static void on_reply(struct gate_mail *m, void *receiver)
{
    struct gate_work *w = gate_container_of(m, struct gate_work, mail);

    w->done(w, receiver);
}

/* The next work; NULL when the pool closes and nothing is left. */
static struct gate_work *take(struct gate_offload *pool)
{
    struct gate_work *w;

    pthread_mutex_lock(&pool->lock);
    while (pool->first == NULL && !pool->closing)
        pthread_cond_wait(&pool->more, &pool->lock);
    w = pool->first;
    if (w != NULL)
        pool->first = w->next;
    pthread_mutex_unlock(&pool->lock);
    return w;
}

static void *thread_main(void *arg)
{
    struct gate_offload *pool = arg;
    struct gate_work *w;

    while ((w = take(pool)) != NULL) {
        w->run(w);
        gate_mailbox_post(w->reply, &w->mail);
    }
    return NULL;
}

enum gate_err gate_offload_open(struct gate_offload **out, int threads)
{
    struct gate_offload *pool = gate_calloc(1, sizeof(*pool));

    GATE_ASSERT(threads > 0 && threads <= MAX_THREADS);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->more, NULL);
    while (pool->count < threads &&
           gate_thread_start(&pool->threads[pool->count], "gate-offload", thread_main, pool) == 0)
        pool->count++;
    if (pool->count == 0) {
        gate_offload_close(&pool);
        return GATE_E_SYS;
    }
    *out = pool;
    return GATE_OK;
}

void gate_offload_close(struct gate_offload **poolp)
{
    struct gate_offload *pool = *poolp;

    *poolp = NULL;
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->more);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->count; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->more);
    pthread_mutex_destroy(&pool->lock);
    gate_free(pool);
}

void gate_offload_submit(struct gate_offload *pool, struct gate_work *w)
{
    w->mail.deliver = on_reply;
    w->next = NULL;
    pthread_mutex_lock(&pool->lock);
    GATE_ASSERT(!pool->closing);
    if (pool->first == NULL)
        pool->first = w;
    else
        pool->last->next = w;
    pool->last = w;
    pthread_cond_signal(&pool->more);
    pthread_mutex_unlock(&pool->lock);
}
