/* Field lines of a head as llhttp reads them, in strict mode. What it hands over must tile the
 * block: each value begins behind its line's first colon and ends at a CRLF, and the next line
 * begins there. Since the scan has seen the same lines, a head that llhttp cuts in another way is
 * refused; a server behind us might cut it like that. */
#include <llhttp.h>

#include "http/bytes_int.h"
#include "http/parse_int.h"

/* Most heads have no more fields than this: room for them is taken without counting lines. */
#define USUAL_FIELDS 16

struct reading {
    struct gate_fields *fs;
    struct gate_walk *w;
    struct gate_arena *arena;
    const char *next; /* where the next line must begin */
    const char *end;  /* of the head */
    uint32_t limit;
    bool ambiguous;
};

static inline bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

static int ambiguous(struct reading *r)
{
    r->ambiguous = true;
    return -1;
}

bool gate_parse_room(struct gate_fields *fs, struct gate_walk *w, const char *p, size_t n,
                     uint32_t limit, struct gate_arena *arena)
{
    uint32_t cap = USUAL_FIELDS;
    struct gate_field *v;

    if (fs->n > 0) {
        /* The line at hand, and those that follow but for the empty one. */
        cap = fs->n + gate_bytes_count(p, n, '\r');
        w->too_many = cap > limit;
    } else {
        cap = limit < cap ? limit : cap;
        w->too_many = limit == 0;
    }
    if (w->too_many)
        return false;
    v = gate_arena_alloc(arena, cap * sizeof *v);
    if (fs->n > 0)
        memcpy(v, fs->v, fs->n * sizeof *v);
    fs->v = v;
    fs->cap = cap;
    return true;
}

/* The name needs no callback of its own: a value that begins behind the line's first colon leaves
 * llhttp no other. */
static int on_value(llhttp_t *parser, const char *p, size_t n)
{
    struct reading *r = parser->data;
    const char *name = r->next;
    size_t name_n = gate_bytes_find(name, 0, (size_t)(r->end - name), ':');
    const char *from = name + name_n + 1;
    const char *end = p + n;

    if (from >= r->end)
        return ambiguous(r);
    while (is_ows(*from))
        from++;
    /* Of an empty value llhttp does not say where it stands. */
    if (n == 0)
        p = end = from;
    if (p != from || end[0] != '\r' || end[1] != '\n')
        return ambiguous(r);
    r->next = end + 2;
    while (end > from && is_ows(end[-1]))
        end--;
    if (r->fs->n == r->fs->cap &&
        !gate_parse_room(r->fs, r->w, r->next, (size_t)(r->end - r->next), r->limit, r->arena))
        return -1;
    gate_parse_store(r->fs, r->w, gate_str_of(name, name_n),
                     gate_str_of(from, (size_t)(end - from)));
    return 0;
}

/* The body is none of llhttp's business (body.h). */
static int on_complete(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED;
}

#ifdef GATE_LLHTTP_SSE42
/* The same scanner, compiled for SSE4.2 (Findllhttp.cmake). */
int llhttp__internal_execute_sse42(llhttp_t *parser, const char *p, const char *end);
#endif

static llhttp_errno_t execute(llhttp_t *parser, const char *p, size_t n)
{
#ifdef GATE_LLHTTP_SSE42
    if (__builtin_cpu_supports("sse4.2"))
        return (llhttp_errno_t)llhttp__internal_execute_sse42(parser, p, p + n);
#endif
    return llhttp_execute(parser, p, n);
}

static const llhttp_settings_t settings = {
    .on_header_value = on_value,
    .on_headers_complete = on_complete,
};

const char *gate_parse_lines(const char *p, size_t at, size_t n, bool request, uint32_t limit,
                             struct gate_arena *arena, struct gate_fields *fs, struct gate_walk *w)
{
    struct reading r = {fs, w, arena, p + at, p + n, limit, false};
    llhttp_errno_t err;
    llhttp_t parser;

    llhttp_init(&parser, request ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
    parser.data = &r;
    err = execute(&parser, p, n);
    if (r.ambiguous)
        return "field lines are ambiguous";
    if (w->too_many)
        return "too many fields";
    if (err != HPE_PAUSED)
        return parser.reason != NULL ? parser.reason : "head without end";
    if (parser.error_pos != p + n || r.next != p + n - 2)
        return "the end of the head is ambiguous";
    fs->wire = true;
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
