/* Micro-benchmarks of http/: parser, serializer, field ids, body decoder.
 *
 *   bench_http                ns per operation of each, best of several rounds
 *   bench_http NAME COUNT     COUNT operations of one and nothing else, to count instructions:
 *                             valgrind --tool=callgrind bench_http request 1000 (and 2000: the
 *                             difference is what 1000 operations cost)
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "base/assert.h"
#include "http/body.h"
#include "http/date.h"
#include "http/parse.h"
#include "http/scan.h"
#include "http/target.h"
#include "http/write.h"

static const char REQUEST[] = "GET /bench/1k.bin HTTP/1.1\r\n"
                              "Host: 127.0.0.1:8080\r\n"
                              "User-Agent: wrk/4.1.0\r\n"
                              "Accept: */*\r\n\r\n";

static const char RESPONSE[] = "HTTP/1.1 200 OK\r\n"
                               "Server: floor/1.0\r\n"
                               "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                               "Content-Type: application/octet-stream\r\n"
                               "Content-Length: 1024\r\n"
                               "Connection: keep-alive\r\n\r\n";

static const char CHUNKS[] = "400\r\n%1024s\r\n0\r\n\r\n";

static const struct gate_head_limits limits = {
    .header_bytes = 32768,
    .header_count = 100,
    .target_bytes = 8192,
    .merge_slashes = true,
};

struct bench {
    struct gate_arena arena;
    struct gate_chunk_pool pool;
    struct gate_request_head req;
    struct gate_response_head res;
    char out[4096];
    char chunks[2048];
    size_t chunks_n;
    size_t sink;
};

static size_t scanned(const char *p, size_t n)
{
    struct gate_scan s = {0};
    const char *why;
    size_t len = 0;

    GATE_ASSERT(gate_scan_head(&s, p, n, &len, &why) == GATE_SCAN_DONE);
    return len;
}

static void bench_scan(struct bench *b)
{
    b->sink += scanned(REQUEST, sizeof REQUEST - 1);
}

static void bench_request(struct bench *b)
{
    size_t len = scanned(REQUEST, sizeof REQUEST - 1);

    gate_arena_clear(&b->arena);
    GATE_ASSERT(gate_parse_request(REQUEST, len, &limits, false, &b->arena, &b->req).status == 0);
}

static void bench_response(struct bench *b)
{
    size_t len = scanned(RESPONSE, sizeof RESPONSE - 1);

    gate_arena_clear(&b->arena);
    GATE_ASSERT(
        gate_parse_response(RESPONSE, len, &limits, GATE_M_GET, &b->arena, &b->res).status == 0);
}

#define FIELD(n_, id_, v_)                                                                         \
    {                                                                                              \
        .name = (n_), .value = (v_), .name_len = sizeof(n_) - 1, .id = (id_),                      \
        .value_len = sizeof(v_) - 1                                                                \
    }

static void bench_write_request(struct bench *b)
{
    const struct gate_field extra[] = {
        FIELD("Host", GATE_F_HOST, "127.0.0.1:8080"),
        FIELD("X-Forwarded-For", GATE_F_X_FORWARDED_FOR, "127.0.0.1"),
        FIELD("X-Forwarded-Proto", GATE_F_X_FORWARDED_PROTO, "http"),
        FIELD("Via", GATE_F_VIA, "1.1 moongate"),
    };
    struct gate_headers h = {.original = &b->req.fields, .arena = &b->arena};
    struct gate_message m = {
        .method = b->req.method_text,
        .path = b->req.path,
        .headers = &h,
        .drop = GATE_DROP_REQUEST,
        .drop_nominated = true,
        .extra = extra,
        .n_extra = GATE_COUNT_OF(extra),
    };
    struct gate_out o = gate_out_on(b->out, sizeof b->out);

    gate_write_head(&o, &m, GATE_STR_NONE);
    GATE_ASSERT(!o.full);
    b->sink += o.n;
}

