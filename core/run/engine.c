#include "run/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "exchange/tunnel_seat.h"
#include "base/pipe.h"
#include "run/canary.h"
#include "run/crash.h"
#include "run/engine_int.h"
#include "run/reload.h"
#include "run/resolver.h"
#include "run/source.h"
#include "run/watcher.h"
#include "session/ip_counts.h"

#define OFFLOAD_THREADS 2
#define LOG_BUFFERS 16
#define DESCRIPTORS_KEPT 64 /* for listeners, logs, loops */

/* Descriptors */

static void raise_descriptor_limit(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
        l.rlim_cur = l.rlim_max;
        setrlimit(RLIMIT_NOFILE, &l);
    }
}

uint32_t gate_reload_connections(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur == RLIM_INFINITY)
        return 1000000;
    if (l.rlim_cur / 2 > 1000000)
        return 1000000;
    return l.rlim_cur / 2 > 128 ? (uint32_t)(l.rlim_cur / 2 - 64) : 64;
}

/* A proxied request has one to the client and one to the server. */
static void warn_of_descriptors(struct gate_engine *e, const struct gate_config *c)
{
    uint64_t connections = c->limits.connections;
    struct rlimit l;

    if (connections == 0)
        connections = gate_reload_connections();
    if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur == RLIM_INFINITY ||
        connections * 2 + DESCRIPTORS_KEPT <= l.rlim_cur)
        return;
    gate_logf(&e->log, GATE_LOG_WARN,
              "limits.connections of %llu may need %llu open files, and the limit is %llu: raise "
              "it (ulimit -n, LimitNOFILE), or lower limits.connections",
              (unsigned long long)connections,
              (unsigned long long)(connections * 2 + DESCRIPTORS_KEPT),
              (unsigned long long)l.rlim_cur);
}

/* What the first configuration decides */

static uint32_t count_processors(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    return CPU_COUNT(&set) > 0 ? (uint32_t)CPU_COUNT(&set) : 1;
}

/* What there is of each worker. Their number is known from now on, and stays. */
static void make_workers(struct gate_engine *e, uint32_t n)
{
    e->workers = gate_calloc_lines(n * sizeof(*e->workers));
    e->registry = gate_registry_new(n);
    e->resolver = gate_resolver_new(&e->loop, e->registry, &e->log);
}

static enum gate_err start_workers(struct gate_engine *e, uint32_t n)
{
    enum gate_err err = GATE_OK;

    if (e->workers == NULL)
        make_workers(e, n);
    while (e->n_workers < n && err == GATE_OK) {
        err = gate_run_worker_start(&e->workers[e->n_workers], e, e->n_workers, GATE_PIPES_MAX / n);
        e->n_workers += err == GATE_OK;
    }
    return err;
}

static const struct gate_admin_ops *admin_ops(const struct gate_engine *e)
{
    if (e->host != NULL)
        return &gate_control_admin_ops_host;
    return e->options->test_clock ? &gate_control_admin_ops_test : &gate_control_admin_ops;
}

static enum gate_err open_admin(struct gate_engine *e, const char *path)
{
    if (strncmp(path, "/run/moongate/", 14) == 0)
        mkdir("/run/moongate", 0700);
    return gate_admin_open(&e->loop, path, admin_ops(e), e, &e->admin);
}

/* A place that was asked for must be had; without the default one only commands do not reach us. */
static enum gate_err settle_control(struct gate_engine *e, const struct gate_config *c,
                                    struct gate_load_errors *errors)
{
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    bool asked = e->options->socket != NULL || c->process.control.n > 0;
    enum gate_err err = GATE_E_SYS;
    char text[256];

    /* A host's first activation may have come to nothing after this. */
    if (e->admin != NULL || (e->host != NULL && !asked))
        return GATE_OK;
    errno = ENAMETOOLONG;
    if (gate_source_control(e->options, c->process.control, path))
        err = open_admin(e, path);
    if (err == GATE_OK)
        return GATE_OK;
    snprintf(text, sizeof(text), "cannot listen on control socket %s: %s; %s", path,
             strerror(errno),
             errno == EADDRINUSE ? "another moongate runs there, or it is no socket: choose "
                                   "another --socket"
                                 : "choose another place with --socket");
    if (asked) {
        gate_load_errors_add(errors, GATE_STR_NONE, 0, text);
        return err;
    }
    gate_logf(&e->log, GATE_LOG_WARN, "%s (going on without)", text);
    return GATE_OK;
}

