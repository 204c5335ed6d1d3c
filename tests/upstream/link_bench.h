/* What tests of links share: one upstream "o" with up to two peers, both listening here, and
 * attempts at them. Included once. */
#ifndef GATE_TESTS_LINK_BENCH_H
#define GATE_TESTS_LINK_BENCH_H

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "held_attempt.h"

/* One upstream "o" with up to two peers, both listening here. */
struct bench {
    struct gate_clock clock;
    struct gate_loop loop;
    struct gate_counters counters;
    struct gate_registry *registry;
    struct gate_config *config;
    struct gate_links *links;
    struct gate_upstream_local *local;
    int listening[2];
    int port[2];
    struct gate_attempt a[8];
    struct gate_wait wait;
    enum gate_err dialed;
    bool woken;
    bool ended;
    int resets;
};

static inline int listen_here(int *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

/* Applies a configuration in which the upstream has the first or both peers, or only the second,
 * and these options. */
static inline void configure(struct bench *b, int first, int last, const char *options)
{
    char servers[256] = "", text[1024], why[256];
    size_t n = 0;

    for (int i = first; i <= last; i++)
        n += (size_t)snprintf(servers + n, sizeof(servers) - n, "%s{\"address\":\"127.0.0.1:%d\"}",
                              i > first ? "," : "", b->port[i]);
    snprintf(text, sizeof(text),
             "{\"format\":1,\"upstreams\":[{\"name\":\"o\",\"servers\":[%s]%s}]}", servers,
             options);
    gate_config_free(&b->config);
    if (gate_config_parse(gate_str_from_cstr(text), &b->config, why, sizeof(why)) != GATE_OK)
        fail_msg("%s", why);
    assert_int_equal(gate_registry_apply(b->registry, b->config), GATE_OK);
    b->local = gate_links_local(b->links, gate_registry_find(b->registry, GATE_STR("o")),
                                &b->config->upstreams[0]);
}

#define KEEP(idle, idle_ms, requests, age)                                                         \
    ",\"keepalive\":{\"idle\":" #idle ",\"idle_timeout_ms\":" #idle_ms                             \
    ",\"max_requests\":" #requests ",\"max_age_ms\":" #age "}"
#define PLENTY KEEP(64, 60000, 0, 0)

static inline int open_bench(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    gate_clock_init(&b->clock);
    assert_int_equal(gate_loop_open(&b->loop, &b->clock, NULL), GATE_OK);
    b->registry = gate_registry_new(2);
    b->links = gate_links_new(&b->loop, &b->counters, 1);
    b->listening[0] = listen_here(&b->port[0]);
    b->listening[1] = listen_here(&b->port[1]);
    configure(b, 0, 1, PLENTY);
    *state = b;
    return 0;
}

static inline void turns(struct bench *b, int n)
{
    while (n-- > 0)
        gate_loop_turn(&b->loop, false);
}

static inline int close_bench(void **state)
{
    struct bench *b = *state;

    for (int i = 0; i < 8; i++)
        end_attempt(&b->a[i], GATE_CLOSE_DRAIN);
    gate_links_free(&b->links);
    assert_null(b->links);
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_OPENED),
                     gate_counters_get(&b->counters, GATE_C_LINKS_CLOSED));
    gate_registry_free(&b->registry);
    gate_config_free(&b->config);
    assert_int_equal(b->loop.blocks.live, 0);
    gate_loop_close(&b->loop);
    close(b->listening[0]);
    close(b->listening[1]);
    free(b);
    return 0;
}

static inline void pass(struct bench *b, uint64_t ms)
{
    gate_clock_advance(&b->clock, ms * GATE_MS);
    turns(b, 3);
}

/* The whole of it. */
static inline enum gate_err dial_and_wait(struct gate_attempt *a, struct gate_upstream_local *local,
                                          struct gate_wait *wait)
{
    enum gate_err e = gate_attempt_dial(a, local);

    if (e == GATE_E_AGAIN)
        gate_attempt_wait(a, wait);
    return e;
}

/* The origin's end of the newest connection. */
static inline int accepted(struct bench *b, int i)
{
    int fd = -1;

    for (int t = 0; t < 10000 && fd < 0; t++) {
        turns(b, 1);
        fd = accept4(b->listening[i], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    assert_true(fd >= 0);
    return fd;
}

#endif
