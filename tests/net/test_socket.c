/* Sockets on 127.0.0.1, ::1 and in a directory of the test's own. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/socket.h"

static struct gate_addr addr_of(const char *text)
{
    struct gate_addr a;

    assert_int_equal(gate_addr_parse(gate_str_from_cstr(text), &a), GATE_OK);
    return a;
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t n = sizeof(value);

    assert_int_equal(getsockopt(fd, level, name, &value, &n), 0);
    return value;
}

static void assert_flags(int fd)
{
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

/* Listens on a free port of the host; *a is the address it got. */
static int listen_at(const char *text, struct gate_addr *a)
{
    int fd;

    *a = addr_of(text);
    assert_int_equal(gate_socket_listen(a, 0, &fd), GATE_OK);
    assert_int_equal(gate_socket_name(fd, a), GATE_OK);
    assert_int_not_equal(gate_addr_port(a), 0);
    assert_flags(fd);
    return fd;
}

static int connect_to(const struct gate_addr *a)
{
    struct pollfd p = { .events = POLLOUT };
    enum gate_err err = gate_socket_connect(a, &p.fd);

    while (err == GATE_E_AGAIN) {
        assert_true(poll(&p, 1, -1) >= 0);
        err = gate_socket_connected(p.fd);
    }
    assert_int_equal(err, GATE_OK);
    assert_flags(p.fd);
    return p.fd;
}

static int accept_one(int listener, struct gate_addr *peer)
{
    struct pollfd p = { .fd = listener, .events = POLLIN };
    int fd;

    assert_int_equal(poll(&p, 1, -1), 1);
    assert_int_equal(gate_socket_accept(listener, &fd, peer), GATE_OK);
    assert_flags(fd);
    return fd;
}