uint32_t gate_engine_workers(const struct gate_options *o, const struct gate_config *c)
{
    uint32_t n = o->workers;

    if (n == 0)
        n = c->process.workers;
    if (n == 0)
        n = count_processors();
    return n > GATE_WORKERS_MAX ? GATE_WORKERS_MAX : n;
}

enum gate_err gate_engine_settle(struct gate_engine *e, const struct gate_config *c,
                                 struct gate_load_errors *errors)
{
    char text[128];

    if (start_workers(e, gate_engine_workers(e->options, c)) != GATE_OK) {
        snprintf(text, sizeof(text), "moongate: cannot start the workers: %s%s", strerror(errno),
                 errno == EMFILE ? "; raise the limit of open files (ulimit -n)" : "");
        gate_load_errors_add(errors, GATE_STR_NONE, 0, text);
        return GATE_E_LIMIT;
    }
    warn_of_descriptors(e, c);
    return settle_control(e, c, errors);
}

/* Logs */

static bool is_target(const char *target, struct gate_str wanted)
{
    return target != NULL && gate_str_eq(gate_str_from_cstr(target), wanted);
}

/* Opens or changes one writer so that it writes to `wanted`. */
static enum gate_err point_log(struct gate_log_writer **writer, char **target,
                               const struct gate_log_taker *taker, struct gate_str wanted,
                               uint32_t buffers, struct gate_load_errors *errors)
{
    enum gate_err err;
    char text[512];
    char *path;

    if (is_target(*target, wanted))
        return GATE_OK;
    path = gate_strndup(wanted.p, wanted.n);
    err = *writer == NULL ? gate_log_writer_open(path, taker, buffers, writer)
                          : gate_log_writer_retarget(*writer, path);
    if (err != GATE_OK) {
        snprintf(text, sizeof(text), "cannot open log %s: %s", path, strerror(errno));
        gate_load_errors_add(errors, GATE_STR_NONE, 0, text);
        gate_free(path);
        return err;
    }
    gate_free(*target);
    *target = path;
    return GATE_OK;
}

static enum gate_err point_error_log(struct gate_engine *e, struct gate_str wanted,
                                     struct gate_load_errors *errors)
{
    bool first = e->error_writer == NULL;
    const struct gate_log_taker *taker = e->host == NULL ? NULL : &e->host->log;
    enum gate_err err =
        point_log(&e->error_writer, &e->log_target, taker, wanted, LOG_BUFFERS, errors);

    /* Nobody else logs yet: workers have no generation. */
    if (first && err == GATE_OK) {
        bool is_taken = taker != NULL && taker->take != NULL;

        e->log.sink = gate_log_writer_sink(e->error_writer);
        e->log.json = is_taken || strcmp(e->log_target, "stderr") != 0 || !isatty(STDERR_FILENO);
    }
    return err;
}

enum gate_err gate_engine_logs(struct gate_engine *e, const struct gate_config *c,
                               struct gate_load_errors *errors)
{
    const struct gate_log_taker *taker = e->host == NULL ? NULL : &e->host->access_log;
    enum gate_err err = point_error_log(e, c->process.log, errors);

    if (err == GATE_OK && c->process.access_log.n > 0)
        err = point_log(&e->access_writer, &e->access_target, taker, c->process.access_log,
                        LOG_BUFFERS + 2 * e->n_workers, errors);
    if (err != GATE_OK)
        return err;
    atomic_store_explicit(&e->log.level, c->process.log_level, memory_order_relaxed);
    return GATE_OK;
}

