/* Scan: one pass over the raw bytes of a head. Whole lines go 16 bytes a step; the state only
 * matters where the bytes ran out. */
#include "http/scan.h"

#include <stdbool.h>

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

/* Takes one byte. NULL, or why it may not stand there. */
static const char *step(struct gate_scan *s, char c)
{
    switch (s->state) {
    case TEXT:
        s->state = TEXT_CR;
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
        return c == ':' ? NULL : why_not_name(c, false);
    default:
        s->state = END;
        s->lines++;
        return c == '\n' ? NULL : "CR without LF";
    }
}

/* Goes over lines that are plainly good, from the start of one to the start of another. What is
 * rare (the end of the head, long names, names with odd characters, faults, lines that are not
 * whole) is left to step. */
static size_t whole_lines(const char *p, size_t i, size_t n, uint32_t *lines)
{
#ifdef __SSE2__
    while (n >= 16 && i < n) {
        size_t left = n - i;
        unsigned m = left >= 16 ? gate_bytes_not_plain(p + i)
                                : gate_bytes_not_plain(p + n - 16) >> (16 - left);
        size_t end;

        if ((m & ~1u) == 0 || (m & 1) || p[i + (unsigned)__builtin_ctz(m)] != ':')
            break;
        end = gate_bytes_text_end(p, i + (unsigned)__builtin_ctz(m) + 1, n);
        if (n - end < 2 || p[end] != '\r' || p[end + 1] != '\n')
            break;
        i = end + 2;
        ++*lines;
    }
#else
    (void)p;
    (void)n;
    (void)lines;
#endif
    return i;
}

static enum gate_scan_result scan(struct gate_scan *s, const char *p, size_t n, size_t *len,
                                  const char **why)
{
    enum gate_scan_result result = GATE_SCAN_MORE;
    size_t i = s->at;

    for (;;) {
        if (s->state == TEXT)
            i = gate_bytes_text_end(p, i, n);
        else if (s->state == LINE)
            i = whole_lines(p, i, n, &s->lines);
        else if (s->state == NAME)
            i = gate_bytes_token_end(p, i, n);
        if (i == n)
            break;
        *why = step(s, p[i]);
        if (*why != NULL) {
            result = GATE_SCAN_BAD;
            break;
        }
        i++;
        if (s->state == END) {
            *len = i;
            result = GATE_SCAN_DONE;
            break;
        }
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
