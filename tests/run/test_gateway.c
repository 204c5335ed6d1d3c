/* covers: run/gateway_show.c run/killed.c */
#include "gateway_case.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

/* A hook that loops when it is asked to. */
#define LOOPS                                                                                      \
    REPLY("fine")                                                                                  \
    "gate.on.request(function(req)\n"                                                              \
    "  if req.path == '/loop' then while true do end end\n"                                        \
    "end)\n"

static void refuses_a_setup_that_is_wrong(void **state)
{
    static const char *const nonsense[] = { "nowhere at all" };
    struct gateway_case c;
    struct gate_setup s = case_setup(&c);

    (void)state;
    s.interrupt_signal = 0;
    assert_int_equal(gate_open(&s, &c.gw), EINVAL);
    assert_null(c.gw);
    s.interrupt_signal = SIGUSR1;
    assert_int_equal(gate_open(&s, &c.gw), EINVAL);
    s = case_setup(&c);
    s.size = 8;
    assert_int_equal(gate_open(&s, &c.gw), EINVAL);
    s = case_setup(&c);
    s.workers = 129;
    assert_int_equal(gate_open(&s, &c.gw), EINVAL);
    s = case_setup(&c);
    s.listen = nonsense;
    s.listen_count = 1;
    assert_int_equal(gate_open(&s, &c.gw), EINVAL);
}

/* A program that was made for a later version may only use what this one has. */
static void refuses_fields_that_it_does_not_know(void **state)
{
    struct {
        struct gate_setup setup;
        uint64_t later;
    } s = { .later = 0 };
    struct gateway_case c;

    (void)state;
    s.setup = case_setup(&c);
    s.setup.size = sizeof(s);
    assert_int_equal(gate_open(&s.setup, &c.gw), 0);
    case_close(&c);
    s.later = 1;
    assert_int_equal(gate_open(&s.setup, &c.gw), EINVAL);
}

static void on_signal(int number)
{
    (void)number;
}

static void leaves_a_handler_of_others(void **state)
{
    struct sigaction ours = { .sa_handler = on_signal };
    struct sigaction now;
    struct gateway_case c;
    struct gate_setup s = case_setup(&c);

    (void)state;
    assert_int_equal(sigaction(SIGNAL, &ours, NULL), 0);
    assert_int_equal(gate_open(&s, &c.gw), EBUSY);
    assert_int_equal(sigaction(SIGNAL, NULL, &now), 0);
    assert_ptr_equal(now.sa_handler, on_signal);
    signal(SIGNAL, SIG_DFL);
}

static void serves_and_shows(void **state)
{
    static const char *const before[] = { "routes", "status", "metrics", "upstreams", "top" };
    struct gateway_case c;
    char small[4], address[64];
    char *text;
    size_t n;

    (void)state;
    case_open(&c);
    assert_int_equal(gate_address(c.gw, 0, address, sizeof(address)), ENOENT);
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        assert_int_equal(gate_show(c.gw, before[i], &text, &n), 0);
        free(text);
    }
    serve_text(&c, REPLY("hello"));
    assert_string_equal(body(get(&c, "/")), "hello");
    assert_int_equal(gate_address(c.gw, 1, address, sizeof(address)), ENOENT);
    assert_int_equal(gate_address(c.gw, 0, small, sizeof(small)), ENOSPC);
    assert_int_equal(gate_show(c.gw, "metrics", &text, &n), 0);
    assert_int_equal(strlen(text), n);
    assert_non_null(strstr(text, "moongate_requests_total"));
    free(text);
    assert_int_equal(gate_show(c.gw, "status", &text, NULL), 0);
    assert_non_null(strstr(text, "\"version\""));
    assert_non_null(strstr(text, gate_version()));
    free(text);
    assert_int_equal(gate_show(c.gw, "nothing", &text, &n), ENOENT);
    assert_null(text);
    case_close(&c);
}

static void tells_of_scripts_that_were_stopped(void **state)
{
    struct gateway_case c;

    (void)state;
    case_open(&c);
    serve_text(&c, LOOPS);
    assert_non_null(strstr(get(&c, "/loop"), " 503 "));
    until(&c.killed, 1);
    assert_non_null(strstr(c.text, "|request||"));
    assert_non_null(strstr(c.text, "|gateway.lua:5|stopped: it used more CPU time"));
    assert_string_equal(body(get(&c, "/")), "fine");
    case_close(&c);
}

/* The control socket shows, and decides nothing. */
static const char *ask_control(const char *path, const char *request)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    return hear(fd);
}

#define CONTROL(line) line " HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n"