void gate_engine_announce(const struct gate_engine *e)
{
    const struct gate_live *live = e->current;
    const char *between = "listening on ";
    char line[2048];
    struct gate_out o = gate_out_on(line, sizeof(line));

    if (e->host != NULL)
        return;
    GATE_OUT_LIT(&o, "moongate ready: ");
    for (uint32_t i = 0; i < live->g.config->n_listeners && o.n < sizeof(line) - 256; i++) {
        char text[GATE_ADDR_TEXT];
        size_t n = gate_addr_format(&live->points[i]->bound, text, sizeof(text));

        gate_out_fmt(&o, "%s%.*s", between, (int)n, text);
        between = ", ";
    }
    gate_out_fmt(&o, " (%u worker%s, generation %llu)\n", e->n_workers,
                 e->n_workers == 1 ? "" : "s", (unsigned long long)live->g.number);
    fwrite(o.p, 1, o.n, stderr);
}

/* Start and end */

/* The worker whose VM it is; NULL: a builder's. Reads what other threads own: nobody will live to
 * see it change. */
static struct gate_run_worker *worker_of(struct gate_engine *e, const struct gate_vm *vm)
{
    for (uint32_t i = 0; i < e->n_workers; i++) {
        struct gate_run_worker *w = &e->workers[i];

        for (struct gate_list *n = w->seats.next; n != &w->seats; n = n->next) {
            if (gate_container_of(n, struct gate_seat_slot, node)->seat.vm == vm)
                return w;
        }
    }
    return NULL;
}

static void on_stuck(void *arg, struct gate_watch *watch)
{
    struct gate_run_worker *w = worker_of(arg, gate_watch_user(watch));

    gate_crash_report(STDERR_FILENO, "stuck inside one call of a script",
                      w == NULL ? NULL : &w->base);
    abort();
}

/* In a host's process most likely a function of the host, which nobody may end. */
static void on_stuck_host(void *arg, struct gate_watch *watch)
{
    struct gate_engine *e = arg;

    (void)watch;
    gate_logf(&e->log, GATE_LOG_ERROR, "a script is inside one call for 20 times its budget, and "
              "cannot be stopped there");
}

/* Handled by control alone; threads inherit the mask. */
static void block_signals(void)
{
    static const int blocked[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1 };
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(blocked) / sizeof(blocked[0]); i++)
        sigaddset(&set, blocked[i]);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static enum gate_err open_watchdog(struct gate_engine *e)
{
    if (e->host != NULL)
        return gate_watchdog_open(&e->watchdog, e->host->signal, on_stuck_host, e);
    return gate_watchdog_open(&e->watchdog, GATE_WATCHDOG_SIGNAL, on_stuck, e);
}

static void open_broker(struct gate_engine *e, int supervisor_fd)
{
    if (supervisor_fd < 0) {
        e->broker = gate_broker_local_new();
        if (e->host == NULL)
            gate_control_signals(e);
        return;
    }
    fcntl(supervisor_fd, F_SETFD, FD_CLOEXEC);
    e->broker = gate_broker_remote_new(&e->loop, supervisor_fd, gate_control_command,
                                       gate_control_orphaned, e);
}

/* What may fail. What was had before is given back by drop_parts. */
static enum gate_err open_parts(struct gate_engine *e)
{
    struct gate_load_errors unread;
    enum gate_err err = gate_loop_open(&e->loop, &e->clock, &e->log);

    if (err != GATE_OK)
        return err;
    gate_mailbox_open(&e->mail, &e->loop, e);
    err = open_watchdog(e);
    if (err == GATE_OK)
        err = gate_offload_open(&e->offload, OFFLOAD_THREADS);
    if (err != GATE_OK || e->host == NULL)
        return err;
    /* A host has its lines from the beginning; a process of ours may still find a better place. */
    gate_load_errors_init(&unread);
    err = point_error_log(e, GATE_STR("stderr"), &unread);
    gate_load_errors_fini(&unread);
    return err;
}

static void drop_parts(struct gate_engine *e)
{
    int kept = errno;

    gate_log_writer_close(&e->error_writer);
    gate_offload_close(&e->offload);
    gate_watchdog_close(&e->watchdog);
    if (e->loop.ev != NULL) {
        gate_mailbox_close(&e->mail);
        gate_loop_close(&e->loop);
    }
    gate_free(e->log_target);
    errno = kept;
}

