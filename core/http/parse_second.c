/* The second opinion on a head: llhttp in strict mode reads it all. Our own walk decides; a head
 * on which the two disagree (names, their places, the end, the framing) is refused, since a
 * server behind us may read it either way. */
#include <llhttp.h>

#include "http/parse_int.h"

struct second {
    const struct gate_field *at;    /* the next field that llhttp must see */
    const struct gate_field *end;
    bool differs;
};

static int on_field(llhttp_t *parser, const char *p, size_t n)
{
    struct second *s = parser->data;

    if (s->at == s->end || s->at->name != p || s->at->name_len != n) {
        s->differs = true;
        return -1;
    }
    s->at++;
    return 0;
}

static int on_complete(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_header_field = on_field,
    .on_headers_complete = on_complete,
};

/* Runs llhttp over the head; NULL when it saw the same lines and stopped at the same end. */
static const char *run(llhttp_t *parser, llhttp_type_t type, const char *p, size_t n,
                       const struct gate_fields *fs)
{
    struct second s = { fs->v, fs->v == NULL ? NULL : fs->v + fs->n, false };
    llhttp_errno_t err;

    llhttp_init(parser, type, &settings);
    parser->data = &s;
    err = llhttp_execute(parser, p, n);
    parser->data = NULL;
    if (s.differs)
        return "field lines are ambiguous";
    if (err != HPE_PAUSED)
        return parser->reason != NULL ? parser->reason : "head without end";
    if (parser->error_pos != p + n || s.at != s.end)
        return "the end of the head is ambiguous";
    return NULL;
}

static bool same_framing(const llhttp_t *parser, enum gate_framing framing, uint64_t length)
{
    switch (framing) {
    case GATE_BODY_LENGTH:
        return (parser->flags & F_CONTENT_LENGTH) != 0 && parser->content_length == length;
    case GATE_BODY_CHUNKED: return (parser->flags & F_CHUNKED) != 0;
    default: return (parser->flags & (F_CONTENT_LENGTH | F_CHUNKED | F_TRANSFER_ENCODING)) == 0;
    }
}

const char *gate_parse_second_request(const char *p, size_t n, const struct gate_fields *fs,
                                      const struct gate_request_head *head)
{
    llhttp_t parser;
    const char *why = run(&parser, HTTP_REQUEST, p, n, fs);

    if (why != NULL)
        return why;
    if (parser.http_major != 1 || parser.http_minor != head->minor)
        return "the version is ambiguous";
    if (!same_framing(&parser, head->framing, head->content_length))
        return "the framing is ambiguous";
    return NULL;
}

const char *gate_parse_second_response(const char *p, size_t n, const struct gate_fields *fs,
                                       const struct gate_response_head *head)
{
    llhttp_t parser;
    const char *why = run(&parser, HTTP_RESPONSE, p, n, fs);

    if (why != NULL)
        return why;
    if (parser.http_major != 1 || parser.http_minor != head->minor ||
        parser.status_code != head->status)
        return "the status line is ambiguous";
    if ((head->framing == GATE_BODY_LENGTH || head->framing == GATE_BODY_CHUNKED) &&
        !same_framing(&parser, head->framing, head->content_length))
        return "the framing is ambiguous";
    return NULL;
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
