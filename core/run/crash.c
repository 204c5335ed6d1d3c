#include "run/crash.h"

#include <signal.h>
#include <unistd.h>

#include "base/assert.h"
#include "exchange/exchange.h"
#include "flow/flow.h"
#include "script/hook.h"

/* A handler gets no argument: the thread says here whose it is. */
static _Thread_local struct gate_worker *here;

static void put(struct gate_out *o, const char *text)
{
    for (; *text != '\0' && o->n < o->cap; text++)
        o->p[o->n++] = *text >= 0x20 && *text < 0x7f ? *text : '?';
}

static void put_pair(struct gate_out *o, const char *key, struct gate_str value)
{
    put(o, key);
    for (size_t i = 0; i < value.n && i < 200 && o->n < o->cap; i++)
        o->p[o->n++] = value.p[i] >= 0x20 && value.p[i] < 0x7f ? value.p[i] : '?';
}

/* The exchange that the worker is busy with; NULL when it was caught between two. */
static const struct gate_exchange *running(struct gate_worker *w)
{
    struct gate_list *n = w->live.next;

    /* A broken list must not keep us here. */
    for (int i = 0; n != NULL && n != &w->live && i < 100000; i++, n = n->next) {
        const struct gate_exchange *x = gate_container_of(n, struct gate_exchange, node);

        if (x->running)
            return x;
    }
    return NULL;
}

static void put_place(struct gate_out *o, struct gate_worker *w)
{
    const struct gate_exchange *x = running(w);
    struct gate_script_place place = { NULL, NULL };

    put(o, " in worker ");
    gate_out_u64(o, w->index);
    if (x != NULL) {
        put(o, ", step ");
        put(o, gate_flow_step_name(x));
        put_pair(o, ", request ", gate_str_of(x->id, x->id_len));
        put_pair(o, ", route ", x->route_name);
    }
    if (x != NULL && x->seat->vm != NULL)
        gate_vm_place(x->seat->vm, &place);
    else if (w->seat != NULL && w->seat->vm != NULL)
        gate_vm_place(w->seat->vm, &place);
    if (place.policy != NULL) {
        put(o, ", policy ");
        put(o, place.policy);
    }
    if (place.hook != NULL) {
        put(o, ", hook ");
        put(o, place.hook);
    }
}

void gate_crash_report(int fd, const char *why, struct gate_worker *w)
{
    char line[1024];
    struct gate_out o = gate_out_on(line, sizeof(line) - 1);
    ssize_t ignored;

    put(&o, "moongate crash: ");
    put(&o, why);
    if (w != NULL)
        put_place(&o, w);
    line[o.n++] = '\n';
    ignored = write(fd, line, o.n);
    (void)ignored;
}

#if defined(GATE_ASAN) || defined(GATE_TSAN)

void gate_crash_install(void)
{
}

void gate_crash_thread(struct gate_worker *w, char *stack)
{
    (void)stack;
    here = w;
}

#else

static const char *signal_text(int number)
{
    switch (number) {
    case SIGSEGV:
        return "segmentation fault";
    case SIGBUS:
        return "bus error";
    case SIGFPE:
        return "arithmetic error";
    case SIGILL:
        return "illegal instruction";
    default:
        return "abort";
    }
}

/* SA_RESETHAND: the signal's own effect follows when it is raised again. */
static void on_crash(int number)
{
    gate_crash_report(STDERR_FILENO, signal_text(number), here);
    raise(number);
}

void gate_crash_install(void)
{
    static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
    struct sigaction action = { .sa_handler = on_crash,
                                .sa_flags = SA_RESETHAND | SA_NODEFER | SA_ONSTACK };

    for (size_t i = 0; i < GATE_COUNT_OF(signals); i++)
        sigaction(signals[i], &action, NULL);
}

void gate_crash_thread(struct gate_worker *w, char *stack)
{
    const stack_t on = { .ss_sp = stack, .ss_size = GATE_CRASH_STACK };

    here = w;
    sigaltstack(&on, NULL); /* without it only a stack overflow goes unreported */
}

#endif