static void accepts_and_connects(const char *host)
{
    struct gate_addr at;
    struct gate_addr peer;
    struct gate_addr own;
    int listener = listen_at(host, &at);
    int server;
    int client;

    assert_int_equal(gate_socket_accept(listener, &server, &peer), GATE_E_AGAIN);
    client = connect_to(&at);
    server = accept_one(listener, &peer);
    assert_int_equal(gate_socket_name(client, &own), GATE_OK);
    assert_true(gate_addr_eq(&peer, &own));
    assert_int_equal(option(client, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option(server, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
    close(client);
    close(server);
    close(listener);
}

static void ipv4(void **state)
{
    (void)state;
    accepts_and_connects("127.0.0.1:0");
}

static void ipv6(void **state)
{
    (void)state;
    if (access("/proc/net/if_inet6", R_OK) != 0)
        skip();
    accepts_and_connects("[::1]:0");
}

static void any_is_dual_stack(void **state)
{
    struct gate_addr at;
    struct gate_addr four = addr_of("127.0.0.1:0");
    struct gate_addr peer;
    int listener = listen_at(":0", &at);
    int client;

    (void)state;
    gate_addr_set_port(&four, gate_addr_port(&at));
    client = connect_to(&four);
    close(accept_one(listener, &peer));
    close(client);
    close(listener);
}

static void explicit_ipv6_is_only_that(void **state)
{
    struct gate_addr at;
    int listener;

    (void)state;
    if (access("/proc/net/if_inet6", R_OK) != 0)
        skip();
    listener = listen_at("[::1]:0", &at);
    assert_int_equal(option(listener, IPPROTO_IPV6, IPV6_V6ONLY), 1);
    close(listener);
}

static void port_is_shared_only_by_consent(void **state)
{
    struct gate_addr at;
    int first = listen_at("127.0.0.1:0", &at);
    int second;

    (void)state;
    assert_int_equal(gate_socket_listen(&at, 16, &second), GATE_OK);
    close(second);
    close(first);

    first = socket(AF_INET, SOCK_STREAM, 0);    /* without SO_REUSEPORT */
    at = addr_of("127.0.0.1:0");
    assert_int_equal(bind(first, &at.u.sa, at.len), 0);
    assert_int_equal(listen(first, 1), 0);
    assert_int_equal(gate_socket_name(first, &at), GATE_OK);
    assert_int_equal(gate_socket_listen(&at, 16, &second), GATE_E_SYS);
    assert_int_equal(errno, EADDRINUSE);
    assert_int_equal(second, -1);
    close(first);
}

static void refused_connect(void **state)
{
    struct gate_addr at;
    struct pollfd p = { .events = POLLOUT };
    enum gate_err err;

    (void)state;
    close(listen_at("127.0.0.1:0", &at));
    err = gate_socket_connect(&at, &p.fd);
    if (err == GATE_E_AGAIN) {
        assert_int_equal(poll(&p, 1, -1), 1);
        err = gate_socket_connected(p.fd);
        close(p.fd);
    }
    assert_int_equal(err, GATE_E_REFUSED);
    assert_int_equal(errno, ECONNREFUSED);
}

/* Not connected and not failed: a connect whose answer is not there yet looks the same. */
static void connect_under_way(void **state)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    assert_int_equal(gate_socket_connected(fd), GATE_E_AGAIN);
    close(fd);
    assert_int_equal(gate_socket_connected(fd), GATE_E_SYS);
}

static void accept_without_descriptors(void **state)
{
    struct gate_addr at;
    struct gate_addr peer;
    int listener = listen_at("127.0.0.1:0", &at);
    int client = connect_to(&at);
    struct pollfd p = { .fd = listener, .events = POLLIN };
    struct rlimit before;
    struct rlimit none;
    int fd;

    (void)state;
    assert_int_equal(poll(&p, 1, -1), 1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(gate_socket_accept(listener, &fd, &peer), GATE_E_LIMIT);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    close(accept_one(listener, &peer));
    assert_int_equal(gate_socket_accept(client, &fd, &peer), GATE_E_SYS);
    close(client);
    close(listener);
}

static void counts_unsent_bytes(void **state)
{
    struct gate_addr at;
    struct gate_addr peer;
    int listener = listen_at("127.0.0.1:0", &at);
    int client = connect_to(&at);
    int server = accept_one(listener, &peer);
    char block[4096] = { 0 };
    size_t sent = 0;
    ssize_t n;

    (void)state;
    assert_int_equal(gate_socket_unsent(client), 0);
    while ((n = send(client, block, sizeof(block), 0)) > 0)
        sent += (size_t)n;
    assert_in_range(gate_socket_unsent(client), 1, sent);
    close(server);
    close(client);
    close(listener);
    assert_int_equal(gate_socket_unsent(-1), 0);
}

/* Unix sockets, in a new directory */

static char dir[64];
static char path[96];

static int setup_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/gate-socket-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    return 0;
}

static int teardown_dir(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static struct gate_addr unix_addr(void)
{
    char text[128];

    snprintf(text, sizeof(text), "unix:%s", path);
    return addr_of(text);
}

static void unix_listener(void **state)
{
    struct gate_addr a = unix_addr();
    struct gate_addr peer;
    struct stat st;
    int listener;
    int client;
    int other;

    (void)state;
    assert_int_equal(gate_socket_listen_unix(&a, 0666, 0, &listener), GATE_OK);
    assert_flags(listener);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0666);
    client = connect_to(&a);
    close(accept_one(listener, &peer));
    assert_int_equal(peer.u.sa.sa_family, AF_UNIX);
    close(client);

    /* A live one is not taken over. */
    assert_int_equal(gate_socket_listen_unix(&a, -1, 0, &other), GATE_E_EXISTS);
    assert_int_equal(other, -1);
    close(connect_to(&a));

    /* A dead one is, and the umask decides on its mode. */
    close(listener);
    assert_int_equal(stat(path, &st), 0);
    umask(077);
    assert_int_equal(gate_socket_listen_unix(&a, -1, 0, &listener), GATE_OK);
    umask(022);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    close(connect_to(&a));
    close(listener);
    assert_int_equal(gate_socket_connect(&a, &client), GATE_E_REFUSED);
    assert_int_equal(client, -1);
}

static void unix_path_of_a_file(void **state)
{
    struct gate_addr a = unix_addr();
    struct stat st;
    int fd = open(path, O_CREAT | O_WRONLY, 0600);

    (void)state;
    close(fd);
    assert_int_equal(gate_socket_listen_unix(&a, -1, 0, &fd), GATE_E_EXISTS);
    assert_int_equal(stat(path, &st), 0);       /* not ours to remove */
    assert_true(S_ISREG(st.st_mode));
}

static void unix_path_without_directory(void **state)
{
    struct gate_addr a;
    int fd;

    (void)state;
    snprintf(path + strlen(path), sizeof(path) - strlen(path), "/x");
    a = unix_addr();
    assert_int_equal(gate_socket_listen_unix(&a, -1, 0, &fd), GATE_E_SYS);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(gate_socket_connect(&a, &fd), GATE_E_REFUSED);
    assert_int_equal(errno, ENOENT);
}

static void unix_backlog_full(void **state)
{
    struct gate_addr a = unix_addr();
    enum gate_err err = GATE_OK;
    int fds[8];
    int listener;
    size_t n = 0;

    (void)state;
    assert_int_equal(gate_socket_listen_unix(&a, -1, 1, &listener), GATE_OK);
    while (n < 8 && (err = gate_socket_connect(&a, &fds[n])) == GATE_OK)
        n++;
    assert_int_equal(err, GATE_E_REFUSED);

    /* Full is not dead. */
    assert_int_equal(gate_socket_listen_unix(&a, -1, 1, &fds[n]), GATE_E_EXISTS);
    while (n > 0)
        close(fds[--n]);
    close(listener);
}

#define UNIX(t) cmocka_unit_test_setup_teardown(t, setup_dir, teardown_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv4),
        cmocka_unit_test(ipv6),
        cmocka_unit_test(any_is_dual_stack),
        cmocka_unit_test(explicit_ipv6_is_only_that),
        cmocka_unit_test(port_is_shared_only_by_consent),
        cmocka_unit_test(refused_connect),
        cmocka_unit_test(connect_under_way),
        cmocka_unit_test(accept_without_descriptors),
        cmocka_unit_test(counts_unsent_bytes),
        UNIX(unix_listener),
        UNIX(unix_path_of_a_file),
        UNIX(unix_path_without_directory),
        UNIX(unix_backlog_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
