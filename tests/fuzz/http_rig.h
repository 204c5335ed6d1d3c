/* What the HTTP fuzzers share: exact copies, a naive reading of field lines to compare with, and a
 * body decoder that is fed in two ways. All failures abort. */
#ifndef GATE_TESTS_FUZZ_HTTP_RIG_H
#define GATE_TESTS_FUZZ_HTTP_RIG_H

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "http/body.h"
#include "http/parse.h"
#include "http/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gate_head_limits rig_limits = {
    .header_bytes = 32768,
    .header_count = 100,
    .target_bytes = 8192,
    .merge_slashes = true,
};

/* Whole, and again byte by byte: the verdict and its place must be the same. Returns the head's
 * length, 0 if none. */
static inline size_t rig_scan(const char *p, size_t n, bool trailers)
{
    struct gate_scan whole = {0};
    struct gate_scan split = {0};
    enum gate_scan_result a, b = GATE_SCAN_MORE;
    const char *why_a = NULL, *why_b = NULL;
    size_t len_a = 0, len_b = 0;

    a = (trailers ? gate_scan_trailers : gate_scan_head)(&whole, p, n, &len_a, &why_a);
    for (size_t i = 1; i <= n && b == GATE_SCAN_MORE; i++)
        b = (trailers ? gate_scan_trailers : gate_scan_head)(&split, p, i, &len_b, &why_b);
    GATE_ASSERT(a == b && why_a == why_b && len_a == len_b && whole.lines == split.lines);
    return a == GATE_SCAN_DONE ? len_a : 0;
}

/* Reads the lines of a head in the plainest way and compares. `gone`: fields that were taken out.
 */
static inline void rig_fields(const char *p, size_t n, const struct gate_fields *fs, uint32_t gone)
{
    const char *end = p + n;
    const char *line = (const char *)memmem(p, n, "\r\n", 2) + 2;
    uint32_t i = 0;

    while (line[0] != '\r') {
        const char *stop = memmem(line, (size_t)(end - line), "\r\n", 2);
        const char *colon = memchr(line, ':', (size_t)(stop - line));
        struct gate_str value = gate_str_trim(gate_str_of(colon + 1, (size_t)(stop - colon - 1)));

        if (gone > 0 && memchr(line, '_', (size_t)(colon - line)) != NULL) {
            gone--;
        } else {
            GATE_ASSERT(i < fs->n && fs->v[i].name == line);
            GATE_ASSERT(fs->v[i].name_len == colon - line);
            GATE_ASSERT(gate_str_eq(gate_field_value(&fs->v[i]), value));
            GATE_ASSERT(gate_field_name_ok(gate_field_name(&fs->v[i])));
            i++;
        }
        line = stop + 2;
    }
    GATE_ASSERT(i == fs->n && gone == 0 && line + 2 == end);
}

struct rig_body {
    enum gate_body_result end;
    size_t used;
    uint64_t content;
    uint64_t hash;
};

/* Decodes [p, p+n) in pieces of `step`. */
static inline struct rig_body rig_body(enum gate_framing framing, uint64_t length, const char *p,
                                       size_t n, size_t step)
{
    struct rig_body r = {GATE_BODY_MORE, 0, 0, 14695981039346656037ull};
    struct gate_str content;
    struct gate_body b;
    const char *why = NULL;
    size_t have = 0;
    size_t used;

    gate_body_init(&b, framing, length);
    for (;;) {
        if (r.end == GATE_BODY_TRAILERS) {
            enum gate_body_result t =
                gate_body_trailers(&b, p + r.used, have - r.used, &used, &why);

            r.end = t == GATE_BODY_MORE ? r.end : t;
            used = t == GATE_BODY_DONE ? used : 0;
        } else {
            r.end = gate_body_feed(&b, p + r.used, have - r.used, &used, &content, &why);
            for (size_t i = 0; i < content.n; i++)
                r.hash = (r.hash ^ (uint8_t)content.p[i]) * 1099511628211ull;
            r.content += content.n;
        }
        r.used += used;
        GATE_ASSERT(r.used <= have && r.content == b.total);
        GATE_ASSERT(r.end != GATE_BODY_BAD || why != NULL);
        if (r.end == GATE_BODY_DONE || r.end == GATE_BODY_BAD)
            break;
        if (r.end == GATE_BODY_DATA || (r.end == GATE_BODY_TRAILERS && used > 0))
            continue;
        if (have == n)
            break;
        have = n - have < step ? n : have + step;
    }
    if (framing != GATE_BODY_EOF)
        GATE_ASSERT(b.done == (r.end == GATE_BODY_DONE));
    return r;
}

/* The splitting of the input decides nothing. */
static inline struct rig_body rig_body_twice(enum gate_framing framing, uint64_t length,
                                             const char *p, size_t n)
{
    struct rig_body a = rig_body(framing, length, p, n, n == 0 ? 1 : n);
    struct rig_body b = rig_body(framing, length, p, n, 1);

    GATE_ASSERT(a.end == b.end && a.used == b.used && a.content == b.content && a.hash == b.hash);
    return a;
}

#endif
