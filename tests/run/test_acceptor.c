/* Accepting that fails. The system's accept4 has the one below in front of it. */
#include "gateway_case.h"

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>

static _Atomic int failure;     /* errno of those that fail */
static _Atomic int failures;    /* how many are still to fail */
static _Atomic int failing;     /* the port where they do; 0: everywhere */
static _Atomic int failed;
static _Atomic int heard;       /* lines of the log that speak of it */
static char line[1000];         /* the first of them */

static bool fails_at(int fd)
{
    struct sockaddr_in own;
    socklen_t n = sizeof(own);

    if (failing == 0)
        return true;
    getsockname(fd, (struct sockaddr *)&own, &n);
    return ntohs(own.sin_port) == failing;
}

int accept4(int fd, struct sockaddr *addr, socklen_t *n, int flags)
{
    if (failures > 0 && fails_at(fd)) {
        failures--;
        failed++;
        errno = failure;
        return -1;
    }
    return (int)syscall(SYS_accept4, fd, addr, n, flags);
}

static _Atomic int unwatched;   /* listening sockets that are still to be refused by epoll */

/* libev calls it. */
__attribute__((visibility("default")))
int epoll_ctl(int ep, int op, int fd, struct epoll_event *event)
{
    int listens = 0;
    socklen_t n = sizeof(listens);

    if (unwatched > 0 && op == EPOLL_CTL_ADD &&
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) == 0 && listens) {
        unwatched--;
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, ep, op, fd, event);
}

static void on_log(void *arg, const char *lines, size_t n)
{
    const char *at = memmem(lines, n, "cannot accept", 13);

    (void)arg;
    if (at == NULL)
        return;
    if (heard == 0)
        snprintf(line, sizeof(line), "%.*s", (int)(n - (size_t)(at - lines)), at);
    heard++;
}

static void open_case(struct gateway_case *c, const char *text)
{
    struct gate_setup s = case_setup(c);

    s.workers = 1;
    s.on_log = on_log;
    failed = failing = heard = 0;
    assert_int_equal(gate_open(&s, &c->gw), 0);
    serve_text(c, text);
}

static long metric(struct gateway_case *c, const char *name)
{
    char *text, *at;
    long value;

    assert_int_equal(gate_show(c->gw, "metrics", &text, NULL), 0);
    at = strstr(text, name);
    assert_non_null(at);
    value = atol(at + strlen(name));
    free(text);
    return value;
}

static void fail_with(int error, int times)
{
    failure = error;
    failures = times;
}

/* A failure of one connection: the next is accepted at once, and the log says what it was. */
static void says_which_connections_are_lost(void **state)
{
    struct gateway_case c;
    char expected[200];

    (void)state;
    open_case(&c, REPLY("hello"));
    fail_with(ECONNABORTED, 3);
    assert_string_equal(body(get(&c, "/")), "hello");
    until(&heard, 1);
    snprintf(expected, sizeof(expected), "cannot accept a connection at 127.0.0.1:0: %s",
             strerror(ECONNABORTED));
    assert_memory_equal(line, expected, strlen(expected));
    assert_int_equal(metric(&c, "\nmoongate_accept_failures_total "), 3);
    case_close(&c);
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* What fails again and again rests in between: neither the loop nor the log is full of it. */
static void rests_when_nothing_is_accepted(int error)
{
    struct gateway_case c;
    uint64_t begin;
    int fd;

    open_case(&c, REPLY("hello"));
    fail_with(error, 1 << 30);
    fd = client(&c);
    ask(fd, "/");
    until(&failed, 1);
    begin = now_ms();
    until(&heard, 2);
    assert_in_range(failed, 2, 100 + (now_ms() - begin) / 2);
    assert_true(now_ms() - begin >= 500);   /* a line a second */
    failures = 0;
    assert_string_equal(body(hear(fd)), "hello");
    case_close(&c);
}

static void rests_when_accepting_is_forbidden(void **state)
{
    (void)state;
    rests_when_nothing_is_accepted(EPERM);
}

static void rests_when_accepting_is_impossible(void **state)
{
    (void)state;
    rests_when_nothing_is_accepted(EACCES);
}

static void rests_when_descriptors_run_out(void **state)
{
    (void)state;
    rests_when_nothing_is_accepted(EMFILE);
}

/* One listener that cannot accept does not make the others rest: they serve while it does. */
static void one_rests_alone(void **state)
{
    struct gateway_case c;
    int fd, before, tries = 0;

    (void)state;
    open_case(&c, REPLY("hello") "gate.listen { '127.0.0.1:0' }\n");
    fail_with(EACCES, 1 << 30);
    failing = port_of(&c, 1);
    fd = client_at(failing);
    ask(fd, "/");
    until(&failed, 1);
    do {
        before = failed;
        for (int i = 0; i < 5; i++)
            assert_string_equal(body(get(&c, "/")), "hello");
    } while (failed != before && ++tries < 200);
    assert_int_equal(failed, before);
    failures = 0;
    assert_string_equal(body(hear(fd)), "hello");
    case_close(&c);
}

/* A listener that the kernel does not watch is not lost for ever. */
static void what_is_not_watched_is_tried_again(void **state)
{
    struct gateway_case c;

    (void)state;
    unwatched = 2;
    open_case(&c, REPLY("hello"));
    assert_string_equal(body(get(&c, "/")), "hello");
    assert_int_equal(unwatched, 0);
    until(&heard, 1);
    case_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_which_connections_are_lost),
        cmocka_unit_test(rests_when_accepting_is_forbidden),
        cmocka_unit_test(rests_when_accepting_is_impossible),
        cmocka_unit_test(rests_when_descriptors_run_out),
        cmocka_unit_test(one_rests_alone),
        cmocka_unit_test(what_is_not_watched_is_tried_again),
    };

    return cmocka_run_group_tests_name("run/acceptor", tests, NULL, NULL);
}
