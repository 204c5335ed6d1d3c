/* A gateway of the library (moongate.h) in a test: what its callbacks said, and a client. */
#ifndef GATE_TESTS_GATEWAY_CASE_H
#define GATE_TESTS_GATEWAY_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "moongate.h"

#define SIGNAL (SIGRTMIN + 3)

#define LISTEN "local gate = require 'moongate'\ngate.listen { '127.0.0.1:0' }\n"

/* A gateway file whose one route answers with a text. */
#define REPLY(text) LISTEN "gate.route { path = '/', reply = { 200, '" text "' } }\n"

struct gateway_case {
    struct gate_gateway *gw;
    _Atomic uint64_t ready;     /* generation of the last on_ready */
    _Atomic int refused;
    _Atomic int drained;
    _Atomic int killed;
    _Atomic pid_t thread;       /* of the last callback */
    _Atomic int other_threads;  /* callbacks on another one than that before */
    char text[2000];            /* what the last refusal or kill said */
};

static inline void note_thread(struct gateway_case *c)
{
    pid_t me = gettid();
    pid_t before = atomic_exchange(&c->thread, me);

    if (before != 0 && before != me)
        c->other_threads++;
}

static inline void case_ready(void *arg, uint64_t generation)
{
    struct gateway_case *c = arg;

    note_thread(c);
    c->ready = generation;
}

static inline void case_refused(void *arg, uint64_t generation, const struct gate_errors *errors)
{
    struct gateway_case *c = arg;

    note_thread(c);
    snprintf(c->text, sizeof(c->text), "%llu: %s", (unsigned long long)generation,
             gate_errors_at(errors, 0)->message);
    c->refused++;
}

static inline void case_drained(void *arg)
{
    struct gateway_case *c = arg;

    note_thread(c);
    c->drained++;
}

static inline void case_killed(void *arg, const struct gate_kill *k)
{
    struct gateway_case *c = arg;

    note_thread(c);
    snprintf(c->text, sizeof(c->text), "%s|%s|%s|%zu|%s:%u|%s", k->policy, k->hook, k->route,
             strlen(k->request), k->file, k->line, k->message);
    c->killed++;
}

static inline struct gate_setup case_setup(struct gateway_case *c)
{
    struct gate_setup s;

    memset(c, 0, sizeof(*c));
    gate_setup_init(&s);
    s.interrupt_signal = SIGNAL;
    s.workers = 2;
    s.arg = c;
    s.on_ready = case_ready;
    s.on_refused = case_refused;
    s.on_drained = case_drained;
    s.on_killed = case_killed;
    return s;
}

static inline void case_open(struct gateway_case *c)
{
    struct gate_setup s = case_setup(c);

    assert_int_equal(gate_open(&s, &c->gw), 0);
}

static inline void case_close(struct gateway_case *c)
{
    assert_int_equal(gate_close(&c->gw), 0);
    assert_null(c->gw);
    assert_int_equal(c->drained, 1);
    assert_int_equal(c->other_threads, 0);
}

static inline void add_text(struct gateway_case *c, const char *name, const char *text)
{
    assert_int_equal(gate_add_file(c->gw, name, text, strlen(text)), 0);
}

/* Loads a text as the gateway file; prints what is wrong with it. */
static inline uint64_t load_text(struct gateway_case *c, const char *text)
{
    struct gate_errors *errors;
    uint64_t id = 0;

    add_text(c, "gateway.lua", text);
    if (gate_load(c->gw, "gateway.lua", &id, &errors) != 0)
        fail_msg("%s", gate_errors_at(errors, 0)->message);
    assert_null(errors);
    assert_int_not_equal(id, 0);
    return id;
}

static inline void activate(struct gateway_case *c, uint64_t id)
{
    struct gate_errors *errors;

    if (gate_activate(c->gw, id, &errors) != 0)
        fail_msg("%s", gate_errors_at(errors, 0)->message);
    assert_int_equal(c->ready, id);
}

static inline uint64_t serve_text(struct gateway_case *c, const char *text)
{
    uint64_t id = load_text(c, text);

    activate(c, id);
    return id;
}

/* The port of a listener. */
static inline int port_of(struct gateway_case *c, uint32_t i)
{
    char address[64];

    assert_int_equal(gate_address(c->gw, i, address, sizeof(address)), 0);
    assert_memory_equal(address, "127.0.0.1:", 10);
    return atoi(address + 10);
}

static inline int client_at(int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)port);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static inline int client(struct gateway_case *c)
{
    return client_at(port_of(c, 0));
}

static inline void ask(int fd, const char *path)
{
    char text[300];
    int n = snprintf(text, sizeof(text),
                     "GET %s HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n", path);

    assert_int_equal(send(fd, text, (size_t)n, MSG_NOSIGNAL), n);
}

/* Reads to the end and closes; the answer with its head, until the next call. */
static inline const char *hear(int fd)
{
    static char text[65536];
    size_t n = 0;
    ssize_t got;

    while ((got = recv(fd, text + n, sizeof(text) - 1 - n, 0)) > 0)
        n += (size_t)got;
    close(fd);
    text[n] = '\0';
    return text;
}

static inline const char *get(struct gateway_case *c, const char *path)
{
    int fd = client(c);

    ask(fd, path);
    return hear(fd);
}

static inline const char *body(const char *answer)
{
    const char *at = strstr(answer, "\r\n\r\n");

    assert_non_null(at);
    return at + 4;
}

static inline void until(_Atomic int *n, int least)
{
    for (int i = 0; i < 4000 && *n < least; i++)
        usleep(5000);
    assert_true(*n >= least);
}

#endif