static void has_a_control_socket(void **state)
{
    char dir[] = "/tmp/gate-control-XXXXXX", path[64];
    struct gateway_case c;
    struct gate_setup s = case_setup(&c);

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/control", dir);
    s.control = path;
    assert_int_equal(gate_open(&s, &c.gw), 0);
    serve_text(&c, REPLY("x"));
    assert_non_null(strstr(ask_control(path, CONTROL("GET /status")), " 200 "));
    assert_non_null(strstr(ask_control(path, CONTROL("POST /reload")), " 409 "));
    assert_non_null(strstr(ask_control(path, CONTROL("POST /rollback")), " 409 "));
    assert_non_null(strstr(ask_control(path, CONTROL("POST /canary")), " 409 "));
    assert_int_equal(c.refused, 0);
    case_close(&c);
    assert_int_equal(rmdir(dir), 0);
}

static void trusts_scripts_when_told_to(void **state)
{
    static const char text[] = LISTEN "gate.route { path = '/', reply = { 200, type(io) } }\n";
    struct gateway_case c;
    struct gate_setup s = case_setup(&c);

    (void)state;
    for (int i = 0; i < 2; i++) {
        s.trust = i == 1;
        assert_int_equal(gate_open(&s, &c.gw), 0);
        serve_text(&c, text);
        assert_string_equal(body(get(&c, "/")), s.trust ? "table" : "nil");
        case_close(&c);
        s = case_setup(&c);
    }
}

/* Callbacks */

struct curious {
    struct gateway_case c;
    int results[5];
    char address[64];
};

static void ask_everything(void *arg, uint64_t generation)
{
    struct curious *u = arg;
    struct gate_gateway *gw = u->c.gw;
    struct gate_errors *errors;
    uint64_t id;

    case_ready(&u->c, generation);
    u->results[0] = gate_load(gw, "gateway.lua", &id, &errors);
    gate_errors_free(&errors);
    u->results[1] = gate_activate(gw, generation, NULL);
    u->results[2] = gate_wait(gw);
    u->results[3] = gate_close(&gw);
    u->results[4] = gate_address(gw, 0, u->address, sizeof(u->address));
}

static void callbacks_do_not_wait_for_their_gateway(void **state)
{
    struct curious u;
    struct gate_setup s = case_setup(&u.c);

    (void)state;
    memset(&u, 0, sizeof(u));
    s.on_ready = ask_everything;
    assert_int_equal(gate_open(&s, &u.c.gw), 0);
    serve_text(&u.c, REPLY("x"));
    for (int i = 0; i < 4; i++)
        assert_int_equal(u.results[i], EDEADLK);
    assert_int_equal(u.results[4], 0);
    assert_memory_equal(u.address, "127.0.0.1:", 10);
    assert_int_not_equal(u.c.thread, gettid());
    case_close(&u.c);
}

/* Logs */

struct lines {
    struct gateway_case c;
    pthread_mutex_t lock;
    char log[4000];
    char access[4000];
    _Atomic int n_access;
};

static void take_log(void *arg, const char *text, size_t n)
{
    struct lines *l = arg;

    pthread_mutex_lock(&l->lock);
    strncat(l->log, text, n);
    pthread_mutex_unlock(&l->lock);
}

static void take_access(void *arg, const char *text, size_t n)
{
    struct lines *l = arg;

    pthread_mutex_lock(&l->lock);
    strncat(l->access, text, n);
    pthread_mutex_unlock(&l->lock);
    l->n_access++;
}

static void hands_over_the_logs(void **state)
{
    struct lines l;
    struct gate_setup s;

    (void)state;
    memset(&l, 0, sizeof(l));
    s = case_setup(&l.c);
    s.on_log = take_log;
    s.on_access = take_access;
    pthread_mutex_init(&l.lock, NULL);
    assert_int_equal(gate_open(&s, &l.c.gw), 0);
    serve_text(&l.c, "print('while it loads')\n" REPLY("x"));
    get(&l.c, "/seen");
    until(&l.n_access, 1);
    case_close(&l.c);
    assert_non_null(strstr(l.log, "\"msg\":\"while it loads\""));
    assert_non_null(strstr(l.access, "GET /seen HTTP/1.1"));
    pthread_mutex_destroy(&l.lock);
}

