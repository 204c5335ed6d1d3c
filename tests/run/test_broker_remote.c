/* covers: run/wire.c run/broker_local.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/socket.h"
#include "run/broker.h"

static int send_failure;    /* errno of sends to come */
static int send_failures;   /* how many of them fail */

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
    if (send_failures > 0) {
        send_failures--;
        errno = send_failure;
        return -1;
    }
    return syscall(SYS_sendmsg, fd, msg, flags);
}

/* An engine's loop with a remote broker; the test plays the supervisor at the other end. */
struct rig {
    struct gate_clock clock;
    struct gate_log log;
    struct gate_loop loop;
    struct gate_broker *broker;
    int far;
    struct gate_listen_set owned;   /* the supervisor's */
    struct gate_store store;
    uint32_t lost;                  /* sockets of each answer that do not come through */
    enum gate_wire_kind commands[8];
    int n_commands;
    int orphaned;
    bool asks;                      /* the first command asks a question */
};

static void ask_for_an_address(struct rig *r);

static void on_command(void *arg, enum gate_wire_kind command)
{
    struct rig *r = arg;

    assert_true(r->n_commands < 8);
    r->commands[r->n_commands++] = command;
    if (r->asks) {
        r->asks = false;
        ask_for_an_address(r);
    }
}

static void on_orphaned(void *arg)
{
    ((struct rig *)arg)->orphaned++;
}

