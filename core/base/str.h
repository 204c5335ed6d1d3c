/* Strings: a borrowed view of bytes, and a bounded writer. Nothing here owns memory. */
#ifndef GATE_BASE_STR_H
#define GATE_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A view: not terminated by NUL, lives as long as the bytes it points into. */
struct gate_str {
    const char *p;
    size_t n;
};

#define GATE_STR(lit) ((struct gate_str){ (lit), sizeof(lit) - 1 })
#define GATE_STR_NONE ((struct gate_str){ NULL, 0 })

static inline struct gate_str gate_str_of(const char *p, size_t n)
{
    return (struct gate_str){ p, n };
}

static inline struct gate_str gate_str_from_cstr(const char *z)
{
    return (struct gate_str){ z, z == NULL ? 0 : strlen(z) };
}

static inline bool gate_str_eq(struct gate_str a, struct gate_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII only, locale free. */
static inline char gate_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Equal without regard to ASCII case. */
bool gate_str_ieq(struct gate_str a, struct gate_str b);
bool gate_str_starts(struct gate_str s, struct gate_str prefix);
bool gate_str_ends(struct gate_str s, struct gate_str suffix);

/* Without SP and HTAB at both ends (OWS of RFC 9110 section 5.6.3). */
struct gate_str gate_str_trim(struct gate_str s);

/* Offset of byte c at or after `from`; s.n when there is none. */
size_t gate_str_find(struct gate_str s, char c, size_t from);

/* Takes the next element of a comma list, trimmed; empty elements are skipped. False at the end. */
bool gate_str_next_item(struct gate_str *list, struct gate_str *item);

/* Decimal digits only, the whole view, at most 18 of them: GATE_E_SYNTAX is answered as false. */
bool gate_str_to_u64(struct gate_str s, uint64_t *out);

/* A writer into a caller's buffer. Writes past `cap` are dropped and remembered in `full`. */
struct gate_out {
    char *p;
    size_t n;
    size_t cap;
    bool full;
};

static inline struct gate_out gate_out_on(char *p, size_t cap)
{
    return (struct gate_out){ p, 0, cap, false };
}

static inline void gate_out_put(struct gate_out *o, const char *p, size_t n)
{
    if (n > o->cap - o->n) {
        o->full = true;
        return;
    }
    memcpy(o->p + o->n, p, n);
    o->n += n;
}

static inline void gate_out_str(struct gate_out *o, struct gate_str s)
{
    if (s.n > 0)
        gate_out_put(o, s.p, s.n);
}

#define GATE_OUT_LIT(o, lit) gate_out_put((o), (lit), sizeof(lit) - 1)

static inline void gate_out_char(struct gate_out *o, char c)
{
    gate_out_put(o, &c, 1);
}

void gate_out_u64(struct gate_out *o, uint64_t v);

/* Lower case, without leading zeros. */
void gate_out_hex(struct gate_out *o, uint64_t v);

/* All or nothing. Needs room for a NUL behind the text, which is not counted. */
void gate_out_fmt(struct gate_out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline struct gate_str gate_out_view(const struct gate_out *o)
{
    return (struct gate_str){ o->p, o->n };
}

#endif
