/* The reader of canonical JSON: one pass over the text, straight into structs. Strict: no key that
 * is not known, none twice, no trailing bytes; numbers are integers, since nothing else is emitted.
 */
#include <stdio.h>

#include "base/mem.h"
#include "config/config_int.h"

/* Where the reader is, as a JSON pointer. */
static void put_path(const struct reader *r, struct gate_out *o)
{
    for (uint32_t i = 0; i < r->depth; i++) {
        gate_out_char(o, '/');
        if (r->path[i].key.p != NULL)
            gate_out_str(o, r->path[i].key);
        else
            gate_out_u64(o, r->path[i].index);
    }
}

bool gate_reader_fail(struct reader *r, const char *fmt, ...)
{
    char what[256];
    struct gate_out o;
    va_list args;

    if (r->err != GATE_OK)
        return false;
    r->err = GATE_E_INVALID;
    if (r->why_cap == 0)
        return false;
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    o = gate_out_on(r->why, r->why_cap - 1);
    put_path(r, &o);
    gate_out_fmt(&o, "%s%s (byte %zu)", r->depth > 0 ? ": " : "", what, (size_t)(r->p - r->begin));
    r->why[o.n] = '\0';
    return false;
}

char gate_reader_peek(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r'))
        r->p++;
    return r->p < r->end ? *r->p : '\0';
}

bool gate_reader_take(struct reader *r, char c)
{
    if (gate_reader_peek(r) != c || r->p == r->end)
        return false;
    r->p++;
    return true;
}

static bool word(struct reader *r, const char *text)
{
    size_t n = strlen(text);

    gate_reader_peek(r);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, text, n) != 0)
        return false;
    r->p += n;
    return true;
}

bool gate_reader_null(struct reader *r)
{
    return word(r, "null");
}

static bool push(struct reader *r, struct gate_str key, uint32_t index)
{
    if (r->depth == READER_DEPTH)
        return gate_reader_fail(r, "nested too deeply");
    r->path[r->depth++] = (struct reader_step){key, index};
    return true;
}

/* Four hex digits; -1: they are not. */
static int32_t hex4(const char *p, const char *end)
{
    int32_t v = 0;

    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = gate_lower(p[i]);

        if (c >= '0' && c <= '9')
            v = v * 16 + (c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v * 16 + (c - 'a' + 10);
        else
            return -1;
    }
    return v;
}

static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *to++ = (char)(0xe0 | c >> 12);
        } else {
            *to++ = (char)(0xf0 | c >> 18);
            *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        }
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
    }
    *to++ = (char)(0x80 | (c & 0x3f));
    return to;
}