enum gate_err gate_engine_open(struct gate_engine *e, int supervisor_fd)
{
    enum gate_err err;

    gate_clock_init(&e->clock);
    gate_log_fd_sink_init(&e->first_sink, STDERR_FILENO);
    gate_log_init(&e->log, &e->first_sink.sink, GATE_LOG_INFO, !isatty(STDERR_FILENO));
    gate_list_init(&e->generations);
    gate_bury_begin(e);
    gate_route_totals_init(&e->totals);
    gate_hook_totals_init(&e->hooks);
    gate_hook_totals_init(&e->sample.hooks);
    e->processors = count_processors();
    e->started_ns = gate_clock_now_ns(&e->clock);
    e->signal_fd = -1;
    err = open_parts(e);
    if (err != GATE_OK) {
        drop_parts(e);
        return err;
    }
    e->ip_counts = gate_ip_counts_new();
    e->tunnels = gate_tunnel_counts_new();
    e->tickets = gate_tls_tickets_new(&e->clock);
    e->shared = gate_shared_new();
    open_broker(e, supervisor_fd);
    gate_memory_adopt(e);
    return GATE_OK;
}

/* What others see is taken down in any case; false: something still runs, and the rest must
 * stay. */
static bool end_workers(struct gate_engine *e)
{
    bool clean = e->reload == NULL;

    for (uint32_t i = 0; i < e->n_workers; i++)
        gate_run_worker_join(&e->workers[i]);
    /* It answers to the workers' loops. */
    gate_offload_close(&e->offload);
    for (uint32_t i = 0; i < e->n_workers; i++)
        clean = gate_run_worker_end(&e->workers[i]) && clean;
    gate_admin_close(&e->admin);
    gate_broker_free(&e->broker);
    gate_log_writer_close(&e->access_writer);
    if (e->error_writer != NULL) {
        e->log.sink = &e->first_sink.sink;
        gate_log_writer_close(&e->error_writer);
    }
    return clean;
}

static void free_parts(struct gate_engine *e)
{
    gate_bury_end(e);
    /* Mail of generations that have gone meanwhile is still to be read. */
    gate_mailbox_close(&e->mail);
    gate_ip_counts_free(&e->ip_counts);
    gate_tunnel_counts_free(&e->tunnels);
    while (!gate_list_empty(&e->generations)) {
        struct gate_live *live =
            gate_container_of(e->generations.next, struct gate_live, node);

        gate_list_remove(&live->node);
        gate_live_free(&live);
    }
    gate_canary_free(&e->canary);
    gate_watchdog_close(&e->watchdog);
    gate_resolver_free(&e->resolver);
    gate_registry_free(&e->registry);
    gate_watcher_close(&e->watcher);
    gate_kept_drop(e);
    gate_tls_tickets_free(&e->tickets);
    gate_shared_free(&e->shared);
    gate_route_totals_fini(&e->totals);
    gate_hook_totals_fini(&e->hooks);
    gate_hook_totals_fini(&e->sample.hooks);
    free(e->reload_error);
    gate_loop_close(&e->loop);
    gate_free(e->log_target);
    gate_free(e->access_target);
    gate_free(e->workers);
}

bool gate_engine_close(struct gate_engine *e)
{
    if (!end_workers(e))
        return false;
    free_parts(e);
    return true;
}

int gate_engine_run(const struct gate_options *options, int supervisor_fd)
{
    struct gate_engine e = { .options = options, .name = gate_source_name(options) };

    /* Started as /proc/self/exe, it would be called "exe". */
    prctl(PR_SET_NAME, "moongate", 0, 0, 0);
    block_signals();
    raise_descriptor_limit();
    gate_crash_install();
    if (gate_engine_open(&e, supervisor_fd) != GATE_OK) {
        fprintf(stderr, "moongate: cannot start: %s\n", strerror(errno));
        return 1;
    }
    gate_reload_begin(&e, e.heir.present ? GATE_RELOAD_HEIR : GATE_RELOAD_START, NULL);
    gate_control_run(&e);
    /* The process ends around what is left. */
    if (!gate_engine_close(&e))
        _exit(e.status);
    return e.status;
}
