/* Talk: one end of a connection that a test speaks by hand against a test gateway: what was read
 * stays until it is asked for, so that nothing is lost between two expectations. */
#ifndef GATE_TESTS_TALK_H
#define GATE_TESTS_TALK_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway.h"

struct test_talk {
    struct test_gateway *g;
    int fd;
    char *buf; /* terminated; bytes before `at` were asked for */
    size_t n;
    size_t cap;
    size_t at;
    size_t want; /* of the present expectation */
    const char *text;
    bool eof; /* in order or by reset */
    bool reset;
    size_t most; /* of one read; 0: no limit */
};

/* A route table with one route "/" to the upstream; the second takes more members, with a comma in
 * front. */
#define TEST_ROUTE_MORE(more)                                                                      \
    "[{\"name\":\"r\",\"host\":\"\",\"path\":\"/\",\"methods\":[],\"headers\":[],\"query\":[],"    \
    "\"when\":false,\"priority\":0,\"action\":\"upstream\",\"upstream\":\"o\",\"rewrite\":\"\","   \
    "\"use\":[],"                                                                                  \
    "\"timeouts\":{},\"upgrade\":[\"websocket\"],\"at\":\"t:3\"" more "}]"
#define TEST_ROUTE TEST_ROUTE_MORE(",\"max_body\":-1")

/* A new client of the gateway; the next connection the gateway makes to its origin; any descriptor.
 */
void test_talk_client(struct test_talk *t, struct test_gateway *g);
void test_talk_origin(struct test_talk *t, struct test_gateway *g);
void test_talk_on(struct test_talk *t, struct test_gateway *g, int fd);
void test_talk_close(struct test_talk *t);

/* Closes with a reset. */
void test_talk_abort(struct test_talk *t);

void test_say(struct test_talk *t, const char *text);

/* Sends n bytes of a pattern (test_pattern_at), turning the loop while the connection is full. */
void test_say_pattern(struct test_talk *t, size_t n);
char test_pattern_at(size_t i);

/* Runs the gateway until `text` was read; takes everything up to its end. Fails the test when it
 * does not come. Returns the bytes that were taken, terminated, until the next call. */
const char *test_hear(struct test_talk *t, const char *text);

/* The same for n bytes, checked to be the pattern from its start. */
void test_hear_pattern(struct test_talk *t, size_t n);

/* Reads what is there, without a turn of the loop. */
void test_talk_look(struct test_talk *t);

/* The connection ends; returns what came before the end and was not asked for. */
const char *test_hear_end(struct test_talk *t);

/* Some turns pass and nothing comes, neither bytes nor the end. */
void test_hear_nothing(struct test_talk *t);

#endif
