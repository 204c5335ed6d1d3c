#include "base/str.h"

#include <stdio.h>

bool gate_str_ieq(struct gate_str a, struct gate_str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (a.p[i] != b.p[i] && gate_lower(a.p[i]) != gate_lower(b.p[i]))
            return false;
    }
    return true;
}

bool gate_str_starts(struct gate_str s, struct gate_str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool gate_str_ends(struct gate_str s, struct gate_str suffix)
{
    if (s.n < suffix.n)
        return false;
    return suffix.n == 0 || memcmp(s.p + (s.n - suffix.n), suffix.p, suffix.n) == 0;
}

static inline bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

struct gate_str gate_str_trim(struct gate_str s)
{
    while (s.n > 0 && is_ows(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && is_ows(s.p[s.n - 1]))
        s.n--;
    return s;
}

size_t gate_str_find(struct gate_str s, char c, size_t from)
{
    const char *hit;

    if (from >= s.n)
        return s.n;
    hit = memchr(s.p + from, c, s.n - from);
    return hit == NULL ? s.n : (size_t)(hit - s.p);
}

bool gate_str_next_item(struct gate_str *list, struct gate_str *item)
{
    while (list->n > 0) {
        size_t comma = gate_str_find(*list, ',', 0);
        size_t used = comma < list->n ? comma + 1 : comma;
        struct gate_str one = gate_str_trim(gate_str_of(list->p, comma));

        list->p += used;
        list->n -= used;
        if (one.n > 0) {
            *item = one;
            return true;
        }
    }
    return false;
}

bool gate_str_to_u64(struct gate_str s, uint64_t *out)
{
    uint64_t v = 0;

    /* 18 digits cannot overflow; no length or port of ours needs more. */
    if (s.n == 0 || s.n > 18)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';

        if (digit > 9)
            return false;
        v = v * 10 + digit;
    }
    *out = v;
    return true;
}

void gate_out_u64(struct gate_out *o, uint64_t v)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    gate_out_put(o, digits + at, sizeof(digits) - at);
}

void gate_out_hex(struct gate_out *o, uint64_t v)
{
    char digits[16];
    size_t at = sizeof(digits);

    do {
        digits[--at] = "0123456789abcdef"[v & 15];
        v >>= 4;
    } while (v != 0);
    gate_out_put(o, digits + at, sizeof(digits) - at);
}

void gate_out_fmt(struct gate_out *o, const char *fmt, ...)
{
    size_t room = o->cap - o->n;
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(room == 0 ? NULL : o->p + o->n, room, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= room)
        o->full = true;
    else
        o->n += (size_t)n;
}
