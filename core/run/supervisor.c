#include "run/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "run/wire.h"

#define HEALTHY_MS 1000         /* who serves that long starts no storm of restarts */
#define KILL_GRACE_MS 5000      /* beyond the drain limit */
#define QUIT_MS 2000            /* from the order to end at once to SIGKILL */
#define FIRST_DRAIN_MS 30000    /* until the engine has said its own */

#define POLL_REST_US 100000     /* after a poll that failed */

enum stop_state { RUNNING, DRAINING, QUITTING };

struct supervisor {
    struct gate_log *log;
    char *const *args;
    struct gate_listen_set set;
    struct gate_store store;    /* what engines leave to the next */
    int signals;
    int wire;                   /* our end; -1: no engine */
    pid_t engine;               /* 0: none */
    uint64_t ready_ms;          /* since when the engine serves; 0: not yet */
    uint64_t restart_ms;        /* when the next engine is due; 0: not */
    uint64_t kill_ms;           /* when the engine's time is over; 0: not set */
    uint32_t crashes;
    uint32_t drain_ms;
    uint32_t unheard;           /* orders to reload that no engine has heard yet */
    bool ever_ready;
    bool killed;                /* by us: it did not end in time */
    enum stop_state stop;
    bool done;
    int status;
};

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint32_t gate_supervisor_delay(uint32_t crashes)
{
    uint32_t ms = 100;

    /* A few at once are forgiven: the sockets are open, and clients wait. */
    for (uint32_t i = 4; i < crashes && ms < 5000; i++)
        ms *= 2;
    return ms < 5000 ? ms : 5000;
}

/* In the child. What a terminal or a service manager sends to the whole group is not for engines:
 * they listen to the supervisor alone. Ignored signals stay so across exec. */
static void become_engine(struct supervisor *s, int fd)
{
    static const int ignored[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1 };
    char number[16];
    char **argv;
    size_t n = 0;
    sigset_t none;

    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        signal(ignored[i], SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    while (s->args[n] != NULL)
        n++;
    argv = gate_calloc(n + 4, sizeof(*argv));
    fcntl(fd, F_SETFD, 0); /* survives exec */
    snprintf(number, sizeof(number), "%d", fd);
    argv[0] = (char *)"moongate";
    argv[1] = (char *)"engine";
    argv[2] = number;
    for (size_t i = 0; i < n; i++)
        argv[3 + i] = s->args[i];
    execv("/proc/self/exe", argv);
    fprintf(stderr, "moongate: cannot start the engine: %s\n", strerror(errno));
    _exit(1);
}

/* An engine that has lost its end of the wire listens to signals, as one alone does. */
static void order(struct supervisor *s, enum gate_wire_kind kind)
{
    static const int signals[] = {
        [GATE_WIRE_DRAIN] = SIGTERM,
        [GATE_WIRE_QUIT] = SIGTERM,
        [GATE_WIRE_RELOAD] = SIGHUP,
        [GATE_WIRE_REOPEN] = SIGUSR1,
    };
    struct gate_wire m = { .kind = kind };
    enum gate_err err = GATE_E_RESET;

    if (s->wire >= 0)
        err = gate_wire_send(s->wire, &m, NULL, 0);
    if (err == GATE_E_RESET && s->engine != 0)
        kill(s->engine, signals[kind]);
    else if (err != GATE_OK && err != GATE_E_RESET)
        gate_logf(s->log, GATE_LOG_WARN, "the engine does not listen: %s", strerror(errno));
}

/* An engine serves what the one before it served: an order that came too late for that one is for
 * this one, once. */
static void repeat_unheard(struct supervisor *s)
{
    if (s->unheard == 0)
        return;
    s->unheard = 1;
    order(s, GATE_WIRE_RELOAD);
}

static void start_engine(struct supervisor *s)
{
    int pair[2];
    pid_t pid;

    s->restart_ms = 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
        gate_logf(s->log, GATE_LOG_ERROR, "no socket pair for an engine: %s", strerror(errno));
        s->restart_ms = now_ms() + 5000;
        return;
    }
    for (struct gate_list *n = s->set.points.next; n != &s->set.points; n = n->next)
        gate_container_of(n, struct gate_listen_point, node)->asked = false;
    pid = fork();
    if (pid == 0)
        become_engine(s, pair[1]);
    close(pair[1]);
    if (pid < 0) {
        gate_logf(s->log, GATE_LOG_ERROR, "cannot start an engine: %s", strerror(errno));
        close(pair[0]);
        s->restart_ms = now_ms() + 5000;
        return;
    }
    s->engine = pid;
    s->wire = pair[0];
    s->ready_ms = 0;
    repeat_unheard(s);
}