/* The program decides what serves: a VM that stays full is not replaced, but told of. */
static void tells_of_a_full_vm(void **state)
{
    struct lines l;
    struct gate_setup s;
    bool told = false;

    (void)state;
    memset(&l, 0, sizeof(l));
    s = case_setup(&l.c);
    s.on_log = take_log;
    pthread_mutex_init(&l.lock, NULL);
    assert_int_equal(gate_open(&s, &l.c.gw), 0);
    serve_text(&l.c, LISTEN "gate.limits { vm_memory = '8m' }\n"
                            "local kept = {}\n"
                            "gate.route { path = '/keep', handler = function()\n"
                            "  for i = 1, 100 do kept[#kept + 1] = #kept .. ('x'):rep(65500) end\n"
                            "  return gate.reply(200, #kept .. '') end }\n");
    get(&l.c, "/keep");
    get(&l.c, "/keep");
    for (int i = 0; i < 4000 && !told; i++) {
        usleep(5000);
        pthread_mutex_lock(&l.lock);
        told = strstr(l.log, "activate another generation for fresh VMs") != NULL;
        pthread_mutex_unlock(&l.lock);
    }
    assert_true(told);
    assert_int_equal(l.c.ready, 1);
    case_close(&l.c);
    pthread_mutex_destroy(&l.lock);
}

/* The end */

static void drains(void **state)
{
    struct gateway_case c;
    struct gate_errors *errors;
    char address[64];
    uint64_t id, waiting;
    char *text;
    int fd;

    (void)state;
    case_open(&c);
    serve_text(&c, LISTEN "gate.route { path = '/', handler = function()\n"
                          "  gate.sleep('200ms') return gate.reply(200, 'late') end }\n");
    waiting = load_text(&c, REPLY("never"));
    fd = client(&c);
    ask(fd, "/");
    /* The request is under way once it is counted. */
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(gate_show(c.gw, "generations", &text, NULL), 0);
        if (strstr(text, "\"active\":1") != NULL)
            i = 2000;
        free(text);
        usleep(1000);
    }
    gate_drain(c.gw);
    assert_int_equal(gate_load(c.gw, "gateway.lua", &id, NULL), ESHUTDOWN);
    assert_string_equal(body(hear(fd)), "late");
    assert_int_equal(gate_wait(c.gw), 0);
    assert_int_equal(c.drained, 1);
    assert_int_equal(gate_activate(c.gw, waiting, &errors), ESHUTDOWN);
    assert_int_equal(gate_errors_count(errors), 1);
    gate_errors_free(&errors);
    assert_int_equal(gate_load(c.gw, "gateway.lua", &id, NULL), ESHUTDOWN);
    assert_int_equal(gate_address(c.gw, 0, address, sizeof(address)), ESHUTDOWN);
    assert_int_equal(gate_show(c.gw, "status", &text, NULL), ESHUTDOWN);
    assert_int_equal(gate_discard(c.gw, waiting), ESHUTDOWN);
    gate_drain(c.gw);
    case_close(&c);
}

static void closes_while_clients_wait(void **state)
{
    struct gateway_case c;
    int fd;

    (void)state;
    case_open(&c);
    serve_text(&c, LISTEN "gate.route { path = '/', handler = function()\n"
                          "  gate.sleep('1h') return gate.reply(200, 'late') end }\n");
    fd = client(&c);
    ask(fd, "/");
    case_close(&c);
    hear(fd);
}

/* Nothing of it is left */

static int count_entries(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;

    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

/* A thread that was joined may still be listed for a moment. */
static void until_entries(const char *path, int n)
{
    for (int i = 0; i < 2000 && count_entries(path) != n; i++)
        usleep(5000);
    assert_int_equal(count_entries(path), n);
}

static bool is_same(const struct sigaction *a, const struct sigaction *b)
{
    /* The rest of the sets is not the kernel's. */
    for (int i = 1; i <= SIGRTMAX; i++) {
        if (sigismember(&a->sa_mask, i) != sigismember(&b->sa_mask, i))
            return false;
    }
    return a->sa_handler == b->sa_handler && a->sa_flags == b->sa_flags;
}

/* How many signals have another disposition than in `before`; the last one in *which. */
static int count_changed(const struct sigaction *before, int *which)
{
    struct sigaction now;
    int n = 0;

    for (int i = 1; i <= SIGRTMAX; i++) {
        if (sigaction(i, NULL, &now) != 0 || is_same(&before[i], &now))
            continue;
        *which = i;
        n++;
    }
    return n;
}

static mode_t mask_of_files(void)
{
    mode_t now = umask(0);

    umask(now);
    return now;
}

static void leaves_no_trace(void **state)
{
    struct sigaction before[128];
    struct rlimit limit, limit_now;
    sigset_t blocked, blocked_now;
    struct gateway_case c;
    int fds, which = 0;
    mode_t mask = mask_of_files();
    int threads = count_entries("/proc/self/task");

    (void)state;
    memset(before, 0, sizeof(before));
    for (int i = 1; i <= SIGRTMAX; i++)
        sigaction(i, NULL, &before[i]);
    getrlimit(RLIMIT_NOFILE, &limit);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    fds = count_entries("/proc/self/fd");
    for (int round = 0; round < 3; round++) {
        case_open(&c);
        serve_text(&c, LOOPS);
        load_text(&c, "local d = require('moongate').shared('d', {}) d:set('a', 1)\n" REPLY("x"));
        get(&c, "/loop");
        assert_int_equal(count_changed(before, &which), 1);
        assert_int_equal(which, SIGNAL);
        case_close(&c);
        assert_int_equal(count_changed(before, &which), 0);
        until_entries("/proc/self/task", threads);
        assert_int_equal(count_entries("/proc/self/fd"), fds);
    }
    getrlimit(RLIMIT_NOFILE, &limit_now);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked_now);
    assert_memory_equal(&limit, &limit_now, sizeof(limit));
    for (int i = 1; i <= SIGRTMAX; i++)
        assert_int_equal(sigismember(&blocked, i), sigismember(&blocked_now, i));
    assert_int_equal(mask, mask_of_files());
}

