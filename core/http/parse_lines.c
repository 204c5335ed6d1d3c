/* Field lines of a head: the table is cut along the scan's marks; llhttp reads the same head in
 * strict mode, and what it found must be the same. Behind the scan, llhttp has no choice in where a
 * line and its name end; builds with assertions and the fuzzers check its cuts against the table.
 */
#include <llhttp.h>

#include "base/assert.h"
#include "http/bytes_int.h"
#include "http/parse_int.h"

#if defined(GATE_DEBUG) || defined(GATE_ASAN)
#define CHECK_CUTS 1
#endif

static inline bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

bool gate_parse_room(struct gate_fields *fs, struct gate_walk *w, uint32_t count, uint32_t limit,
                     struct gate_arena *arena)
{
    w->too_many = count > limit;
    if (w->too_many)
        return false;
    fs->v = gate_arena_alloc(arena, count * sizeof *fs->v);
    fs->cap = count;
    return true;
}

void gate_parse_mark(const char *p, size_t n, struct gate_scan_marks *marks)
{
    struct gate_scan s = {.marks = marks};
    const char *why = NULL;
    size_t len = 0;
    enum gate_scan_result r = gate_scan_head(&s, p, n, &len, &why);

    GATE_ASSERT(r == GATE_SCAN_DONE && len == n);
}

static void cut(const char *p, size_t at, size_t n, const struct gate_scan_marks *marks,
                struct gate_fields *fs, struct gate_walk *w)
{
    struct gate_cutter c = {.next = fs->v};

    for (uint32_t line = 1; line + 1 < marks->lines; line++) {
        bool marked = line < GATE_SCAN_MARKS;
        size_t colon = marked ? marks->v[line].colon : gate_bytes_find(p, at, n, ':');
        size_t end = marked ? marks->v[line].end : gate_bytes_find(p, colon, n, '\r');
        const char *from = p + colon + 1;
        const char *to = p + end;

        GATE_DEBUG_ASSERT(at < colon && colon < end && p[colon] == ':' && *to == '\r');
        from += *from == ' ';
        while ((uint8_t)*from <= ' ' && is_ows(*from))
            from++;
        while ((uint8_t)to[-1] <= ' ' && to > from)
            to--;
        gate_cutter_add(&c, gate_str_of(p + at, colon - at),
                        gate_str_of(from, (size_t)(to - from)));
        at = end + 2;
    }
    GATE_DEBUG_ASSERT(at == n - 2);
    gate_cutter_end(&c, fs, w);
}

/* The body is none of llhttp's business (body.h). */
static int on_complete(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED;
}

#ifdef CHECK_CUTS

/* How far llhttp got in the table. Of a head that it refuses it may show any part. */
struct cuts {
    const struct gate_fields *fs;
    uint32_t names;
    uint32_t values;
    bool differ;
};

static int on_name(llhttp_t *parser, const char *p, size_t n)
{
    struct cuts *c = parser->data;
    const struct gate_field *f = &c->fs->v[c->names];

    c->differ |= c->names == c->fs->n || p != f->name || n != f->name_len;
    c->names += !c->differ;
    return 0;
}

/* Of an empty value llhttp does not say where it stands. */
static int on_value(llhttp_t *parser, const char *p, size_t n)
{
    struct cuts *c = parser->data;
    const struct gate_field *f = &c->fs->v[c->values];

    while (n > 0 && is_ows(p[n - 1]))
        n--;
    c->differ |= c->values == c->names || n != f->value_len || (n > 0 && p != f->value);
    c->values += !c->differ;
    return 0;
}

#endif

#if defined(GATE_LLHTTP_SSE42) && !defined(CHECK_CUTS)
/* The same scanner, compiled for SSE4.2 and without calls that nobody takes (Findllhttp.cmake). */
int llhttp__internal_execute_sse42(llhttp_t *parser, const char *p, const char *end);
#endif

static llhttp_errno_t execute(llhttp_t *parser, const char *p, size_t n)
{
#if defined(GATE_LLHTTP_SSE42) && !defined(CHECK_CUTS)
    if (__builtin_cpu_supports("sse4.2"))
        return (llhttp_errno_t)llhttp__internal_execute_sse42(parser, p, p + n);
#endif
    return llhttp_execute(parser, p, n);
}

static const llhttp_settings_t settings = {
#ifdef CHECK_CUTS
    .on_header_field = on_name,
    .on_header_value = on_value,
#endif
    .on_headers_complete = on_complete,
};

const char *gate_parse_lines(const char *p, size_t at, size_t n,
                             const struct gate_scan_marks *marks, bool request, uint32_t limit,
                             struct gate_arena *arena, struct gate_fields *fs, struct gate_walk *w)
{
    llhttp_errno_t err;
    llhttp_t parser;

    if (!gate_parse_room(fs, w, marks->lines - 2, limit, arena))
        return "too many fields";
    cut(p, at, n, marks, fs, w);
    llhttp_init(&parser, request ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
#ifdef CHECK_CUTS
    struct cuts cuts = {.fs = fs};

    parser.data = &cuts;
#endif
    err = execute(&parser, p, n);
    if (err != HPE_PAUSED)
        return parser.reason != NULL ? parser.reason : "head without end";
    if (parser.error_pos != p + n)
        return "the end of the head is ambiguous";
#ifdef CHECK_CUTS
    GATE_ASSERT(!cuts.differ && cuts.names == fs->n && cuts.values == fs->n);
#endif
    fs->wire = true;
    /* A line may lack the space behind its colon. */
    fs->bytes = (uint32_t)(n - at) + fs->n;
    w->minor = parser.http_minor;
    w->status = parser.status_code;
    w->chunked = (parser.flags & F_CHUNKED) != 0;
    w->length = (parser.flags & F_CONTENT_LENGTH) != 0;
    w->content_length = parser.content_length;
    return parser.http_major == 1 ? NULL : "the version is ambiguous";
}

bool gate_parse_method_listed(struct gate_str method)
{
    for (int i = HTTP_DELETE; i <= HTTP_SOURCE; i++) {
        const char *name = llhttp_method_name((llhttp_method_t)i);

        if (gate_str_eq(method, gate_str_from_cstr(name)))
            return true;
    }
    return false;
}
