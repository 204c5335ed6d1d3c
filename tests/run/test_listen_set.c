#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/socket.h"
#include "run/listen_set.h"

static struct gate_listen_wish wish_of(const char *text, uint32_t sockets)
{
    struct gate_listen_wish w;

    memset(&w, 0, sizeof(w));
    assert_int_equal(gate_addr_parse(gate_str_from_cstr(text), &w.addr), GATE_OK);
    w.sockets = sockets;
    w.mode = -1;
    return w;
}

static void all_sockets_share_a_port(void **state)
{
    struct gate_listen_set set;
    struct gate_listen_wish w = wish_of("127.0.0.1:0", 3);
    struct gate_listen_point *p, *again;

    (void)state;
    gate_listen_set_init(&set);
    assert_int_equal(gate_listen_set_get(&set, &w, &p), GATE_OK);
    assert_int_equal(p->n, 3);
    assert_int_not_equal(gate_addr_port(&p->bound), 0);
    for (uint32_t i = 0; i < 3; i++) {
        struct gate_addr a;

        assert_int_equal(gate_socket_name(p->fds[i], &a), GATE_OK);
        assert_true(gate_addr_eq(&a, &p->bound));
    }
    /* The same wish is the same point; port 0 a second time is another. */
    assert_int_equal(gate_listen_set_get(&set, &w, &again), GATE_OK);
    assert_ptr_equal(again, p);
    w.nth = 1;
    assert_int_equal(gate_listen_set_get(&set, &w, &again), GATE_OK);
    assert_ptr_not_equal(again, p);
    assert_ptr_equal(gate_listen_set_find(&set, &w), again);
    gate_listen_set_drop(&again);
    assert_null(again);
    assert_null(gate_listen_set_find(&set, &w));
    gate_listen_set_fini(&set);
}

/* SO_REUSEPORT would let a second gateway in: it must not. */
static void a_port_in_use_is_refused(void **state)
{
    struct gate_listen_set mine, other;
    struct gate_listen_wish w = wish_of("127.0.0.1:0", 1);
    struct gate_listen_point *p, *q = NULL;

    (void)state;
    gate_listen_set_init(&mine);
    gate_listen_set_init(&other);
    assert_int_equal(gate_listen_set_get(&mine, &w, &p), GATE_OK);
    w.addr = p->bound;
    assert_int_equal(gate_listen_set_get(&other, &w, &q), GATE_E_SYS);
    assert_int_equal(errno, EADDRINUSE);
    assert_null(q);
    assert_true(gate_list_empty(&other.points));
    gate_listen_set_fini(&mine);
    /* And is free again once it is closed. */
    assert_int_equal(gate_listen_set_get(&other, &w, &q), GATE_OK);
    gate_listen_set_fini(&other);
}

static void unix_files_go_with_the_point(void **state)
{
    struct gate_listen_set set;
    struct gate_listen_wish w;
    struct gate_listen_point *p;
    char dir[] = "/tmp/gate-listen-XXXXXX";
    char text[64];
    struct stat st;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(text, sizeof(text), "unix:%s/s", dir);
    w = wish_of(text, 1);
    w.mode = 0600;
    gate_listen_set_init(&set);
    assert_int_equal(gate_listen_set_get(&set, &w, &p), GATE_OK);
    assert_int_equal(stat(text + 5, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    gate_listen_set_drop(&p);
    assert_int_equal(stat(text + 5, &st), -1);

    /* Released: somebody else owns the file. */
    assert_int_equal(gate_listen_set_get(&set, &w, &p), GATE_OK);
    gate_listen_set_release(&p);
    assert_int_equal(stat(text + 5, &st), 0);

    /* A stale one is replaced. */
    assert_int_equal(gate_listen_set_get(&set, &w, &p), GATE_OK);
    gate_listen_set_fini(&set);
    assert_int_equal(rmdir(dir), 0);
}

/* A successor whose queue is full takes no more for the moment, and is alive all the same. */
static void a_busy_successor_keeps_its_file(void **state)
{
    struct gate_listen_set set;
    struct gate_listen_wish w;
    struct gate_listen_point *p;
    char dir[] = "/tmp/gate-listen-XXXXXX";
    char text[64];
    struct stat st;
    int successor, clients[8], n = 0;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(text, sizeof(text), "unix:%s/s", dir);
    w = wish_of(text, 1);
    gate_listen_set_init(&set);
    assert_int_equal(gate_listen_set_get(&set, &w, &p), GATE_OK);
    assert_int_equal(unlink(text + 5), 0);
    assert_int_equal(gate_socket_listen_unix(&w.addr, -1, 1, &successor), GATE_OK);
    while (gate_socket_connect(&w.addr, &clients[n]) == GATE_OK)
        assert_true(++n < 8);
    gate_listen_set_drop(&p);
    assert_int_equal(stat(text + 5, &st), 0);
    while (n > 0)
        close(clients[--n]);
    close(successor);
    assert_int_equal(unlink(text + 5), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void sockets_are_a_multiple_of_workers(void **state)
{
    (void)state;
    assert_int_equal(gate_listen_sockets(1, 1), 1);
    assert_int_equal(gate_listen_sockets(2, 1), 2);
    assert_int_equal(gate_listen_sockets(2, 7), 8);
    assert_int_equal(gate_listen_sockets(3, 8), 9);
    assert_int_equal(gate_listen_sockets(8, 8), 8);
    assert_true(gate_listen_sockets(128, 512) <= GATE_LISTEN_MAX);
    assert_int_equal(gate_listen_sockets(100, 512), 200);
}

static void errors_name_the_mend(void **state)
{
    struct gate_listen_wish w = wish_of("127.0.0.1:80", 1);
    char text[256];

    (void)state;
    gate_listen_explain(&w.addr, EACCES, text, sizeof(text));
    assert_string_equal(text, "cannot listen on 127.0.0.1:80: Permission denied; ports below 1024 "
                              "need root or CAP_NET_BIND_SERVICE: choose a higher one");
    gate_listen_explain(&w.addr, EADDRINUSE, text, sizeof(text));
    assert_non_null(strstr(text, "choose another port"));
    assert_null(strchr(text, '\n'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sockets_share_a_port),
        cmocka_unit_test(a_port_in_use_is_refused),
        cmocka_unit_test(unix_files_go_with_the_point),
        cmocka_unit_test(a_busy_successor_keeps_its_file),
        cmocka_unit_test(sockets_are_a_multiple_of_workers),
        cmocka_unit_test(errors_name_the_mend),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
