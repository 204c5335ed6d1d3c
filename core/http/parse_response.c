/* Response heads: upstreams are not trusted with framing. */
#include "http/bytes_int.h"
#include "http/parse.h"
#include "http/parse_int.h"

#define LINE_MIN 12 /* "HTTP/1.1 200" */

/* "HTTP/1." ("0" | "1") SP 3DIGIT [SP reason] CRLF; the reason is checked by the scan and
 * dropped. */
static const char *status_line(const char *p, size_t end, struct gate_response_head *out)
{
    if (end < LINE_MIN || memcmp(p, "HTTP/", 5) != 0)
        return "bad status line";
    if (memcmp(p, "HTTP/1.", 7) != 0 || (p[7] != '0' && p[7] != '1'))
        return "version is neither HTTP/1.0 nor HTTP/1.1";
    if (p[8] != ' ' || p[9] < '1' || p[9] > '5' || p[10] < '0' || p[10] > '9' || p[11] < '0' ||
        p[11] > '9' || (end > LINE_MIN && p[12] != ' '))
        return "bad status code";
    out->minor = (uint8_t)(p[7] - '0');
    out->status = (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
    return NULL;
}

/* Turns what the fields ask for into what the status and the method allow. */
static const char *framing(enum gate_method method, struct gate_response_head *out)
{
    if (out->status < 200) {
        if (out->framing != GATE_BODY_NONE)
            return "interim response with a length";
        return NULL;
    }
    if (method == GATE_M_HEAD || out->status == 204 || out->status == 304)
        out->framing = GATE_BODY_NONE;
    else if (out->framing == GATE_BODY_NONE)
        out->framing = GATE_BODY_EOF;
    return NULL;
}

/* A response without a body that says it has one: whether bytes follow is anybody's guess. (A 304
 * may tell the length that a 200 would have.) */
static bool body_may_follow(const struct gate_response_head *out)
{
    if (out->status == 204 && out->content_length > 0)
        return true;
    return (out->status == 204 || out->status == 304) &&
           (out->fields.known & GATE_F_BIT(GATE_F_TRANSFER_ENCODING)) != 0;
}

static void connection(struct gate_response_head *out)
{
    struct gate_connection c = gate_parse_connection(&out->fields);
    bool token = gate_parse_upgrade(&out->fields, &out->upgrade_token);

    out->keep_alive = !c.close && (out->minor == 1 || c.keep_alive) &&
                      out->framing != GATE_BODY_EOF && out->status != 101 && !body_may_follow(out);
    out->upgrade = out->status == 101 && out->minor == 1 && c.upgrade && token;
}

struct gate_refusal gate_parse_response_marked(const char *p, size_t n,
                                               const struct gate_scan_marks *marks,
                                               const struct gate_head_limits *limits,
                                               enum gate_method method, struct gate_arena *arena,
                                               struct gate_response_head *out)
{
    struct gate_refusal no;
    struct gate_walk w = {0};
    const char *why;
    size_t end = marks->v[0].end;

    *out = (struct gate_response_head){0};
    if (n > limits->header_bytes)
        return gate_refuse(502, "response head is too large");
    why = status_line(p, end, out);
    if (why != NULL)
        return gate_refuse(502, why);
    why = gate_parse_lines(p, end + 2, n, marks, false, limits->header_count, arena, &out->fields,
                           &w);
    if (why == NULL && w.too_long)
        why = "field name is too long";
    if (why == NULL && (w.minor != out->minor || w.status != out->status))
        why = "the status line is ambiguous";
    if (why != NULL)
        return gate_refuse(502, why);
    no = gate_parse_framing(&out->fields, &w, out->minor, &out->framing, &out->content_length);
    if (no.status != 0)
        return gate_refuse(502, no.why);
    why = framing(method, out);
    if (why != NULL)
        return gate_refuse(502, why);
    connection(out);
    return GATE_ACCEPTED;
}

struct gate_refusal gate_parse_response(const char *p, size_t n,
                                        const struct gate_head_limits *limits,
                                        enum gate_method method, struct gate_arena *arena,
                                        struct gate_response_head *out)
{
    struct gate_scan_marks marks;

    gate_parse_mark(p, n, &marks);
    return gate_parse_response_marked(p, n, &marks, limits, method, arena, out);
}