/* With SIGPIPE as it is by default a write to a client that has gone would end the process. */
static void survives_clients_that_go(void **state)
{
    struct linger cut = { .l_onoff = 1 };
    struct gateway_case c;

    (void)state;
    case_open(&c);
    serve_text(&c, LISTEN "local big = ('x'):rep(4000000)\n"
                          "gate.route { path = '/', handler = function()\n"
                          "  return gate.reply(200, big) end }\n"
                          "gate.route { path = '/x', reply = { 200, 'x' } }\n");
    for (int i = 0; i < 20; i++) {
        int fd = client(&c);

        ask(fd, "/");
        assert_int_equal(recv(fd, (char[1]){ 0 }, 1, 0), 1);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &cut, sizeof(cut));
        close(fd);
    }
    assert_string_equal(body(get(&c, "/x")), "x");
    case_close(&c);
}

static void several_fit_in_a_process(void **state)
{
    struct gateway_case a, b;

    (void)state;
    case_open(&a);
    case_open(&b);
    add_text(&a, "who.lua", "return 'a'");
    add_text(&b, "who.lua", "return 'b'");
    serve_text(&a, LOOPS "gate.route { path = '/who', reply = { 200, require 'who' } }\n");
    serve_text(&b, LOOPS "gate.route { path = '/who', reply = { 200, require 'who' } }\n");
    assert_string_equal(body(get(&a, "/who")), "a");
    assert_string_equal(body(get(&b, "/who")), "b");
    assert_non_null(strstr(get(&a, "/loop"), " 503 "));
    assert_non_null(strstr(get(&b, "/loop"), " 503 "));
    until(&a.killed, 1);
    until(&b.killed, 1);
    case_close(&a);
    /* The signal is still handled for the other one. */
    assert_non_null(strstr(get(&b, "/loop"), " 503 "));
    until(&b.killed, 2);
    assert_string_equal(body(get(&b, "/who")), "b");
    assert_int_equal(a.killed, 1);
    case_close(&b);
}

struct opener {
    struct gateway_case c;
    pthread_t thread;
    int failures;
};

/* cmocka's asserts are for the main thread. */
static void *open_and_close(void *arg)
{
    struct opener *o = arg;

    for (int i = 0; i < 5; i++) {
        struct gate_setup s = case_setup(&o->c);
        uint64_t id;

        o->failures += gate_open(&s, &o->c.gw) != 0;
        o->failures += gate_add_file(o->c.gw, "a.lua", REPLY("x"), strlen(REPLY("x"))) != 0;
        o->failures += gate_load(o->c.gw, "a.lua", &id, NULL) != 0;
        o->failures += gate_activate(o->c.gw, id, NULL) != 0;
        o->failures += gate_close(&o->c.gw) != 0;
    }
    return NULL;
}

static void are_opened_on_any_thread(void **state)
{
    struct opener openers[4];

    (void)state;
    memset(openers, 0, sizeof(openers));
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&openers[i].thread, NULL, open_and_close, &openers[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(openers[i].thread, NULL);
        assert_int_equal(openers[i].failures, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_a_setup_that_is_wrong),
        cmocka_unit_test(refuses_fields_that_it_does_not_know),
        cmocka_unit_test(leaves_a_handler_of_others),
        cmocka_unit_test(serves_and_shows),
        cmocka_unit_test(tells_of_scripts_that_were_stopped),
        cmocka_unit_test(has_a_control_socket),
        cmocka_unit_test(trusts_scripts_when_told_to),
        cmocka_unit_test(callbacks_do_not_wait_for_their_gateway),
        cmocka_unit_test(hands_over_the_logs),
        cmocka_unit_test(tells_of_a_full_vm),
        cmocka_unit_test(drains),
        cmocka_unit_test(closes_while_clients_wait),
        cmocka_unit_test(leaves_no_trace),
        cmocka_unit_test(survives_clients_that_go),
        cmocka_unit_test(several_fit_in_a_process),
        cmocka_unit_test(are_opened_on_any_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
