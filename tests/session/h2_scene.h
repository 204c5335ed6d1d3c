/* A client of HTTP/2 by hand, a gateway with the one route "/", and its origin by hand. */
#ifndef GATE_TESTS_H2_SCENE_H
#define GATE_TESTS_H2_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "../support/h2_raw.h"
#include "../support/talk.h"
#include "session/session_int.h"

struct scene {
    struct test_gateway g;
    struct test_talk client;
    struct test_talk origin;
    struct test_h2_out say;
    struct test_h2_in heard;
    struct gate_fault_plan plan; /* of an unkind connection */
};

static const char *const http2[] = {"\"http2\":false", "\"http2\":true", NULL};

static inline int open_scene(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    test_gateway_open_with(&s->g, TEST_ROUTE, http2);
    test_talk_client(&s->client, &s->g);
    test_h2_in_open(&s->heard);
    test_h2_preface(&s->say);
    *state = s;
    return 0;
}

static inline int close_scene(void **state)
{
    struct scene *s = *state;

    if (s->client.buf != NULL)
        test_talk_close(&s->client);
    if (s->origin.buf != NULL)
        test_talk_close(&s->origin);
    test_h2_in_close(&s->heard);
    test_h2_clear(&s->say);
    test_gateway_turns(&s->g, 5);
    test_gateway_close(&s->g);
    free(s);
    return 0;
}

static inline void hear(struct scene *s)
{
    test_talk_look(&s->client);
    if (s->client.n > s->client.at)
        test_h2_take(&s->heard, s->client.buf + s->client.at, s->client.n - s->client.at);
    s->client.at = s->client.n;
}

/* Sends what was written and takes what comes back within some turns. */
static inline void say(struct scene *s)
{
    size_t at = 0;

    while (at < s->say.n) {
        ssize_t n = send(s->client.fd, s->say.p + at, s->say.n - at, MSG_NOSIGNAL);

        if (n > 0)
            at += (size_t)n;
        else
            test_gateway_turns(&s->g, 1);
    }
    s->say.n = 0;
    for (int i = 0; i < 10; i++) {
        test_gateway_turns(&s->g, 1);
        hear(s);
    }
}

struct waited {
    struct scene *s;
    const bool *flag;
};

static inline bool has_come(void *arg)
{
    struct waited *w = arg;

    hear(w->s);
    return *w->flag;
}

static inline void await(struct scene *s, const bool *flag)
{
    struct waited w = {s, flag};

    assert_true(test_gateway_until(&s->g, has_come, &w));
}

static inline struct test_h2_stream *answer_of(struct scene *s, uint32_t id)
{
    struct test_h2_stream *st = test_h2_stream(&s->heard, id);

    await(s, &st->ended);
    return st;
}

#endif
