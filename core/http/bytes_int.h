/* Bytes: classes of octets and the few searches that head scanning and parsing share. Private to
 * http/. */
#ifndef GATE_HTTP_BYTES_INT_H
#define GATE_HTTP_BYTES_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/str.h"

enum gate_byte_class {
    GATE_C_TOKEN = 1,       /* RFC 9110 section 5.6.2 */
    GATE_C_VALUE = 2,       /* field value: HTAB, SP, VCHAR, obs-text */
    GATE_C_PCHAR = 4,       /* RFC 3986 pchar, but for '%' */
    GATE_C_EXTRA = 8,       /* bare in a path from common clients: escaped in the canonical form */
    GATE_C_QUERY = 16,      /* allowed in a query as received */
    GATE_C_UNRESERVED = 32, /* RFC 3986 section 2.3; also what a host name may hold */
    GATE_C_HEX = 64,
    GATE_C_UPPER = 128
};

extern const uint8_t gate_byte_classes[256];

static inline unsigned gate_byte_is(char c, unsigned classes)
{
    return gate_byte_classes[(uint8_t)c] & classes;
}

/* Value of a hexadecimal digit (the caller has checked that it is one). */
static inline unsigned gate_byte_hex(char c)
{
    return (unsigned)(c & 0x0f) + (c & 0x40 ? 9 : 0);
}

static inline uint64_t gate_bytes_load8(const char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t gate_bytes_load4(const char *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t gate_bytes_load2(const char *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

/* Copies what is mostly between 4 and 16 bytes long, such as names of fields, and then without a
 * call: as two words, which overlap. */
static inline void gate_bytes_copy_short(char *to, const char *from, size_t n)
{
    if (n - 4 > 12) {
        memcpy(to, from, n);
    } else if (n >= 8) {
        uint64_t first = gate_bytes_load8(from), last = gate_bytes_load8(from + n - 8);

        memcpy(to, &first, sizeof first);
        memcpy(to + n - 8, &last, sizeof last);
    } else {
        uint32_t first = gate_bytes_load4(from), last = gate_bytes_load4(from + n - 4);

        memcpy(to, &first, sizeof first);
        memcpy(to + n - 4, &last, sizeof last);
    }
}

/* Whether two words of n bytes (2..24) are equal but for case. The case bit is just left out of the
 * compare: for '-' and digits that would let a control byte pass, which neither a token nor a
 * scanned value holds. Loads overlap rather than run over the end. */
static inline bool gate_bytes_same_word(const char *a, const char *b, size_t n)
{
    uint64_t d;

    if (n >= 8) {
        d = (gate_bytes_load8(a) ^ gate_bytes_load8(b)) |
            (gate_bytes_load8(a + n - 8) ^ gate_bytes_load8(b + n - 8));
        if (n > 16)
            d |= gate_bytes_load8(a + 8) ^ gate_bytes_load8(b + 8);
    } else if (n >= 4) {
        d = (gate_bytes_load4(a) ^ gate_bytes_load4(b)) |
            (gate_bytes_load4(a + n - 4) ^ gate_bytes_load4(b + n - 4));
    } else {
        d = (gate_bytes_load2(a) ^ gate_bytes_load2(b)) |
            (gate_bytes_load2(a + n - 2) ^ gate_bytes_load2(b + n - 2));
    }
    return (d & ~0x2020202020202020ull) == 0;
}

/* The searches answer the index of the first hit at or after `i`, or n. They read nothing
 * outside [p, p+n). The scalar forms are the fallback, the tail of short inputs, and what tests
 * compare with. */
static inline size_t gate_bytes_text_end_scalar(const char *p, size_t i, size_t n)
{
    while (i < n && gate_byte_is(p[i], GATE_C_VALUE))
        i++;
    return i;
}

static inline size_t gate_bytes_token_end_scalar(const char *p, size_t i, size_t n)
{
    while (i < n && gate_byte_is(p[i], GATE_C_TOKEN))
        i++;
    return i;
}

static inline size_t gate_bytes_find_scalar(const char *p, size_t i, size_t n, char c)
{
    while (i < n && p[i] != c)
        i++;
    return i;
}

static inline bool gate_bytes_same_name_scalar(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i] && gate_lower(a[i]) != gate_lower(b[i]))
            return false;
    return true;
}

#ifdef __SSE2__

static inline __m128i gate_bytes_load(const char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* 4 to 16 bytes in loads that overlap: some stand there twice. */
static inline __m128i gate_bytes_load_short(const char *p, size_t n)
{
    if (n >= 8)
        return _mm_set_epi64x((long long)gate_bytes_load8(p + n - 8),
                              (long long)gate_bytes_load8(p));
    return _mm_set1_epi64x(
        (long long)(gate_bytes_load4(p) | (uint64_t)gate_bytes_load4(p + n - 4) << 32));
}

/* Bit k: byte k is a control but HTAB. */
static inline unsigned gate_bytes_controls_in(__m128i v)
{
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
    __m128i del = _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f));
    __m128i tab = _mm_cmpeq_epi8(v, _mm_set1_epi8('\t'));

    return (unsigned)_mm_movemask_epi8(_mm_andnot_si128(tab, _mm_or_si128(low, del)));
}