/* The character of a \u escape whose digits begin at *p, low surrogate included. */
static int32_t unicode(const char **p, const char *end)
{
    int32_t c = hex4(*p, end);
    int32_t low;

    if (c < 0 || (c >= 0xdc00 && c < 0xe000))
        return -1;
    *p += 4;
    if (c < 0xd800 || c >= 0xe000)
        return c;
    if (end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
        return -1;
    low = hex4(*p + 2, end);
    if (low < 0xdc00 || low >= 0xe000)
        return -1;
    *p += 6;
    return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

/* Decodes what lies between the quotes; the result is never longer than the text. NULL: bad escape.
 */
static char *unescape(const char *p, const char *end, char *to)
{
    static const char from[] = "\"\\/bfnrt";
    static const char plain[] = "\"\\/\b\f\n\r\t";

    while (p < end) {
        const char *at;
        int32_t c;

        if (*p != '\\') {
            *to++ = *p++;
            continue;
        }
        if (p[1] == 'u') {
            p += 2;
            c = unicode(&p, end);
            if (c < 0)
                return NULL;
            to = put_utf8(to, (uint32_t)c);
            continue;
        }
        at = memchr(from, p[1], sizeof(from) - 1);
        if (at == NULL)
            return NULL;
        *to++ = plain[at - from];
        p += 2;
    }
    return to;
}

bool gate_reader_string(struct reader *r, struct gate_str *out)
{
    const char *from;
    bool escaped = false;
    char *copy, *end;

    if (!gate_reader_take(r, '"'))
        return gate_reader_fail(r, "expected a string");
    from = r->p;
    while (r->p < r->end && *r->p != '"' && (unsigned char)*r->p >= 0x20) {
        if (*r->p == '\\') {
            escaped = true;
            r->p++;
        }
        r->p++;
    }
    if (r->p >= r->end || *r->p != '"') {
        r->p = r->p > r->end ? r->end : r->p;
        return gate_reader_fail(r, "a string without end, or with a control character");
    }
    *out = gate_str_of(from, (size_t)(r->p - from));
    r->p++;
    if (!escaped)
        return true;
    copy = gate_arena_alloc(r->arena, out->n);
    end = unescape(from, from + out->n, copy);
    if (end == NULL)
        return gate_reader_fail(r, "a bad escape");
    *out = gate_str_of(copy, (size_t)(end - copy));
    return true;
}

bool gate_reader_integer(struct reader *r, int64_t min, int64_t max, int64_t *out)
{
    struct gate_str digits;
    uint64_t v;
    bool minus = gate_reader_take(r, '-');

    digits.p = r->p;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
        r->p++;
    digits.n = (size_t)(r->p - digits.p);
    if (digits.n == 0 || (digits.n > 1 && digits.p[0] == '0') || !gate_str_to_u64(digits, &v))
        return gate_reader_fail(r, "expected an integer");
    if (r->p < r->end && (*r->p == '.' || *r->p == 'e' || *r->p == 'E'))
        return gate_reader_fail(r, "expected an integer");
    *out = minus ? -(int64_t)v : (int64_t)v;
    if (*out < min || *out > max)
        return gate_reader_fail(r, "expected an integer from %lld to %lld", (long long)min,
                                (long long)max);
    return true;
}

/* Keys come sorted, as the tables are: the next known one is nearly always right behind the last.
 */
static const struct field *find_field(const struct field_table *t, struct gate_str key,
                                      uint32_t *at)
{
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t k = (*at + i) % t->n;

        if (gate_str_eq(gate_str_from_cstr(t->v[k].key), key)) {
            *at = k;
            return &t->v[k];
        }
    }
    return NULL;
}

static bool read_member(struct reader *r, const struct field_table *t, void *base, uint32_t *at,
                        uint64_t *seen)
{
    const struct field *f;
    struct gate_str key;

    if (!gate_reader_string(r, &key))
        return false;
    f = find_field(t, key, at);
    if (f == NULL)
        return gate_reader_fail(r, "unknown key \"%.*s\"", (int)(key.n > 64 ? 64 : key.n), key.p);
    if (*seen & 1ull << *at)
        return gate_reader_fail(r, "key \"%s\" twice", f->key);
    *seen |= 1ull << *at;
    (*at)++;
    if (!gate_reader_take(r, ':'))
        return gate_reader_fail(r, "expected ':'");
    if (!push(r, key, 0) || !f->read(r, f, (char *)base + f->offset))
        return false;
    r->depth--;
    return true;
}

bool gate_reader_object(struct reader *r, const struct field_table *t, void *base)
{
    uint64_t seen = 0;
    uint32_t at = 0;

    if (!gate_reader_take(r, '{'))
        return gate_reader_fail(r, "expected an object");
    if (gate_reader_take(r, '}'))
        return true;
    do {
        if (!read_member(r, t, base, &at, &seen))
            return false;
    } while (gate_reader_take(r, ','));
    return gate_reader_take(r, '}') || gate_reader_fail(r, "expected ',' or '}'");
}

/* Elements gather in malloc memory, since their number is not known before; the arena gets them at
 * the end. */
struct gathered {
    char *v;
    uint32_t n;
    uint32_t cap;
};

static void *gather(struct gathered *g, size_t size)
{
    char *to;

    if (g->n == g->cap) {
        g->cap = g->cap == 0 ? 4 : g->cap * 2;
        g->v = gate_realloc(g->v, g->cap * size);
    }
    to = g->v + g->n++ * size;
    memset(to, 0, size);
    return to;
}

static bool read_elements(struct reader *r, size_t size, struct gathered *g,
                          bool (*one)(struct reader *r, void *to, uint32_t index))
{
    do {
        void *to = gather(g, size);

        if (!push(r, GATE_STR_NONE, g->n - 1) || !one(r, to, g->n - 1))
            return false;
        r->depth--;
    } while (gate_reader_take(r, ','));
    return gate_reader_take(r, ']') || gate_reader_fail(r, "expected ',' or ']'");
}

bool gate_reader_array(struct reader *r, size_t size,
                       bool (*one)(struct reader *r, void *to, uint32_t index), void *out,
                       uint32_t *n)
{
    struct gathered g = {NULL, 0, 0};
    void *v = NULL;
    bool ok;

    if (!gate_reader_take(r, '['))
        return gate_reader_fail(r, "expected an array");
    ok = gate_reader_take(r, ']') || read_elements(r, size, &g, one);
    if (ok && g.n > 0) {
        v = gate_arena_alloc(r->arena, g.n * size);
        memcpy(v, g.v, g.n * size);
    }
    gate_free(g.v);
    memcpy(out, &v, sizeof(v));
    *n = g.n;
    return ok;
}
