/* See talk.h. */
#include "talk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

void test_talk_on(struct test_talk *t, struct test_gateway *g, int fd)
{
    memset(t, 0, sizeof(*t));
    t->g = g;
    t->fd = fd;
    t->cap = 4096;
    t->buf = calloc(1, t->cap);
}

void test_talk_client(struct test_talk *t, struct test_gateway *g)
{
    test_talk_on(t, g, test_gateway_client(g));
}

void test_talk_origin(struct test_talk *t, struct test_gateway *g)
{
    test_talk_on(t, g, test_gateway_accept(g));
}

void test_talk_close(struct test_talk *t)
{
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
    free(t->buf);
    t->buf = NULL;
}

void test_talk_abort(struct test_talk *t)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};

    setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    test_talk_close(t);
}

void test_say(struct test_talk *t, const char *text)
{
    assert_int_equal(send(t->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

char test_pattern_at(size_t i)
{
    return (char)('a' + (i + i / 251 + i / 16384) % 26);
}

void test_say_pattern(struct test_talk *t, size_t n)
{
    char piece[8192];
    size_t at = 0;
    int idle = 0;

    while (at < n) {
        size_t take = n - at < sizeof(piece) ? n - at : sizeof(piece);
        ssize_t put;

        for (size_t i = 0; i < take; i++)
            piece[i] = test_pattern_at(at + i);
        put = send(t->fd, piece, take, MSG_NOSIGNAL);
        assert_true(put > 0 || errno == EAGAIN);
        idle = put > 0 ? 0 : idle + 1;
        assert_true(idle < 20000);
        at += put > 0 ? (size_t)put : 0;
        test_gateway_turns(t->g, 1);
    }
}

void test_talk_look(struct test_talk *t)
{
    size_t most = t->most;

    while (!t->eof) {
        ssize_t n;
        size_t room;

        if (t->cap - t->n < 4096) {
            t->cap *= 2;
            t->buf = realloc(t->buf, t->cap);
        }
        room = t->cap - t->n - 1;
        n = recv(t->fd, t->buf + t->n, t->most > 0 && most < room ? most : room, 0);
        if (n < 0 && errno == EAGAIN)
            break;
        t->reset = n < 0;
        t->eof = n <= 0;
        t->n += n > 0 ? (size_t)n : 0;
        t->buf[t->n] = '\0';
        most -= n > 0 && most > 0 ? (size_t)n : 0;
        if (t->most > 0 && most == 0)
            break;
    }
}

static bool has_text(void *arg)
{
    struct test_talk *t = arg;

    test_talk_look(t);
    return t->eof || strstr(t->buf + t->at, t->text) != NULL;
}

const char *test_hear(struct test_talk *t, const char *text)
{
    static char taken[1 << 21];
    const char *end;
    size_t n;

    t->text = text;
    test_gateway_until(t->g, has_text, t);
    end = strstr(t->buf + t->at, text);
    if (end == NULL)
        fail_msg("\"%s\" did not come%s, but: \"%s\"", text, t->eof ? " before the end" : "",
                 t->buf + t->at);
    n = (size_t)(end - t->buf) + strlen(text) - t->at;
    assert_true(n < sizeof(taken));
    memcpy(taken, t->buf + t->at, n);
    taken[n] = '\0';
    t->at += n;
    return taken;
}

static bool has_bytes(void *arg)
{
    struct test_talk *t = arg;

    test_talk_look(t);
    return t->eof || t->n - t->at >= t->want;
}

void test_hear_pattern(struct test_talk *t, size_t n)
{
    t->want = n;
    test_gateway_until(t->g, has_bytes, t);
    assert_true(t->n - t->at >= n);
    for (size_t i = 0; i < n; i++) {
        if (t->buf[t->at + i] != test_pattern_at(i))
            fail_msg("byte %zu of %zu differs", i, n);
    }
    t->at += n;
}

static bool has_ended(void *arg)
{
    struct test_talk *t = arg;

    test_talk_look(t);
    return t->eof;
}

const char *test_hear_end(struct test_talk *t)
{
    if (!test_gateway_until(t->g, has_ended, t))
        fail_msg("the connection did not end; it said: \"%s\"", t->buf + t->at);
    return t->buf + t->at;
}

void test_hear_nothing(struct test_talk *t)
{
    for (int i = 0; i < 20; i++) {
        test_gateway_turns(t->g, 1);
        test_talk_look(t);
    }
    if (t->n > t->at || t->eof)
        fail_msg("nothing was expected, but: \"%s\"%s", t->buf + t->at,
                 t->eof ? " and the end" : "");
}