static inline unsigned gate_bytes_controls(const char *p)
{
    return gate_bytes_controls_in(gate_bytes_load(p));
}

/* The same for 64 bytes. */
static inline uint64_t gate_bytes_controls64(const char *p)
{
    return gate_bytes_controls(p) | (uint64_t)gate_bytes_controls(p + 16) << 16 |
           (uint64_t)gate_bytes_controls(p + 32) << 32 |
           (uint64_t)gate_bytes_controls(p + 48) << 48;
}

/* The same for the 64 bytes at `at`, fewer at the end of [p, p+n); n is at least 16. */
static inline uint64_t gate_bytes_controls_at(const char *p, size_t at, size_t n)
{
    uint64_t m = 0;

    if (n - at >= 64)
        return gate_bytes_controls64(p + at);
    if (n >= 64)
        return gate_bytes_controls64(p + n - 64) >> (64 - (n - at));
    for (size_t k = 0; k < n - at; k += 16) {
        if (n - at - k >= 16)
            m |= (uint64_t)gate_bytes_controls(p + at + k) << k;
        else
            m |= (uint64_t)(gate_bytes_controls(p + n - 16) >> (16 - (n - at - k))) << k;
    }
    return m;
}

/* Bit k: byte k is none of A-Z a-z 0-9 '-', which is all that most field names hold. */
static inline unsigned gate_bytes_not_plain_in(__m128i v)
{
    __m128i alpha = _mm_sub_epi8(_mm_or_si128(v, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    __m128i digit = _mm_sub_epi8(v, _mm_set1_epi8('0'));
    __m128i dash = _mm_cmpeq_epi8(v, _mm_set1_epi8('-'));

    alpha = _mm_cmpeq_epi8(_mm_min_epu8(alpha, _mm_set1_epi8(25)), alpha);
    digit = _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit);
    return 0xffffu ^ (unsigned)_mm_movemask_epi8(_mm_or_si128(dash, _mm_or_si128(alpha, digit)));
}

static inline unsigned gate_bytes_not_plain(const char *p)
{
    return gate_bytes_not_plain_in(gate_bytes_load(p));
}

/* Quick answers for short words: false may also mean that nothing was looked at. */
static inline bool gate_bytes_is_text(const char *p, size_t n)
{
    return n >= 4 && n <= 16 && gate_bytes_controls_in(gate_bytes_load_short(p, n)) == 0;
}

static inline bool gate_bytes_is_plain(const char *p, size_t n)
{
    return n >= 4 && n <= 16 && gate_bytes_not_plain_in(gate_bytes_load_short(p, n)) == 0;
}

/* Whether n bytes are equal but for the case of letters. */
static inline bool gate_bytes_same_name(const char *a, const char *b, size_t n)
{
    __m128i v, other, letter;

    if (n < 4 || n > 16)
        return gate_bytes_same_name_scalar(a, b, n);
    v = gate_bytes_load_short(a, n);
    other = _mm_xor_si128(v, gate_bytes_load_short(b, n));
    v = _mm_sub_epi8(_mm_or_si128(v, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    letter = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(25)), v);
    other = _mm_andnot_si128(_mm_and_si128(letter, _mm_set1_epi8(0x20)), other);
    return _mm_movemask_epi8(_mm_cmpeq_epi8(other, _mm_setzero_si128())) == 0xffff;
}

static inline unsigned gate_bytes_equal(const char *p, char c)
{
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(gate_bytes_load(p), _mm_set1_epi8(c)));
}

/* First byte that a field value may not hold. The last load overlaps what was seen rather than
 * run over the end. */