/* First signal: drain. Second: at once. */
static void stop(struct supervisor *s)
{
    if (s->engine == 0) {
        s->done = true;
    } else if (s->stop == RUNNING) {
        s->stop = DRAINING;
        s->kill_ms = now_ms() + s->drain_ms + KILL_GRACE_MS;
        order(s, GATE_WIRE_DRAIN);
    } else if (s->stop == DRAINING) {
        s->stop = QUITTING;
        s->kill_ms = now_ms() + QUIT_MS;
        order(s, GATE_WIRE_QUIT);
    }
}

static void describe_end(int status, char *to, size_t cap)
{
    const char *name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;

    if (WIFEXITED(status))
        snprintf(to, cap, "ended with status %d", WEXITSTATUS(status));
    else if (name == NULL)
        snprintf(to, cap, "was killed by signal %d", WTERMSIG(status));
    else
        snprintf(to, cap, "was killed by SIG%s", name);
}

/* An engine ended after which no other one is started: what that makes of us. */
static void on_last_end(struct supervisor *s, int status, const char *how)
{
    static const char *const during[] = {
        [RUNNING] = "before it was ready",
        [DRAINING] = "while it drained",
        [QUITTING] = "while it ended",
    };

    s->done = true;
    if (WIFEXITED(status)) {
        s->status = WEXITSTATUS(status);
    } else if (s->killed) {
        /* Who asked for an end at once has got it. */
        s->status = s->stop == QUITTING ? 0 : GATE_EXIT_CRASH;
    } else {
        s->status = GATE_EXIT_CRASH;
        gate_logf(s->log, GATE_LOG_ERROR, "the engine %s %s", how, during[s->stop]);
    }
}

static void on_engine_end(struct supervisor *s, int status)
{
    pid_t pid = s->engine;
    char how[96];
    uint32_t delay;

    s->engine = 0;
    s->kill_ms = 0;
    if (s->wire >= 0)
        close(s->wire);
    s->wire = -1;
    describe_end(status, how, sizeof(how));
    if (s->stop != RUNNING || !s->ever_ready) {
        on_last_end(s, status, how);
        return;
    }
    if (s->ready_ms != 0 && now_ms() - s->ready_ms >= HEALTHY_MS)
        s->crashes = 0;
    delay = gate_supervisor_delay(++s->crashes);
    s->restart_ms = now_ms() + delay;
    gate_logf(s->log, GATE_LOG_ERROR,
              "engine %d %s; its listeners stay open, another one starts in %u ms", (int)pid, how,
              delay);
}

static void on_signal(struct supervisor *s)
{
    struct signalfd_siginfo info;
    int status;

    while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        switch (info.ssi_signo) {
        case SIGHUP:
            s->unheard++;
            order(s, GATE_WIRE_RELOAD);
            break;
        case SIGUSR1:
            order(s, GATE_WIRE_REOPEN);
            break;
        case SIGCHLD:
            if (s->engine != 0 && waitpid(s->engine, &status, WNOHANG) == s->engine)
                on_engine_end(s, status);
            break;
        default:
            stop(s);
        }
    }
}

static void reply(struct supervisor *s, const struct gate_wire *m, const int *fds, uint32_t n)
{
    enum gate_err err = gate_wire_send(s->wire, m, fds, n);

    if (err != GATE_OK && err != GATE_E_RESET) /* that one has ended, which SIGCHLD tells */
        gate_logf(s->log, GATE_LOG_WARN, "an answer does not reach the engine: %s",
                  strerror(errno));
}

static void answer_listen(struct supervisor *s, const struct gate_wire *question)
{
    struct gate_wire m = { .kind = GATE_WIRE_SOCKETS, .number = question->number };
    struct gate_listen_point *p = NULL;

    m.err = (int32_t)gate_listen_set_get(&s->set, &question->wish, &p);
    m.sys_errno = m.err == GATE_OK ? 0 : errno;
    if (p != NULL) {
        p->asked = true;
        m.bound = p->bound;
        m.wish.sockets = p->n;
    }
    reply(s, &m, p == NULL ? NULL : p->fds, p == NULL ? 0 : p->n);
}

static void answer_forget(struct supervisor *s, const struct gate_wire *question)
{
    struct gate_wire m = { .kind = GATE_WIRE_FORGOTTEN, .number = question->number };
    struct gate_listen_point *p = gate_listen_set_find(&s->set, &question->wish);

    if (p != NULL)
        gate_listen_set_drop(&p);
    reply(s, &m, NULL, 0);
}

