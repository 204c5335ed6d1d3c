/* See h2_raw.h. */
#include "h2_raw.h"

#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ------------------------------------------------------------------ writing */

void test_h2_put(struct test_h2_out *o, const void *p, size_t n)
{
    if (o->n + n > o->cap) {
        o->cap = (o->n + n) * 2;
        o->p = realloc(o->p, o->cap);
    }
    if (n > 0)
        memcpy(o->p + o->n, p, n);
    o->n += n;
}

void test_h2_clear(struct test_h2_out *o)
{
    free(o->p);
    memset(o, 0, sizeof(*o));
}

void test_h2_frame(struct test_h2_out *o, int type, int flags, uint32_t id, const void *p, size_t n)
{
    const uint8_t head[9] = {
        (uint8_t)(n >> 16),  (uint8_t)(n >> 8),   (uint8_t)n,         (uint8_t)type, (uint8_t)flags,
        (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id,
    };

    test_h2_put(o, head, sizeof(head));
    test_h2_put(o, p, n);
}

void test_h2_preface(struct test_h2_out *o)
{
    test_h2_put(o, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    test_h2_frame(o, TEST_H2_SETTINGS, 0, 0, NULL, 0);
}

void test_h2_number(struct test_h2_out *o, int type, uint32_t id, uint32_t number)
{
    const uint8_t v[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                          (uint8_t)number};

    test_h2_frame(o, type, 0, id, v, sizeof(v));
}

/* A string of a header block: its length with a prefix of seven bits. */
static void put_string(struct test_h2_out *block, const char *s)
{
    size_t n = strlen(s);
    uint8_t byte = (uint8_t)(n < 127 ? n : 127);

    test_h2_put(block, &byte, 1);
    if (n >= 127) {
        size_t rest = n - 127;

        for (; rest >= 128; rest >>= 7) {
            byte = (uint8_t)(rest | 128);
            test_h2_put(block, &byte, 1);
        }
        byte = (uint8_t)rest;
        test_h2_put(block, &byte, 1);
    }
    test_h2_put(block, s, n);
}

void test_h2_field(struct test_h2_out *block, const char *name, const char *value)
{
    test_h2_put(block, "", 1);
    put_string(block, name);
    put_string(block, value);
}

void test_h2_headers(struct test_h2_out *o, uint32_t id, int flags, const char *const *pairs)
{
    struct test_h2_out block = {0};

    for (; pairs != NULL && pairs[0] != NULL; pairs += 2)
        test_h2_field(&block, pairs[0], pairs[1]);
    test_h2_frame(o, TEST_H2_HEADERS, flags | TEST_H2_WHOLE, id, block.p, block.n);
    test_h2_clear(&block);
}

void test_h2_request(struct test_h2_out *o, uint32_t id, int flags, const char *method,
                     const char *path, const char *const *pairs)
{
    struct test_h2_out block = {0};

    test_h2_field(&block, ":method", method);
    test_h2_field(&block, ":scheme", "http");
    test_h2_field(&block, ":authority", "example.test");
    test_h2_field(&block, ":path", path);
    for (; pairs != NULL && pairs[0] != NULL; pairs += 2)
        test_h2_field(&block, pairs[0], pairs[1]);
    test_h2_frame(o, TEST_H2_HEADERS, flags | TEST_H2_WHOLE, id, block.p, block.n);
    test_h2_clear(&block);
}

/* ------------------------------------------------------------------ reading */

void test_h2_in_open(struct test_h2_in *in)
{
    nghttp2_hd_inflater *inflater;

    memset(in, 0, sizeof(*in));
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    in->inflater = inflater;
}

void test_h2_in_close(struct test_h2_in *in)
{
    for (int i = 0; i < in->n_streams; i++)
        free(in->streams[i].body);
    free(in->p);
    nghttp2_hd_inflate_del(in->inflater);
    memset(in, 0, sizeof(*in));
}

struct test_h2_stream *test_h2_stream(struct test_h2_in *in, uint32_t id)
{
    for (int i = 0; i < in->n_streams; i++)
        if (in->streams[i].id == id)
            return &in->streams[i];
    assert_true(in->n_streams < 300);
    in->streams[in->n_streams].id = id;
    return &in->streams[in->n_streams++];
}

static void add_head(struct test_h2_in *in, struct test_h2_stream *s, const uint8_t *p, size_t n)
{
    int flags = 0;

    while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
        nghttp2_nv nv;
        ssize_t used = nghttp2_hd_inflate_hd2(in->inflater, &nv, &flags, p, n, 1);

        assert_true(used >= 0);
        p += used;
        n -= (size_t)used;
        if (!(flags & NGHTTP2_HD_INFLATE_EMIT))
            continue;
        strncat(s->head, (char *)nv.name, nv.namelen);
        strcat(s->head, ": ");
        strncat(s->head, (char *)nv.value, nv.valuelen);
        strcat(s->head, "\n");
    }
    nghttp2_hd_inflate_end_headers(in->inflater);
}

static uint32_t number(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void of_connection(struct test_h2_in *in, int type, bool ack, const uint8_t *p, size_t n)
{
    if (type == TEST_H2_SETTINGS) {
        in->settings += !ack;
        in->settings_acks += ack;
        for (size_t i = 0; i + 6 <= n; i += 6)
            in->setting[p[i + 1] % 16] = number(p + i + 2);
    } else if (type == TEST_H2_PING) {
        in->pings += !ack;
        in->ping_acks += ack;
        memcpy(in->ping, p, 8);
    } else if (type == TEST_H2_GOAWAY) {
        in->goaway = true;
        in->goaways++;
        in->last_id = number(p) & 0x7fffffff;
        in->code = number(p + 4);
    } else if (type == TEST_H2_WINDOW) {
        in->window += number(p);
    }
}

static void of_stream(struct test_h2_in *in, struct test_h2_stream *s, int type, const uint8_t *p,
                      size_t n)
{
    if (type == TEST_H2_HEADERS) {
        add_head(in, s, p, n);
    } else if (type == TEST_H2_DATA) {
        s->body = realloc(s->body, s->n + n + 1);
        if (n > 0)
            memcpy(s->body + s->n, p, n);
        s->n += n;
        s->body[s->n] = '\0';
    } else if (type == TEST_H2_RST) {
        s->reset = true;
        s->code = number(p);
        in->resets++;
    } else if (type == TEST_H2_WINDOW) {
        s->window += number(p);
    }
}

void test_h2_take(struct test_h2_in *in, const void *bytes, size_t count)
{
    size_t at = 0;

    if (in->n + count > in->cap) {
        in->cap = (in->n + count) * 2;
        in->p = realloc(in->p, in->cap);
    }
    memcpy(in->p + in->n, bytes, count);
    in->n += count;
    while (in->n - at >= 9) {
        const uint8_t *p = (uint8_t *)in->p + at;
        size_t n = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
        uint32_t id = number(p + 5);

        if (in->n - at < 9 + n)
            break;
        if (id == 0) {
            of_connection(in, p[3], p[4] & TEST_H2_ACK, p + 9, n);
        } else {
            struct test_h2_stream *s = test_h2_stream(in, id);

            of_stream(in, s, p[3], p + 9, n);
            s->ended |= p[3] <= TEST_H2_HEADERS && (p[4] & TEST_H2_END);
        }
        at += 9 + n;
    }
    in->n -= at;
    memmove(in->p, in->p + at, in->n);
}
