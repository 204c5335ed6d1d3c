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
    END_CR   /* CR of the empty line */
};

static enum gate_scan_result bad(struct gate_scan *s, size_t at, enum scan_state state,
                                 const char *text, const char **why)
{
    s->at = (uint32_t)at;
    s->state = (uint8_t)state;
    *why = text;
    return GATE_SCAN_BAD;
}

static enum gate_scan_result more(struct gate_scan *s, size_t at, enum scan_state state)
{
    s->at = (uint32_t)at;
    s->state = (uint8_t)state;
    return GATE_SCAN_MORE;
}

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

static enum gate_scan_result scan_from(struct gate_scan *s, const char *p, size_t n,
                                       enum scan_state state, size_t *len, const char **why)
{
    size_t i = s->at;
    size_t start;

    switch (state) {
    case START:
    case TEXT:
        goto text;
    case TEXT_CR:
        goto text_cr;
    case LINE:
        goto line;
    case NAME:
        start = i;
        goto name;
    case END_CR:
        goto end_cr;
    }

text:
    i = gate_bytes_text_end(p, i, n);
    if (i == n)
        return more(s, i, TEXT);
    if (p[i] != '\r')
        return bad(s, i, TEXT, why_not_text(p[i]), why);
    i++;
text_cr:
    if (i == n)
        return more(s, i, TEXT_CR);
    if (p[i] != '\n')
        return bad(s, i, TEXT_CR, "CR without LF", why);
    i++;
    s->lines++;
line:
    if (i == n)
        return more(s, i, LINE);
    if (p[i] == '\r') {
        i++;
        goto end_cr;
    }
    if (!gate_byte_is(p[i], GATE_C_TOKEN))
        return bad(s, i, LINE, why_not_name(p[i], true), why);
    start = i;
name:
    i = gate_bytes_token_end(p, start, n);
    if (i == n)
        return more(s, i, NAME);
    if (p[i] != ':')
        return bad(s, i, NAME, why_not_name(p[i], false), why);
    i++;
    goto text;
end_cr:
    if (i == n)
        return more(s, i, END_CR);
    if (p[i] != '\n')
        return bad(s, i, END_CR, "CR without LF", why);
    s->at = (uint32_t)(i + 1);
    s->lines++;
    s->state = END_CR;
    *len = i + 1;
    return GATE_SCAN_DONE;
}

enum gate_scan_result gate_scan_head(struct gate_scan *s, const char *p, size_t n, size_t *head_len,
                                     const char **why)
{
    return scan_from(s, p, n, (enum scan_state)s->state, head_len, why);
}

enum gate_scan_result gate_scan_trailers(struct gate_scan *s, const char *p, size_t n, size_t *len,
                                         const char **why)
{
    enum scan_state state = (enum scan_state)s->state;

    return scan_from(s, p, n, state == START ? LINE : state, len, why);
}