static inline size_t gate_bytes_text_end(const char *p, size_t i, size_t n)
{
    unsigned m;

    for (; n - i >= 16; i += 16) {
        m = gate_bytes_controls(p + i);
        if (m != 0)
            return i + (unsigned)__builtin_ctz(m);
    }
    if (n < 16)
        return gate_bytes_text_end_scalar(p, i, n);
    if (i == n)
        return n;
    m = gate_bytes_controls(p + n - 16) >> (16 - (n - i));
    return m == 0 ? n : i + (unsigned)__builtin_ctz(m);
}

/* First byte that is no token character. */
static inline size_t gate_bytes_token_end(const char *p, size_t i, size_t n)
{
    for (; n - i >= 16; i += 16) {
        unsigned m = gate_bytes_not_plain(p + i);

        if (m != 0) {
            i += (unsigned)__builtin_ctz(m);
            break;
        }
    }
    return gate_bytes_token_end_scalar(p, i, n);
}

static inline size_t gate_bytes_find(const char *p, size_t i, size_t n, char c)
{
    unsigned m;

    for (; n - i >= 16; i += 16) {
        m = gate_bytes_equal(p + i, c);
        if (m != 0)
            return i + (unsigned)__builtin_ctz(m);
    }
    if (n < 16)
        return gate_bytes_find_scalar(p, i, n, c);
    if (i == n)
        return n;
    m = gate_bytes_equal(p + n - 16, c) >> (16 - (n - i));
    return m == 0 ? n : i + (unsigned)__builtin_ctz(m);
}

#else

static inline bool gate_bytes_is_text(const char *p, size_t n)
{
    return gate_bytes_text_end_scalar(p, 0, n) == n;
}

static inline bool gate_bytes_is_plain(const char *p, size_t n)
{
    return gate_bytes_token_end_scalar(p, 0, n) == n;
}

static inline bool gate_bytes_same_name(const char *a, const char *b, size_t n)
{
    return gate_bytes_same_name_scalar(a, b, n);
}

static inline size_t gate_bytes_text_end(const char *p, size_t i, size_t n)
{
    return gate_bytes_text_end_scalar(p, i, n);
}

static inline size_t gate_bytes_token_end(const char *p, size_t i, size_t n)
{
    return gate_bytes_token_end_scalar(p, i, n);
}

static inline size_t gate_bytes_find(const char *p, size_t i, size_t n, char c)
{
    return gate_bytes_find_scalar(p, i, n, c);
}

#endif

/* First byte of a host name that is not unreserved; *upper: whether there is an upper-case letter
 * before it. */
static inline size_t gate_bytes_host_end_scalar(const char *p, size_t i, size_t n, bool *upper)
{
    for (; i < n && gate_byte_is(p[i], GATE_C_UNRESERVED); i++)
        *upper |= gate_byte_is(p[i], GATE_C_UPPER) != 0;
    return i;
}

static inline size_t gate_bytes_host_end(const char *p, size_t n, bool *upper)
{
    size_t i = 0;

    *upper = false;
#ifdef __SSE2__
    for (; n - i >= 8; i += 8) {
        __m128i v = _mm_loadl_epi64((const __m128i *)(const void *)(p + i));
        __m128i letter = _mm_sub_epi8(v, _mm_set1_epi8('A'));
        __m128i dot = _mm_cmpeq_epi8(v, _mm_set1_epi8('.'));
        unsigned odd = gate_bytes_not_plain_in(v) & ~(unsigned)_mm_movemask_epi8(dot) & 0xff;

        letter = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter);
        if (odd != 0 || (_mm_movemask_epi8(letter) & 0xff) != 0)
            break;
    }
#endif
    return gate_bytes_host_end_scalar(p, i, n, upper);
}

/* Where colons and CRs are in the 16 bytes at `at`, as bits; fewer bytes at the end of [p, p+n). */
struct gate_bytes_marks {
    unsigned colon;
    unsigned cr;
};

static inline struct gate_bytes_marks gate_bytes_mark(const char *p, size_t at, size_t n)
{
    struct gate_bytes_marks m = {0, 0};

#ifdef __SSE2__
    if (n >= 16) {
        size_t from = at + 16 <= n ? at : n - 16;

        m.colon = gate_bytes_equal(p + from, ':') >> (at - from);
        m.cr = gate_bytes_equal(p + from, '\r') >> (at - from);
        return m;
    }
#endif
    for (size_t i = 0; i < 16 && at + i < n; i++) {
        m.colon |= (unsigned)(p[at + i] == ':') << i;
        m.cr |= (unsigned)(p[at + i] == '\r') << i;
    }
    return m;
}

/* How often `c` occurs in [p, p+n). */
uint32_t gate_bytes_count(const char *p, size_t n, char c);

#endif
