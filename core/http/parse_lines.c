/* Field lines of a head: the table is cut along the scan's marks; llhttp, in strict mode, reads the
 * start line and the lines that it gives a meaning to, and what it found must be the same. Behind
 * the scan it has no choice in where a line and its name end, and no say in lines of other names:
 * those are passed over. Builds with assertions and the fuzzers let it read the whole head as well,
 * and check its cuts, its verdict and what it found. */
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

static const llhttp_settings_t settings = {
    .on_headers_complete = on_complete,
};

#if defined(GATE_LLHTTP_SSE42)
/* The same scanner, compiled for SSE4.2 and without calls that nobody takes (Findllhttp.cmake). */
int llhttp__internal_execute_sse42(llhttp_t *parser, const char *p, const char *end);
#endif

static llhttp_errno_t execute(llhttp_t *parser, const char *p, size_t n)
{
#if defined(GATE_LLHTTP_SSE42)
    if (__builtin_cpu_supports("sse4.2"))
        return (llhttp_errno_t)llhttp__internal_execute_sse42(parser, p, p + n);
#endif
    return llhttp_execute(parser, p, n);
}

/* Whether the name may be Connection, Content-Length, Proxy-Connection, Transfer-Encoding or
 * Upgrade: its length and first letter are such a name's. */
static inline bool has_meaning(const struct gate_field *f)
{
    static const char first[] = {[7] = 'u', [10] = 'c', [14] = 'c', [16] = 'p', [17] = 't'};

    return f->name_len < sizeof first && first[f->name_len] == (f->name[0] | 0x20);
}

/* Lets llhttp read the head [p, end) but for the lines that mean nothing to it. */
static llhttp_errno_t read_head(llhttp_t *parser, const char *p, const char *end,
                                const struct gate_fields *fs)
{
    const char *from = p;

    for (uint32_t i = 0; i < fs->n; i++) {
        const char *line = fs->v[i].name;

        if (has_meaning(&fs->v[i]))
            continue;
        if (line > from) {
            llhttp_errno_t err = execute(parser, from, (size_t)(line - from));

            if (err != HPE_OK)
                return err;
        }
        from = i + 1 < fs->n ? fs->v[i + 1].name : end - 2;
    }
    return execute(parser, from, (size_t)(end - from));
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

/* The whole head, read by llhttp as it is: the same cuts, verdict and findings as `part`. */
static void check_whole(const char *p, size_t n, bool request, const struct gate_fields *fs,
                        const llhttp_t *part, llhttp_errno_t err)
{
    static const llhttp_settings_t all = {
        .on_header_field = on_name,
        .on_header_value = on_value,
        .on_headers_complete = on_complete,
    };
    struct cuts cuts = {.fs = fs};
    llhttp_t whole;

    llhttp_init(&whole, request ? HTTP_REQUEST : HTTP_RESPONSE, &all);
    whole.data = &cuts;
    GATE_ASSERT(llhttp_execute(&whole, p, n) == err);
    if (err != HPE_PAUSED)
        return;
    GATE_ASSERT(whole.error_pos == part->error_pos);
    GATE_ASSERT(whole.flags == part->flags && whole.content_length == part->content_length);
    GATE_ASSERT(!cuts.differ && cuts.names == fs->n && cuts.values == fs->n);
}

#endif

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
    err = read_head(&parser, p, p + n, fs);
#ifdef CHECK_CUTS
    check_whole(p, n, request, fs, &parser, err);
#endif
    if (err != HPE_PAUSED)
        return parser.reason != NULL ? parser.reason : "head without end";
    if (parser.error_pos != p + n)
        return "the end of the head is ambiguous";
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
