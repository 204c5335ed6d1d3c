/* Gateways of a program: an engine with a control thread, in a process that is not ours. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/thread.h"
#include "run/gateway_int.h"

/* Orders */

static void on_order(struct gate_mail *m, void *engine)
{
    struct gate_gateway_order *o = gate_container_of(m, struct gate_gateway_order, mail);

    (void)engine;
    o->run(o);
}

/* False: nobody reads mail any more. */
static bool post(struct gate_gateway *gw, struct gate_mail *m)
{
    bool open;

    pthread_mutex_lock(&gw->lock);
    open = !gw->over;
    if (open)
        gate_mailbox_post(&gw->engine.mail, m);
    pthread_mutex_unlock(&gw->lock);
    return open;
}

static bool begin(struct gate_gateway *gw, struct gate_gateway_order *o)
{
    if (!gate_gateway_is_control(gw))
        return post(gw, &o->mail);
    /* In a callback: at once. What it asks for is there as long as the engine. */
    if (gw->over)
        return false;
    o->run(o);
    return true;
}

int gate_gateway_ask(struct gate_gateway *gw, struct gate_gateway_order *o,
                     void (*run)(struct gate_gateway_order *o))
{
    o->gw = gw;
    o->run = run;
    o->mail.deliver = on_order;
    o->result = ESHUTDOWN;
    sem_init(&o->answered, 0, 0);
    if (begin(gw, o)) {
        while (sem_wait(&o->answered) != 0)
            ;
    }
    sem_destroy(&o->answered);
    return o->result;
}

void gate_gateway_answer(struct gate_gateway_order *o, int result)
{
    o->result = result;
    sem_post(&o->answered);
}

bool gate_gateway_use(struct gate_gateway *gw)
{
    bool open;

    pthread_mutex_lock(&gw->lock);
    open = !gw->over;
    gw->users += open;
    pthread_mutex_unlock(&gw->lock);
    return open;
}

void gate_gateway_unuse(struct gate_gateway *gw)
{
    pthread_mutex_lock(&gw->lock);
    gw->users--;
    pthread_cond_broadcast(&gw->changed);
    pthread_mutex_unlock(&gw->lock);
}

/* A script was stopped */

/* "gateway.lua:7" */
static uint32_t split_place(char *place)
{
    char *colon = strrchr(place, ':');

    if (colon == NULL)
        return 0;
    *colon = '\0';
    return (uint32_t)strtoul(colon + 1, NULL, 10);
}

static void on_killed(struct gate_host *h, const struct gate_script_kill *from)
{
    const struct gate_setup *setup = &gate_container_of(h, struct gate_gateway, host)->setup;
    const struct gate_str texts[] = { from->policy, from->hook,  from->route,
                                      from->request, from->place, from->message };
    char *copies[GATE_COUNT_OF(texts)];
    struct gate_kill kill;

    if (setup->on_killed == NULL)
        return;
    for (size_t i = 0; i < GATE_COUNT_OF(texts); i++)
        copies[i] = texts[i].n == 0 ? gate_strdup("") : gate_strndup(texts[i].p, texts[i].n);
    kill = (struct gate_kill){
        .policy = copies[0],
        .hook = copies[1],
        .route = copies[2],
        .request = copies[3],
        .file = copies[4],
        .line = split_place(copies[4]),
        .message = copies[5],
    };
    setup->on_killed(setup->arg, &kill);
    for (size_t i = 0; i < GATE_COUNT_OF(texts); i++)
        gate_free(copies[i]);
}

/* The control thread */

static int errno_of(enum gate_err err)
{
    switch (err) {
    case GATE_OK:
        return 0;
    case GATE_E_EXISTS:
        return EBUSY;
    case GATE_E_INVALID:
        return EINVAL;
    case GATE_E_SYS:
        return errno != 0 ? errno : EAGAIN;
    default:
        return ENOMEM;
    }
}

/* Nothing may use the engine any more: calls of other threads are let end, orders are answered. */
static void shut(struct gate_gateway *gw)
{
    while (gw->engine.reload != NULL)
        gate_loop_turn(&gw->engine.loop, true);
    pthread_mutex_lock(&gw->lock);
    gw->over = true;
    while (gw->users > 0)
        pthread_cond_wait(&gw->changed, &gw->lock);
    gate_gateway_drop_made_locked(gw);
    pthread_mutex_unlock(&gw->lock);
    gate_loop_turn(&gw->engine.loop, false);
}

static void *control_main(void *arg)
{
    struct gate_gateway *gw = arg;

    gw->control = pthread_self();
    gw->open_error = errno_of(gate_engine_open(&gw->engine, -1));
    sem_post(&gw->up);
    if (gw->open_error != 0)
        return NULL;
    gate_control_run(&gw->engine);
    shut(gw);
    gw->left_over = !gate_engine_close(&gw->engine);
    if (gw->setup.on_drained != NULL)
        gw->setup.on_drained(gw->setup.arg);
    pthread_mutex_lock(&gw->lock);
    gw->ended = true;
    pthread_cond_broadcast(&gw->changed);
    pthread_mutex_unlock(&gw->lock);
    return NULL;
}

/* Open and close */