static void bench_write_response(struct bench *b)
{
    const struct gate_field extra[] = {FIELD("Via", GATE_F_VIA, "1.1 moongate")};
    struct gate_headers h = {.original = &b->res.fields, .arena = &b->arena};
    struct gate_message m = {
        .status = 200,
        .headers = &h,
        .drop = GATE_DROP_RESPONSE,
        .drop_nominated = true,
        .extra = extra,
        .n_extra = 1,
        .framing = GATE_BODY_LENGTH,
        .content_length = 1024,
    };
    struct gate_out o = gate_out_on(b->out, sizeof b->out);

    gate_write_head(&o, &m, GATE_STR_NONE);
    GATE_ASSERT(!o.full);
    b->sink += o.n;
}

static void bench_field_id(struct bench *b)
{
    b->sink += gate_field_id_of("content-length", 14) + gate_field_id_of("X-Forwarded-Proto", 17) +
               gate_field_id_of("TE", 2) + gate_field_id_of("X-Something-Else", 16);
}

static void bench_chunks(struct bench *b)
{
    struct gate_body body;
    struct gate_str content;
    const char *p = b->chunks;
    const char *why;
    size_t n = b->chunks_n;
    size_t used;

    gate_body_init(&body, GATE_BODY_CHUNKED, 0);
    while (gate_body_feed(&body, p, n, &used, &content, &why) == GATE_BODY_DATA) {
        p += used;
        n -= used;
        b->sink += content.n;
    }
    p += used;
    n -= used;
    GATE_ASSERT(gate_body_trailers(&body, p, n, &used, &why) == GATE_BODY_DONE);
}

static void bench_path(struct bench *b)
{
    struct gate_str raw = GATE_STR("/a/./b/%7euser/../c%20d//e?");
    struct gate_str canonical, text;

    raw.n--;
    gate_arena_clear(&b->arena);
    GATE_ASSERT(gate_target_path(raw, &limits, &b->arena, &canonical, &text).status == 0);
    b->sink += canonical.n;
}

static void bench_date(struct bench *b)
{
    gate_date_http(784111777 + (int64_t)b->sink++, b->out);
}

static const struct {
    const char *name;
    void (*run)(struct bench *b);
    const char *after; /* what must have run before, by name */
} benches[] = {
    {"scan", bench_scan, NULL},
    {"request", bench_request, NULL},
    {"response", bench_response, NULL},
    {"write_request", bench_write_request, "request"},
    {"write_response", bench_write_response, "response"},
    {"field_id", bench_field_id, NULL},
    {"chunks", bench_chunks, NULL},
    {"path", bench_path, NULL},
    {"date", bench_date, NULL},
};

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run(struct bench *b, size_t i, size_t count)
{
    if (benches[i].after != NULL)
        (strcmp(benches[i].after, "request") == 0 ? bench_request : bench_response)(b);
    while (count-- > 0)
        benches[i].run(b);
}

static void measure(struct bench *b, size_t i)
{
    double best = 1e9;

    for (int round = 0; round < 7; round++) {
        double from = seconds();

        run(b, i, 200000);
        from = (seconds() - from) / 200000;
        best = from < best ? from : best;
    }
    printf("%-16s %8.1f ns\n", benches[i].name, best * 1e9);
}

int main(int argc, char **argv)
{
    static struct bench b;

    gate_chunk_pool_init(&b.pool);
    gate_arena_init(&b.arena, &b.pool);
    b.chunks_n = (size_t)snprintf(b.chunks, sizeof b.chunks, CHUNKS, "x");
    for (size_t i = 0; i < GATE_COUNT_OF(benches); i++) {
        if (argc < 2)
            measure(&b, i);
        else if (strcmp(argv[1], benches[i].name) == 0)
            run(&b, i, argc > 2 ? strtoul(argv[2], NULL, 10) : 1000);
    }
    gate_arena_clear(&b.arena);
    gate_chunk_pool_fini(&b.pool);
    return b.sink == 0;
}
