/* A gateway without processes, threads or scripts, for C tests: one worker on the caller's thread,
 * a configuration given as canonical JSON, clients on socket pairs, origins on 127.0.0.1 that the
 * test scripts by hand. */
#ifndef GATE_TESTS_GATEWAY_H
#define GATE_TESTS_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>

#include "exchange/worker.h"
#include "net/conn_fault.h"
#include "session/session.h"
#include "upstream/links.h"

/* Pipes that the worker may open. */
#define TEST_PIPES 2

struct test_gateway {
    struct gate_clock clock;
    struct gate_log log;
    struct gate_log_fd_sink sink;
    struct gate_worker worker;
    struct gate_registry *registry;
    struct gate_generation generation;
    struct gate_generation_seat seat;
    struct gate_listener *listener;
    int origin; /* listening socket */
    int origin_port;
};

/* `routes` is the JSON list of routes; the one upstream is "o", at the origin's port. */
void test_gateway_open(struct test_gateway *g, const char *routes);
void test_gateway_close(struct test_gateway *g);

/* The same with the configuration edited first: pairs of a text that must occur in it and what
 * replaces its first occurrence, ended by NULL. */
void test_gateway_open_with(struct test_gateway *g, const char *routes, const char *const *edits);

/* Moves the clock and lets the loop see it. Long spans pass in steps of at most a second, so that
 * timers fire in order. */
void test_gateway_pass(struct test_gateway *g, uint64_t ms);

/* A new client connection; the returned descriptor is the client's, non-blocking. */
int test_gateway_client(struct test_gateway *g);

/* Runs the loop until fn(arg) is true; false after 30 s. */
bool test_gateway_until(struct test_gateway *g, bool (*fn)(void *arg), void *arg);

/* Turns of the loop while nothing is to be waited for. */
void test_gateway_turns(struct test_gateway *g, int n);

/* Runs the loop until the origin has a connection; accepted, non-blocking. */
int test_gateway_accept(struct test_gateway *g);

/* Runs the loop until `fd` has given bytes that contain `text`, or its end (eof is set). What was
 * read is in buf, terminated. */
struct test_bytes {
    int fd;
    char buf[65536];
    size_t n;
    bool eof;
    const char *text;
};
bool test_gateway_read(struct test_gateway *g, struct test_bytes *b, int fd, const char *text);
void test_send(int fd, const char *bytes);

#endif