/* What an older program does not know is zero; what an older library does not know has to be. */
static bool copy_setup(const struct gate_setup *from, struct gate_setup *to)
{
    const char *bytes = (const char *)from;

    if (from->size < sizeof(*to))
        return false;
    memcpy(to, from, sizeof(*to));
    for (size_t i = sizeof(*to); i < from->size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

static bool copy_options(const struct gate_setup *s, struct gate_options *o)
{
    struct gate_addr addr;

    if (s->workers > GATE_WORKERS_MAX || s->listen_count > GATE_OPTION_LISTEN_MAX)
        return false;
    o->workers = s->workers;
    o->trust = s->trust;
    o->no_watch = true;
    o->no_stdout = s->on_access == NULL;
    o->socket = s->control == NULL ? NULL : gate_strdup(s->control);
    for (size_t i = 0; i < s->listen_count; i++) {
        if (gate_config_listen_addr(gate_str_from_cstr(s->listen[i]), &addr) != GATE_OK)
            return false;
        o->listen[o->n_listen++] = gate_strdup(s->listen[i]);
    }
    return true;
}

static void fill_host(struct gate_gateway *gw)
{
    gw->host = (struct gate_host){
        .signal = gw->setup.interrupt_signal,
        .log = { gw->setup.on_log, gw->setup.arg },
        .access_log = { gw->setup.on_access, gw->setup.arg },
        .natives = gate_natives_new(),
        .ready = gate_gateway_ready,
        .refused = gate_gateway_refused,
        .killed = on_killed,
    };
    gw->engine.options = &gw->options;
    gw->engine.name = "gateway";
    gw->engine.host = &gw->host;
}

static void gateway_free(struct gate_gateway *gw)
{
    gate_gateway_drop_files(gw);
    gate_natives_free(&gw->host.natives);
    for (uint32_t i = 0; i < gw->options.n_listen; i++)
        gate_free((char *)gw->options.listen[i]);
    gate_free((char *)gw->options.socket);
    pthread_cond_destroy(&gw->changed);
    pthread_mutex_destroy(&gw->changes);
    pthread_mutex_destroy(&gw->lock);
    sem_destroy(&gw->up);
    free(gw);
}

static struct gate_gateway *gateway_new(void)
{
    /* The engine's parts stand on cache lines of their own. */
    size_t size = (sizeof(struct gate_gateway) + 63) / 64 * 64;
    struct gate_gateway *gw = aligned_alloc(64, size);

    if (gw == NULL)
        return NULL;
    memset(gw, 0, size);
    sem_init(&gw->up, 0, 0);
    pthread_mutex_init(&gw->changes, NULL);
    pthread_mutex_init(&gw->lock, NULL);
    pthread_cond_init(&gw->changed, NULL);
    gate_list_init(&gw->made);
    gate_list_init(&gw->files);
    return gw;
}

static int start(struct gate_gateway *gw)
{
    pthread_t thread;
    int failed = gate_thread_start(&thread, "gate-control", control_main, gw);

    if (failed != 0)
        return failed;
    while (sem_wait(&gw->up) != 0)
        ;
    if (gw->open_error != 0)
        pthread_join(thread, NULL);
    return gw->open_error;
}

int gate_open(const struct gate_setup *setup, struct gate_gateway **out)
{
    struct gate_gateway *gw = gateway_new();
    int result = EINVAL;

    *out = NULL;
    if (gw == NULL)
        return ENOMEM;
    if (copy_setup(setup, &gw->setup) && copy_options(setup, &gw->options)) {
        fill_host(gw);
        result = start(gw);
    }
    if (result == 0)
        *out = gw;
    else
        gateway_free(gw);
    return result;
}

struct note {
    struct gate_mail mail;
    void (*act)(struct gate_engine *e);
};

static void on_note(struct gate_mail *m, void *engine)
{
    struct note *n = gate_container_of(m, struct note, mail);

    n->act(engine);
    gate_free(n);
}

static void tell(struct gate_gateway *gw, void (*act)(struct gate_engine *e))
{
    struct note *n = gate_calloc(1, sizeof(*n));

    n->mail.deliver = on_note;
    n->act = act;
    if (!post(gw, &n->mail))
        gate_free(n);
}

void gate_drain(struct gate_gateway *gw)
{
    pthread_mutex_lock(&gw->lock);
    gw->drains = true;
    pthread_mutex_unlock(&gw->lock);
    tell(gw, gate_control_drain);
}

int gate_wait(struct gate_gateway *gw)
{
    if (gate_gateway_is_control(gw))
        return EDEADLK;
    pthread_mutex_lock(&gw->lock);
    while (!gw->ended)
        pthread_cond_wait(&gw->changed, &gw->lock);
    pthread_mutex_unlock(&gw->lock);
    return 0;
}

int gate_close(struct gate_gateway **gateway)
{
    struct gate_gateway *gw = *gateway;

    if (gw == NULL)
        return 0;
    if (gate_gateway_is_control(gw))
        return EDEADLK;
    *gateway = NULL;
    tell(gw, gate_control_quit);
    pthread_join(gw->control, NULL);
    if (gw->left_over)
        return EBUSY;
    gateway_free(gw);
    return 0;
}