static void answer_kept(struct supervisor *s, uint32_t i)
{
    struct gate_wire m = { .kind = GATE_WIRE_MEMORY, .number = i };
    int fd = gate_store_at(&s->store, i, &m.memory);

    m.err = fd < 0 ? GATE_E_NOTFOUND : GATE_OK;
    reply(s, &m, &fd, fd >= 0);
}

/* An engine that serves has asked for all that it wants: what an earlier one left over goes. */
static void on_ready(struct supervisor *s, uint32_t drain_ms)
{
    s->ever_ready = true;
    s->ready_ms = now_ms();
    s->drain_ms = drain_ms;
    for (struct gate_list *n = s->set.points.next, *next; n != &s->set.points; n = next) {
        struct gate_listen_point *p = gate_container_of(n, struct gate_listen_point, node);

        next = n->next;
        if (!p->asked)
            gate_listen_set_drop(&p);
    }
}

static void answer(struct supervisor *s, const struct gate_wire *m)
{
    switch (m->kind) {
    case GATE_WIRE_LISTEN:
        answer_listen(s, m);
        break;
    case GATE_WIRE_FORGET:
        answer_forget(s, m);
        break;
    case GATE_WIRE_READY:
        on_ready(s, m->number);
        break;
    case GATE_WIRE_DROP:
        gate_store_drop(&s->store, &m->memory);
        break;
    case GATE_WIRE_KEPT:
        answer_kept(s, m->number);
        break;
    case GATE_WIRE_HEARD:
        s->unheard -= m->number < s->unheard ? m->number : s->unheard;
        break;
    }
}

static void on_wire(struct supervisor *s)
{
    struct gate_wire m;
    int fds[GATE_LISTEN_MAX];
    uint32_t n;
    enum gate_err err = gate_wire_receive(s->wire, &m, fds, &n);

    if (err == GATE_E_AGAIN)
        return;
    if (err != GATE_OK) {
        /* Its end: SIGCHLD tells the rest. */
        close(s->wire);
        s->wire = -1;
        return;
    }
    if (m.kind == GATE_WIRE_KEEP && n == 1)
        gate_store_keep(&s->store, &m.memory, fds[--n]);
    else
        answer(s, &m);
    while (n > 0)
        close(fds[--n]);
}

static int poll_timeout(const struct supervisor *s)
{
    uint64_t now = now_ms(), at = UINT64_MAX;

    if (s->restart_ms != 0)
        at = s->restart_ms;
    if (s->kill_ms != 0 && s->kill_ms < at)
        at = s->kill_ms;
    if (at == UINT64_MAX)
        return -1;
    return at <= now ? 0 : (int)(at - now);
}

static void on_time(struct supervisor *s)
{
    uint64_t now = now_ms();

    if (s->kill_ms != 0 && s->kill_ms <= now) {
        gate_logf(s->log, GATE_LOG_WARN, "the engine did not end in time and is killed");
        kill(s->engine, SIGKILL);
        s->killed = true;
        s->kill_ms = 0;
    }
    if (s->restart_ms != 0 && s->restart_ms <= now)
        start_engine(s);
}

static int open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int gate_supervisor_run(char *const *args, struct gate_log *log)
{
    struct supervisor s = { .log = log, .args = args, .wire = -1, .drain_ms = FIRST_DRAIN_MS };

    gate_listen_set_init(&s.set);
    gate_store_init(&s.store);
    s.signals = open_signals();
    if (s.signals < 0) {
        gate_logf(log, GATE_LOG_ERROR, "cannot start, no signals: %s", strerror(errno));
        return 1;
    }
    start_engine(&s);
    while (!s.done) {
        struct pollfd p[2] = { { .fd = s.signals, .events = POLLIN },
                               { .fd = s.wire, .events = POLLIN } };

        if (poll(p, 2, poll_timeout(&s)) < 0 && errno != EINTR) {
            /* To end would leave the engine alone. */
            gate_logf(log, GATE_LOG_ERROR, "cannot wait for orders: %s", strerror(errno));
            usleep(POLL_REST_US);
        }
        /* What it said before it died counts. */
        if (p[1].revents != 0)
            on_wire(&s);
        else if (p[0].revents != 0)
            on_signal(&s);
        on_time(&s);
    }
    gate_listen_set_fini(&s.set);
    gate_store_fini(&s.store);
    close(s.signals);
    return s.status;
}