static int rig_open(void **state)
{
    static struct rig r;
    int pair[2];

    memset(&r, 0, sizeof(r));
    gate_clock_init(&r.clock);
    assert_int_equal(gate_loop_open(&r.loop, &r.clock, &r.log), GATE_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    fcntl(pair[1], F_SETFL, O_NONBLOCK);
    r.far = pair[0];
    r.broker = gate_broker_remote_new(&r.loop, pair[1], on_command, on_orphaned, &r);
    gate_listen_set_init(&r.owned);
    gate_store_init(&r.store);
    *state = &r;
    return 0;
}

static int rig_close(void **state)
{
    struct rig *r = *state;

    gate_broker_free(&r->broker);
    if (r->far >= 0)
        close(r->far);
    gate_listen_set_fini(&r->owned);
    gate_store_fini(&r->store);
    gate_loop_close(&r->loop);
    return 0;
}

static struct gate_listen_wish wish_of(const char *text)
{
    struct gate_listen_wish w;

    memset(&w, 0, sizeof(w));
    assert_int_equal(gate_addr_parse(gate_str_from_cstr(text), &w.addr), GATE_OK);
    w.sockets = 2;
    w.mode = -1;
    return w;
}

/* Answers questions until the engine hangs up; first sends an order, which must not be lost. */
static void *supervisor(void *arg)
{
    struct rig *r = arg;
    struct gate_wire m = { .kind = GATE_WIRE_RELOAD };
    int fds[GATE_LISTEN_MAX];
    uint32_t n;

    gate_wire_send(r->far, &m, NULL, 0);
    while (gate_wire_receive(r->far, &m, fds, &n) == GATE_OK && m.kind != GATE_WIRE_READY) {
        struct gate_wire a = { .kind = GATE_WIRE_SOCKETS, .number = m.number };
        struct gate_listen_point *p = gate_listen_set_find(&r->owned, &m.wish);

        if (m.kind == GATE_WIRE_FORGET) {
            gate_listen_set_drop(&p);
            a.kind = GATE_WIRE_FORGOTTEN;
            gate_wire_send(r->far, &a, NULL, 0);
            continue;
        }
        a.err = (int32_t)gate_listen_set_get(&r->owned, &m.wish, &p);
        a.sys_errno = errno;
        if (a.err == GATE_OK) {
            a.bound = p->bound;
            a.wish.sockets = p->n;
        }
        gate_wire_send(r->far, &a, a.err == GATE_OK ? p->fds : NULL,
                       a.err == GATE_OK ? p->n - r->lost : 0);
    }
    return NULL;
}

/* One question to a supervisor that sends an order before it answers. */
static void ask_for_an_address(struct rig *r)
{
    struct gate_listen_wish w = wish_of("127.0.0.1:0");
    struct gate_listen_point *p;
    pthread_t thread;

    pthread_create(&thread, NULL, supervisor, r);
    assert_int_equal(gate_broker_listen(r->broker, &w, &p), GATE_OK);
    gate_broker_ready(r->broker, 100);
    pthread_join(thread, NULL);
}

static void send_order(struct rig *r, enum gate_wire_kind kind)
{
    struct gate_wire m = { .kind = kind };

    assert_int_equal(gate_wire_send(r->far, &m, NULL, 0), GATE_OK);
}

/* However often one was given while the engine waited: it hears of each kind, and owns to all. */
static void no_order_is_lost_behind_many(void **state)
{
    struct rig *r = *state;
    int fds[GATE_LISTEN_MAX];
    struct gate_wire m;
    uint32_t n;

    for (int i = 0; i < 40; i++)
        send_order(r, GATE_WIRE_RELOAD);
    send_order(r, GATE_WIRE_DRAIN);
    ask_for_an_address(r);
    gate_loop_turn(&r->loop, false);
    assert_int_equal(r->n_commands, 2);
    assert_int_equal(r->commands[0], GATE_WIRE_RELOAD);
    assert_int_equal(r->commands[1], GATE_WIRE_DRAIN);
    assert_int_equal(gate_wire_receive(r->far, &m, fds, &n), GATE_OK);
    assert_int_equal(m.kind, GATE_WIRE_HEARD);
    assert_int_equal(m.number, 41);
}

/* What the first one has begun may have read what was there before the second one came. */
static void an_order_amid_its_like_comes_again(void **state)
{
    struct rig *r = *state;

    r->asks = true;
    send_order(r, GATE_WIRE_RELOAD);
    while (r->n_commands < 2)
        gate_loop_turn(&r->loop, true);
    assert_int_equal(r->commands[0], GATE_WIRE_RELOAD);
    assert_int_equal(r->commands[1], GATE_WIRE_RELOAD);
}

static void sockets_come_over_the_wire(void **state)
{
    struct rig *r = *state;
    struct gate_listen_wish w = wish_of("127.0.0.1:0");
    struct gate_listen_point *p, *again;
    struct gate_addr name;
    int fds[GATE_LISTEN_MAX];
    struct gate_wire m;
    pthread_t thread;
    uint32_t n;
    int fd;

    pthread_create(&thread, NULL, supervisor, r);
    assert_int_equal(gate_broker_listen(r->broker, &w, &p), GATE_OK);
    assert_int_equal(p->n, 2);
    assert_int_equal(gate_socket_name(p->fds[1], &name), GATE_OK);
    assert_true(gate_addr_eq(&name, &p->bound));
    assert_int_equal(fcntl(p->fds[1], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(gate_broker_listen(r->broker, &w, &again), GATE_OK);
    assert_ptr_equal(p, again);

    /* What is taken is refused, with the supervisor's reason. */
    w = wish_of("127.0.0.1:0");
    w.addr = p->bound;
    assert_int_equal(gate_broker_listen(r->broker, &w, &again), GATE_E_SYS);
    assert_int_equal(errno, EADDRINUSE);

    gate_broker_forget(r->broker, &p);
    assert_null(p);
    assert_int_not_equal(gate_socket_connect(&name, &fd), GATE_OK);
    gate_broker_ready(r->broker, 100);
    pthread_join(thread, NULL);

    /* The order that came first is delivered by the loop, not by the question. */
    assert_int_equal(r->n_commands, 0);
    gate_loop_turn(&r->loop, false);
    assert_int_equal(r->n_commands, 1);
    assert_int_equal(r->commands[0], GATE_WIRE_RELOAD);
    /* Only now is it the engine's: had it died before, the next one would get it. */
    assert_int_equal(gate_wire_receive(r->far, &m, fds, &n), GATE_OK);
    assert_int_equal(m.kind, GATE_WIRE_HEARD);
    assert_int_equal(m.number, 1);
}

/* The engine has given up waiting for it: it is not the next question's. */
static void an_answer_that_comes_late_is_nobodys(void **state)
{
    struct rig *r = *state;
    struct gate_listen_wish w = wish_of("127.0.0.1:0"), other = wish_of("127.0.0.2:0");
    struct gate_wire late = { .kind = GATE_WIRE_SOCKETS };
    struct gate_listen_point *p;
    struct gate_addr name;
    pthread_t thread;

    assert_int_equal(gate_listen_set_get(&r->owned, &other, &p), GATE_OK);
    late.bound = p->bound;
    late.wish.sockets = p->n;
    assert_int_equal(gate_wire_send(r->far, &late, p->fds, p->n), GATE_OK);
    pthread_create(&thread, NULL, supervisor, r);
    assert_int_equal(gate_broker_listen(r->broker, &w, &p), GATE_OK);
    assert_int_equal(gate_socket_name(p->fds[0], &name), GATE_OK);
    gate_addr_set_port(&name, 0);
    assert_true(gate_addr_eq(&name, &w.addr));
    gate_broker_ready(r->broker, 100);
    pthread_join(thread, NULL);
    gate_loop_turn(&r->loop, false);
    assert_int_equal(r->n_commands, 1);
    assert_int_equal(r->commands[0], GATE_WIRE_RELOAD);
}

/* The kernel leaves out descriptors that are over the receiver's limit: an address with fewer
 * sockets than it should have would lose connections. */
static void sockets_that_do_not_come_through_are_missed(void **state)
{
    struct rig *r = *state;
    struct gate_listen_wish w = wish_of("127.0.0.1:0");
    struct gate_listen_point *p;
    pthread_t thread;

    r->lost = 1;
    pthread_create(&thread, NULL, supervisor, r);
    assert_int_equal(gate_broker_listen(r->broker, &w, &p), GATE_E_SYS);
    assert_int_equal(errno, EMFILE);
    assert_null(gate_listen_set_find(&r->broker->set, &w));
    gate_broker_ready(r->broker, 100);
    pthread_join(thread, NULL);
}

/* The supervisor's side of memory. */
static void *memory_keeper(void *arg)
{
    struct rig *r = arg;
    struct gate_wire m;
    int fds[GATE_LISTEN_MAX];
    uint32_t n;

    while (gate_wire_receive(r->far, &m, fds, &n) == GATE_OK && m.kind != GATE_WIRE_READY) {
        struct gate_wire a = { .kind = GATE_WIRE_MEMORY, .number = m.number };
        int fd;

        if (m.kind == GATE_WIRE_KEEP) {
            gate_store_keep(&r->store, &m.memory, fds[0]);
        } else if (m.kind == GATE_WIRE_DROP) {
            gate_store_drop(&r->store, &m.memory);
        } else {
            fd = gate_store_at(&r->store, m.number, &a.memory);
            gate_wire_send(r->far, &a, &fd, fd >= 0);
        }
    }
    return NULL;
}

static void memory_comes_back_over_the_wire(void **state)
{
    struct rig *r = *state;
    struct gate_store_name a = gate_store_name_of(GATE_STORE_DICT, GATE_STR("a"), 4096);
    struct gate_store_name b = gate_store_name_of(GATE_STORE_DICT, GATE_STR("b"), 4096), name;
    int fd = memfd_create("test", MFD_CLOEXEC), back;
    struct stat is, was;
    pthread_t thread;

    pthread_create(&thread, NULL, memory_keeper, r);
    assert_int_equal(gate_broker_kept(r->broker, 0, &name), -1);
    gate_broker_keep(r->broker, &b, fd);
    gate_broker_keep(r->broker, &a, fd);
    gate_broker_drop(r->broker, &b);
    back = gate_broker_kept(r->broker, 0, &name);
    assert_true(back >= 0 && back != fd);
    assert_memory_equal(&name, &a, sizeof(a));
    assert_int_equal(fstat(fd, &was), 0);
    assert_int_equal(fstat(back, &is), 0);
    assert_int_equal(is.st_ino, was.st_ino);
    assert_int_equal(gate_broker_kept(r->broker, 1, &name), -1);
    close(back);
    close(fd);
    gate_broker_ready(r->broker, 100);
    pthread_join(thread, NULL);
}

static void orders_arrive_in_order(void **state)
{
    struct rig *r = *state;

    for (enum gate_wire_kind k = GATE_WIRE_DRAIN; k <= GATE_WIRE_REOPEN; k++)
        send_order(r, k);
    while (r->n_commands < 4)
        gate_loop_turn(&r->loop, true);
    for (int i = 0; i < 4; i++)
        assert_int_equal(r->commands[i], GATE_WIRE_DRAIN + (unsigned)i);
}

/* What cannot be sent just now does not part the two. */
static void a_full_wire_is_waited_for(void **state)
{
    static const int errors[] = { EAGAIN, ENOBUFS, ENOMEM, ETOOMANYREFS, EINTR };
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        int fds[GATE_LISTEN_MAX];
        struct gate_wire m;
        uint32_t n;

        send_failure = errors[i];
        send_failures = 3;
        gate_broker_ready(r->broker, (uint32_t)i);
        assert_int_equal(gate_wire_receive(r->far, &m, fds, &n), GATE_OK);
        assert_int_equal(m.kind, GATE_WIRE_READY);
        assert_int_equal(m.number, i);
    }
    gate_loop_turn(&r->loop, false);
    assert_int_equal(r->orphaned, 0);
}

/* Without a supervisor the engine helps itself. */
static void an_orphan_listens_itself(void **state)
{
    struct rig *r = *state;
    struct gate_listen_wish w = wish_of("127.0.0.1:0");
    struct gate_listen_point *p;

    close(r->far);
    r->far = -1;
    while (r->orphaned == 0)
        gate_loop_turn(&r->loop, true);
    assert_int_equal(gate_broker_listen(r->broker, &w, &p), GATE_OK);
    assert_int_equal(p->n, 2);
    gate_broker_forget(r->broker, &p);
    gate_loop_turn(&r->loop, false);
    assert_int_equal(r->orphaned, 1);
}

static void a_local_broker_needs_nobody(void **state)
{
    struct gate_broker *b = gate_broker_local_new();
    struct gate_listen_wish w = wish_of("127.0.0.1:0");
    struct gate_store_name name = gate_store_name_of(GATE_STORE_DICT, GATE_STR("a"), 4096);
    struct gate_listen_point *p, *q;

    (void)state;
    assert_int_equal(gate_broker_listen(b, &w, &p), GATE_OK);
    w.nth = 1;
    assert_int_equal(gate_broker_listen(b, &w, &q), GATE_OK);
    gate_broker_ready(b, 0);
    gate_broker_keep(b, &name, -1);
    gate_broker_drop(b, &name);
    assert_int_equal(gate_broker_kept(b, 0, &name), -1);
    gate_broker_forget(b, &p);
    assert_null(p);
    gate_broker_free(&b);
    assert_null(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sockets_come_over_the_wire, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(an_answer_that_comes_late_is_nobodys, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(sockets_that_do_not_come_through_are_missed, rig_open,
                                        rig_close),
        cmocka_unit_test_setup_teardown(memory_comes_back_over_the_wire, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(no_order_is_lost_behind_many, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(an_order_amid_its_like_comes_again, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(orders_arrive_in_order, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(a_full_wire_is_waited_for, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(an_orphan_listens_itself, rig_open, rig_close),
        cmocka_unit_test(a_local_broker_needs_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
