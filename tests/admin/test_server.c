/* covers: admin/api.c admin/json.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/json.h"
#include "admin/server.h"

static int accept_failure;      /* errno of the calls to come; 0: they are the system's */
static int accepts;

int accept4(int fd, struct sockaddr *addr, socklen_t *n, int flags)
{
    accepts++;
    errno = accept_failure;
    return errno != 0 ? -1 : (int)syscall(SYS_accept4, fd, addr, n, flags);
}

struct rig {
    struct gate_clock clock;
    struct gate_log log;
    struct gate_loop loop;
    struct gate_admin *admin;
    char dir[32];
    char path[64];
    int reloads;
    uint64_t rollback;
    struct gate_handle ticket;
    uint64_t advanced;
    char order[1100];           /* for a canary: its three parts, with | between them */
};

static void on_status(void *arg, FILE *to)
{
    (void)arg;
    fputs("{\"x\":", to);
    gate_json_string(to, GATE_STR("a\"b\n"));
    gate_json_member(to, "y", GATE_STR("z"));
    gate_json_number(to, "n", 7);
    fputs("}", to);
}

static void on_metrics(void *arg, FILE *to)
{
    (void)arg;
    fputs("m 1\n", to);
}

static void on_reload(void *arg, struct gate_handle ticket)
{
    struct rig *r = arg;

    r->reloads++;
    r->ticket = ticket;
}

static void on_advance(void *arg, uint64_t ms)
{
    ((struct rig *)arg)->advanced += ms;
}

static void on_show(void *arg, enum gate_admin_page page, bool text, FILE *to)
{
    if (page == GATE_PAGE_STATUS)
        on_status(arg, to);
    else if (page == GATE_PAGE_METRICS)
        on_metrics(arg, to);
    else
        fprintf(to, "page %d %s", page, text ? "text" : "json");
}

static void on_explain(void *arg, const char *method, const char *url, FILE *to)
{
    (void)arg;
    fprintf(to, "%s of %s", method, url);
}

static void on_rollback(void *arg, uint64_t number, struct gate_handle ticket)
{
    struct rig *r = arg;

    r->rollback = number;
    r->ticket = ticket;
}

static void on_canary(void *arg, const char *share, const char *time, const char *conditions,
                      struct gate_handle ticket)
{
    struct rig *r = arg;

    snprintf(r->order, sizeof(r->order), "%s|%s|%s", share, time, conditions);
    gate_admin_answer(r->admin, ticket, 200, "begun\n");
}

static const struct gate_admin_ops ops = { on_show,     on_explain, on_reload,
                                           on_rollback, on_canary,  on_advance };

static int rig_open(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));

    gate_clock_init(&r->clock);
    assert_int_equal(gate_loop_open(&r->loop, &r->clock, &r->log), GATE_OK);
    strcpy(r->dir, "/tmp/gate-admin-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    snprintf(r->path, sizeof(r->path), "%s/s", r->dir);
    assert_int_equal(gate_admin_open(&r->loop, r->path, &ops, r, &r->admin), GATE_OK);
    *state = r;
    return 0;
}

static int rig_close(void **state)
{
    struct rig *r = *state;

    gate_admin_close(&r->admin);
    assert_int_equal(access(r->path, F_OK), -1);
    assert_int_equal(rmdir(r->dir), 0);
    gate_loop_close(&r->loop);
    free(r);
    return 0;
}

static int dial(struct rig *r)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    strcpy(a.sun_path, r->path);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

/* Turns the loop until the answer is complete: each one ends its connection. */
static const char *answer(struct rig *r, int fd)
{
    static char text[4096];
    size_t n = 0;

    for (;;) {
        ssize_t got = read(fd, text + n, sizeof(text) - 1 - n);

        if (got == 0)
            break;
        if (got > 0)
            n += (size_t)got;
        else
            assert_int_equal(errno, EAGAIN);
        gate_loop_turn(&r->loop, false);
    }
    close(fd);
    text[n] = '\0';
    return text;
}

