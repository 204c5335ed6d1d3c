/* Scan: one pass over the raw bytes of a head. Whole lines are cut out of a map of the controls, 64
 * bytes a step; the state only matters where the bytes ran out. */
#include "http/scan.h"

#include <stdbool.h>

#include "base/assert.h"
#include "http/bytes_int.h"

enum scan_state {
    START,   /* nothing seen yet */
    TEXT,    /* in the first line or in a value */
    TEXT_CR, /* CR after it */
    LINE,    /* at the start of a line */
    NAME,    /* in a name that has at least one byte */
    END_CR,  /* CR of the empty line */
    END
};

static const char *why_not_text(char c)
{
    if (c == '\n')
        return "LF without CR";
    return c == '\0' ? "NUL byte" : "control byte";
}

static const char *why_not_name(char c, bool empty)
{
    if (c == ' ' || c == '\t')
        return empty ? "folded line" : "space before the colon";
    if (c == ':')
        return "empty field name";
    return c == '\n' ? "LF without CR" : "byte that a field name may not hold";
}

static void mark_colon(struct gate_scan *s, size_t at)
{
    if (s->marks != NULL && s->lines < GATE_SCAN_MARKS)
        s->marks->v[s->lines].colon = (uint32_t)at;
}

static void mark_end(struct gate_scan *s, size_t at)
{
    if (s->marks != NULL && s->lines < GATE_SCAN_MARKS)
        s->marks->v[s->lines].end = (uint32_t)at;
}

/* Takes the byte at `i`. NULL, or why it may not stand there. */
static const char *step(struct gate_scan *s, const char *p, size_t i)
{
    char c = p[i];

    switch (s->state) {
    case TEXT:
        s->state = TEXT_CR;
        mark_end(s, i);
        return c == '\r' ? NULL : why_not_text(c);
    case TEXT_CR:
        s->state = LINE;
        s->lines++;
        return c == '\n' ? NULL : "CR without LF";
    case LINE:
        s->state = c == '\r' ? END_CR : NAME;
        return c == '\r' || gate_byte_is(c, GATE_C_TOKEN) ? NULL : why_not_name(c, true);
    case NAME:
        s->state = TEXT;
        mark_colon(s, i);
        return c == ':' ? NULL : why_not_name(c, false);
    default:
        s->state = END;
        s->lines++;
        return c == '\n' ? NULL : "CR without LF";
    }
}

#ifdef __SSE2__

static inline bool is_crlf(const char *p, size_t at, size_t n)
{
    return at + 2 <= n && gate_bytes_load2(p + at) == gate_bytes_load2("\r\n");
}

/* The controls up to `end` that were not looked at yet; bit 0 is the start of the line at hand. A
 * plain line holds none but its CRLF, so that the next one is where it ends. */
struct controls {
    uint64_t left;
    size_t end;
};

/* The next 64 bytes that hold one; false: there is none. */
static __attribute__((noinline)) bool refill(struct controls *c, const char *p, size_t n)
{
    while (c->left == 0 && c->end < n) {
        c->left = gate_bytes_controls_at(p, c->end, n);
        c->end += 64;
    }
    return c->left != 0;
}

/* Where the line that begins at i has its CRLF, which is passed over; n: not plain. */
static inline __attribute__((always_inline)) size_t line_end(struct controls *c, const char *p,
                                                             size_t i, size_t n)
{
    unsigned k;

    if (GATE_UNLIKELY(c->left == 0)) {
        if (!refill(c, p, n))
            return n;
        i = c->end - 64;
    }
    k = (unsigned)__builtin_ctzll(c->left);
    i += k;
    if (!is_crlf(p, i, n))
        return n;
    c->left = c->left >> k >> 2;
    if (GATE_UNLIKELY(i + 2 > c->end))
        c->end = i + 2;
    return i;
}

/* The colon behind the name that begins at i, or n. */
static size_t odd_name_end(const char *p, size_t i, size_t n)
{
    size_t end = gate_bytes_token_end(p, i, n);

    return end == i || end == n || p[end] != ':' ? n : end;
}

static inline size_t name_end(const char *p, size_t i, size_t n)
{
    unsigned m = i + 16 <= n ? gate_bytes_not_plain(p + i)
                             : gate_bytes_not_plain(p + n - 16) >> (16 - (n - i));
    size_t end = i + (unsigned)__builtin_ctz(m | 0x10000u);

    return (m & 1) == 0 && end < n && p[end] == ':' ? end : odd_name_end(p, i, n);
}

/* Goes over what is plainly good: the rest of a text, whole lines, the empty line. What is rare
 * (faults, and lines that are not whole) is left to step. */
static size_t plain(struct gate_scan *s, const char *p, size_t i, size_t n)
{
    struct gate_scan_mark *marks = s->marks == NULL ? NULL : s->marks->v;
    uint32_t room = marks == NULL ? 0 : GATE_SCAN_MARKS;
    struct controls c = {0, i};
    uint32_t line = s->lines;
    size_t colon, end;

    if (n < 16 || i == n)
        return i;
    if (s->state == TEXT) {
        end = line_end(&c, p, i, n);
        if (end == n)
            return i;
        mark_end(s, end);
        line++;
        i = end + 2;
    }
    while (i < n) {
        if (p[i] == '\r')
            break;
        colon = name_end(p, i, n);
        if (colon == n)
            break;
        end = line_end(&c, p, i, n);
        if (end == n)
            break;
        if (line < room)
            marks[line] = (struct gate_scan_mark){(uint32_t)colon, (uint32_t)end};
        line++;
        i = end + 2;
    }
    s->state = LINE;
    s->lines = line;
    if (is_crlf(p, i, n)) {
        s->state = END;
        s->lines++;
        i += 2;
    }
    return i;
}

#else

static size_t plain(const struct gate_scan *s, const char *p, size_t i, size_t n)
{
    return s->state == TEXT ? gate_bytes_text_end(p, i, n) : i;
}

#endif

static enum gate_scan_result scan(struct gate_scan *s, const char *p, size_t n, size_t *len,
                                  const char **why)
{
    enum gate_scan_result result = GATE_SCAN_MORE;
    size_t i = s->at;

    for (;;) {
        if (s->state == TEXT || s->state == LINE)
            i = plain(s, p, i, n);
        if (s->state == TEXT)
            i = gate_bytes_text_end(p, i, n);
        else if (s->state == NAME)
            i = gate_bytes_token_end(p, i, n);
        if (s->state == END) {
            *len = i;
            if (s->marks != NULL)
                s->marks->lines = s->lines;
            result = GATE_SCAN_DONE;
            break;
        }
        if (i == n)
            break;
        *why = step(s, p, i);
        if (*why != NULL) {
            result = GATE_SCAN_BAD;
            break;
        }
        i++;
    }
    s->at = (uint32_t)i;
    return result;
}

enum gate_scan_result gate_scan_head(struct gate_scan *s, const char *p, size_t n, size_t *head_len,
                                     const char **why)
{
    if (s->state == START)
        s->state = TEXT;
    return scan(s, p, n, head_len, why);
}

enum gate_scan_result gate_scan_trailers(struct gate_scan *s, const char *p, size_t n, size_t *len,
                                         const char **why)
{
    if (s->state == START)
        s->state = LINE;
    return scan(s, p, n, len, why);
}
