/* HTTP/2 by hand: frames written byte for byte, right or wrong, and what came back taken apart. */
#ifndef GATE_TESTS_H2_RAW_H
#define GATE_TESTS_H2_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum test_h2_type {
    TEST_H2_DATA,
    TEST_H2_HEADERS,
    TEST_H2_PRIORITY,
    TEST_H2_RST,
    TEST_H2_SETTINGS,
    TEST_H2_PUSH,
    TEST_H2_PING,
    TEST_H2_GOAWAY,
    TEST_H2_WINDOW,
    TEST_H2_CONTINUATION
};

enum { TEST_H2_END = 1, TEST_H2_ACK = 1, TEST_H2_WHOLE = 4 };

/* Bytes to be sent. Zeroed is empty; freed by test_h2_clear. */
struct test_h2_out {
    char *p;
    size_t n;
    size_t cap;
};
void test_h2_put(struct test_h2_out *o, const void *p, size_t n);
void test_h2_clear(struct test_h2_out *o);
void test_h2_preface(struct test_h2_out *o);
void test_h2_frame(struct test_h2_out *o, int type, int flags, uint32_t id, const void *p, size_t n);

/* A frame with one number of 32 bits: WINDOW_UPDATE, RST_STREAM. */
void test_h2_number(struct test_h2_out *o, int type, uint32_t id, uint32_t number);

/* One field of a header block, as a literal that is not indexed. */
void test_h2_field(struct test_h2_out *block, const char *name, const char *value);

/* A HEADERS frame: "name: value" pairs until NULL; a pseudo-field's name begins with ':'. */
void test_h2_headers(struct test_h2_out *o, uint32_t id, int flags, const char *const *pairs);

/* method, path, http, example.test, and then pairs (may be NULL). */
void test_h2_request(struct test_h2_out *o, uint32_t id, int flags, const char *method,
                     const char *path, const char *const *pairs);

/* What came. Frames are looked at in order; heads are decoded. */
struct test_h2_stream {
    uint32_t id;
    char head[4096]; /* ":status: 200\n..." of all heads, trailers too */
    char *body;
    size_t n;
    bool ended;
    bool reset;
    uint32_t code; /* of the reset */
    uint32_t window; /* sum of its WINDOW_UPDATEs */
};
struct test_h2_in {
    char *p; /* not taken apart yet */
    size_t n;
    size_t cap;
    void *inflater;
    struct test_h2_stream streams[300];
    int n_streams;
    bool goaway;
    int goaways;
    uint32_t code; /* of the last GOAWAY */
    uint32_t last_id;
    int settings;
    int settings_acks;
    uint32_t setting[16]; /* the last value of each */
    int pings;
    int ping_acks;
    char ping[8];
    uint32_t window; /* sum of WINDOW_UPDATEs of the connection */
    int resets;
};
void test_h2_in_open(struct test_h2_in *in);
void test_h2_in_close(struct test_h2_in *in);
void test_h2_take(struct test_h2_in *in, const void *p, size_t n);
struct test_h2_stream *test_h2_stream(struct test_h2_in *in, uint32_t id);

#endif