static const char *ask(struct rig *r, const char *request)
{
    int fd = dial(r);

    assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    return answer(r, fd);
}

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void answers_status_and_metrics(void **state)
{
    struct rig *r = *state;
    const char *text = ask(r, "GET /status HTTP/1.1\r\nHost: x\r\n\r\n");

    assert_true(starts(text, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(text, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(text, "Connection: close\r\n"));
    assert_non_null(strstr(text, "\r\n\r\n{\"x\":\"a\\\"b\\u000a\",\"y\":\"z\",\"n\":7}"));
    text = ask(r, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_non_null(strstr(text, "text/plain; version=0.0.4"));
    assert_non_null(strstr(text, "\r\n\r\nm 1\n"));
}

static void tells_people_and_programs(void **state)
{
    struct rig *r = *state;
    const char *text = ask(r, "GET /generations HTTP/1.1\r\nHost: x\r\n\r\n");

    assert_non_null(strstr(text, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(text, "page 2 json"));
    text = ask(r, "GET /top HTTP/1.1\r\nHost: x\r\nAccept: text/plain\r\n\r\n");
    assert_non_null(strstr(text, "Content-Type: text/plain; charset=utf-8\r\n"));
    assert_non_null(strstr(text, "page 5 text"));
    text = ask(r, "POST /explain HTTP/1.1\r\nHost: x\r\nAccept: text/plain\r\n"
                  "Content-Length: 36\r\n\r\n{\"method\": \"GET\", \"url\": \"/a?b=c d\"}");
    assert_non_null(strstr(text, "\r\n\r\nGET of /a?b=c d"));
    text = ask(r, "POST /explain HTTP/1.1\r\nHost: x\r\nContent-Length: 36\r\n\r\n"
                  "{\"url\": \"/a?b=c d\", \"method\": \"GET\"}");
    assert_non_null(strstr(text, "\r\n\r\n{\"ok\":true,\"message\":\"GET of /a?b=c d\"}\n"));
    text = ask(r, "PUT /top HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert_non_null(strstr(text, "\r\nAllow: GET\r\n"));
    assert_non_null(strstr(text, "\r\n\r\n{\"ok\":false,\"message\":\"wrong method\"}\n"));
}

static void rolls_back(void **state)
{
    struct rig *r = *state;
    int fd = dial(r);
    static const char request[] = "POST /rollback HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n"
                                  "{\"number\": 7}";

    assert_int_equal(write(fd, request, sizeof(request) - 1), (ssize_t)sizeof(request) - 1);
    while (r->rollback == 0)
        gate_loop_turn(&r->loop, true);
    assert_int_equal(r->rollback, 7);
    gate_admin_answer(r->admin, r->ticket, 422, "no\n");
    assert_true(starts(answer(r, fd), "HTTP/1.1 422 "));
}

static const char *order(struct rig *r, const char *body)
{
    char request[1300];

    r->order[0] = '\0';
    snprintf(request, sizeof(request),
             "POST /canary HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", strlen(body),
             body);
    return ask(r, request);
}

static void takes_orders_for_a_canary(void **state)
{
    static const char *const bad[] = {
        "", "{}", "{\"share\": 5}", "{\"for\": \"60s\"}", "{\"share\": \"\"}",
        "{\"share\": \"5%\", \"abort-if\": \"kills > 0\"}",
        "{\"share\": \"5%\", \"for\": \"60s\", \"abort\": \"kills > 0\"}",
        "{\"share\": \"5%\", \"for\": \"60s\"", "{\"share\": \"5%\"} {}",
        "{\"share\": \"5555555555555555555555555555555555555%\"}",
    };
    struct rig *r = *state;

    assert_true(starts(order(r, "{\"share\": \"5%\", \"for\": \"60s\", \"abort_if\": "
                                "\"errors > 1%, kills > 0\"}"), "HTTP/1.1 200 "));
    assert_string_equal(r->order, "5%|60s|errors > 1%, kills > 0");
    assert_true(starts(order(r, " {\"share\":\"0.5%\",\"for\":\"5m\"}\n"), "HTTP/1.1 200 "));
    assert_string_equal(r->order, "0.5%|5m|");
    assert_true(starts(order(r, "{ \"share\" : \"1%\" }"), "HTTP/1.1 200 "));
    assert_string_equal(r->order, "1%||");
    assert_true(starts(order(r, "{\"abort_if\": \"kills > 0\", \"share\": \"5%\"}"),
                       "HTTP/1.1 200 "));
    assert_string_equal(r->order, "5%||kills > 0");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_true(starts(order(r, bad[i]), "HTTP/1.1 400 "));
        assert_string_equal(r->order, "");
    }
}

static void a_path_may_have_two_methods(void **state)
{
    struct rig *r = *state;
    const char *text = ask(r, "DELETE /canary HTTP/1.1\r\nHost: x\r\n\r\n");

    assert_true(starts(text, "HTTP/1.1 405 "));
    assert_non_null(strstr(text, "\r\nAllow: GET, POST\r\n"));
    text = ask(r, "GET /canary HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_non_null(strstr(text, "page 6 json"));
}

static void refuses(void **state)
{
    static const char *const cases[][2] = {
        { "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 " },
        { "POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405 " },
        { "GET /status HTTP/1.1\r\n\r\n", "HTTP/1.1 400 " },
        { "GET /status HTTP/1.1\nHost: x\n\n", "HTTP/1.1 400 " },
        { "POST /clock HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n", "HTTP/1.1 413 " },
        { "POST /clock HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          "HTTP/1.1 413 " },
        { "POST /clock HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 400 " },
        { "POST /rollback HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 400 " },
        { "POST /explain HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 400 " },
        { "POST /rollback HTTP/1.1\r\nHost: x\r\nContent-Length: 15\r\n\r\n{\"number\": 7} x",
          "HTTP/1.1 400 " },
        { "POST /rollback HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n{\"number\": 0}",
          "HTTP/1.1 400 " },
    };
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_true(starts(ask(r, cases[i][0]), cases[i][1]));
}

static void a_head_without_end_is_cut(void **state)
{
    struct rig *r = *state;
    static char junk[8000];
    int fd = dial(r);

    memset(junk, 'a', sizeof(junk));
    assert_int_equal(write(fd, "GET /", 5), 5);
    assert_int_equal(write(fd, junk, sizeof(junk)), (ssize_t)sizeof(junk));
    assert_true(starts(answer(r, fd), "HTTP/1.1 4"));
}

static void moves_the_clock(void **state)
{
    struct rig *r = *state;
    const char *text = ask(r, "POST /clock HTTP/1.1\r\nHost: x\r\nContent-Length: 19\r\n\r\n"
                              "{\"advance_ms\":1500}");

    assert_true(starts(text, "HTTP/1.1 200 "));
    assert_int_equal(r->advanced, 1500);
}

static void a_reload_answers_later(void **state)
{
    struct rig *r = *state;
    static const char request[] = "POST /reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    int fd = dial(r);

    assert_true(write(fd, request, sizeof(request) - 1) > 0);
    while (r->reloads == 0)
        gate_loop_turn(&r->loop, true);
    gate_admin_answer(r->admin, r->ticket, 422, "no\n");
    assert_true(starts(answer(r, fd), "HTTP/1.1 422 "));
    /* Its ticket is over: a second answer goes nowhere. */
    gate_admin_answer(r->admin, r->ticket, 200, "yes\n");
}

/* Whatever the reason: it is not asked again at once, and not given up. */
static void rests_when_it_cannot_accept(void **state)
{
    static const int errors[] = { EMFILE, EPERM, EACCES };
    static const char request[] = "GET /status HTTP/1.1\r\nHost: x\r\n\r\n";
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        int fd = dial(r);

        assert_true(write(fd, request, sizeof(request) - 1) > 0);
        accepts = 0;
        accept_failure = errors[i];
        for (int turn = 0; turn < 20; turn++)
            gate_loop_turn(&r->loop, false);
        accept_failure = 0;
        assert_int_equal(accepts, 1);
        assert_true(starts(answer(r, fd), "HTTP/1.1 200 "));
    }
}

static void a_silent_client_is_dropped(void **state)
{
    struct rig *r = *state;
    int fd = dial(r);

    gate_loop_turn(&r->loop, true);
    gate_clock_advance(&r->clock, 11 * GATE_SEC);
    gate_loop_refresh(&r->loop);
    assert_string_equal(answer(r, fd), "");
}

static void a_second_server_is_refused(void **state)
{
    struct rig *r = *state;
    struct gate_admin *other = NULL;

    assert_int_equal(gate_admin_open(&r->loop, r->path, &ops, r, &other), GATE_E_EXISTS);
    assert_null(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_status_and_metrics, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(tells_people_and_programs, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(rolls_back, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(takes_orders_for_a_canary, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(a_path_may_have_two_methods, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(refuses, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(a_head_without_end_is_cut, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(moves_the_clock, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(a_reload_answers_later, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(rests_when_it_cannot_accept, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(a_silent_client_is_dropped, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(a_second_server_is_refused, rig_open, rig_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
