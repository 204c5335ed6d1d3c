/* Request heads: the request line by an own matcher, then the fields, then what they mean, then
 * llhttp's second opinion. The order decides which status a head with several faults gets; each
 * ends the connection. */
#include "http/bytes_int.h"
#include "http/parse.h"
#include "http/parse_int.h"
#include "http/target.h"

#define VERSION_LEN 9 /* " HTTP/1.1" */

/* Room for a method before it is certain that none is that long. */
#define METHOD_MAX 32

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The version at the end of the line [p, p+n). */
static struct gate_refusal version(const char *p, size_t n, uint8_t *minor)
{
    const char *v = p + n - VERSION_LEN;

    if (n < VERSION_LEN || memcmp(v, " HTTP/", 6) != 0 || !is_digit(v[6]) || v[7] != '.' ||
        !is_digit(v[8]))
        return gate_refuse(400, "request line does not end in an HTTP version");
    if (v[6] == '1' && v[8] <= '1') {
        *minor = (uint8_t)(v[8] - '0');
        return GATE_ACCEPTED;
    }
    if (v[6] == '0')
        return gate_refuse(400, "HTTP/0.9");
    return gate_refuse(505, "HTTP version is not 1.0 or 1.1");
}

static struct gate_refusal method_token(const char *p, size_t n, struct gate_request_head *out)
{
    size_t end;

    if (n > 4 && gate_bytes_load4(p) == gate_bytes_load4("GET ")) {
        out->method = GATE_M_GET;
        out->method_text = gate_str_of(p, 3);
        return GATE_ACCEPTED;
    }
    end = gate_bytes_token_end(p, 0, n);
    if (end == 0 || end == n || p[end] != ' ')
        return gate_refuse(400, "method is not a token");
    out->method_text = gate_str_of(p, end);
    out->method = gate_method_of(out->method_text);
    return GATE_ACCEPTED;
}

static struct gate_refusal method_served(const struct gate_request_head *out)
{
    if (out->method == GATE_M_CONNECT || out->method == GATE_M_TRACE)
        return gate_refuse(405, "method is never allowed here");
    if (out->method == GATE_M_OTHER && !gate_parse_method_listed(out->method_text))
        return gate_refuse(501, "unknown method");
    return GATE_ACCEPTED;
}

/* The line [p, p+n) without its CRLF. */
static struct gate_refusal request_line(const char *p, size_t n,
                                        const struct gate_head_limits *limits,
                                        struct gate_request_head *out)
{
    struct gate_refusal no = method_token(p, n, out);
    size_t from = out->method_text.n + 1;

    if (no.status == 0)
        no = version(p, n, &out->minor);
    if (no.status == 0)
        no = method_served(out);
    if (no.status != 0)
        return no;
    if (n < from + VERSION_LEN + 1)
        return gate_refuse(400, "request line without a target");
    out->target = gate_str_of(p + from, n - from - VERSION_LEN);
    if (out->target.n > limits->target_bytes)
        return gate_refuse(414, "target is too long");
    return GATE_ACCEPTED;
}

static struct gate_refusal origin_form(struct gate_str target,
                                       const struct gate_head_limits *limits,
                                       struct gate_arena *arena, struct gate_request_head *out)
{
    size_t mark = gate_target_canonical_prefix(target);

    /* Most paths are canonical as they came, and end where the query begins. */
    if (mark == target.n || target.p[mark] == '?') {
        out->path = out->path_text = gate_str_of(target.p, mark);
        if (mark == target.n)
            return GATE_ACCEPTED;
    } else {
        mark = gate_bytes_find(target.p, mark, target.n, '?');
    }
    if (mark < target.n) {
        out->has_query = true;
        out->query = gate_str_of(target.p + mark + 1, target.n - mark - 1);
        if (!gate_target_query_ok(out->query))
            return gate_refuse(400, "bad byte in the query");
    }
    if (out->path.n > 0)
        return GATE_ACCEPTED;
    return gate_target_path(gate_str_of(target.p, mark), limits, arena, &out->path,
                            &out->path_text);
}

static void star(struct gate_request_head *out)
{
    out->options_star = true;
    out->path = out->path_text = GATE_STR("*");
}

/* "http://authority/path?query". The authority is left in *authority for the comparison with
 * Host. */
static struct gate_refusal absolute_form(const struct gate_head_limits *limits, bool https,
                                         struct gate_arena *arena, struct gate_request_head *out,
                                         struct gate_str *authority)
{
    struct gate_str scheme = https ? GATE_STR("https://") : GATE_STR("http://");
    struct gate_str t = out->target;
    size_t end;

    if (t.n < scheme.n || !gate_str_ieq(gate_str_of(t.p, scheme.n), scheme))
        return gate_refuse(400, "target is neither a path nor of this listener's scheme");
    for (end = scheme.n; end < t.n && t.p[end] != '/' && t.p[end] != '?'; end++)
        ;
    *authority = gate_str_of(t.p + scheme.n, end - scheme.n);
    t = gate_str_of(t.p + end, t.n - end);
    if (t.n > 0 && t.p[0] == '/')
        return origin_form(t, limits, arena, out);
    if (t.n == 0 && out->method == GATE_M_OPTIONS) {
        star(out);
        return GATE_ACCEPTED;
    }
    out->path = out->path_text = GATE_STR("/");
    if (t.n > 0) {
        out->has_query = true;
        out->query = gate_str_of(t.p + 1, t.n - 1);
        if (!gate_target_query_ok(out->query))
            return gate_refuse(400, "bad byte in the query");
    }
    return GATE_ACCEPTED;
}

static struct gate_refusal target(const struct gate_head_limits *limits, bool https,
                                  struct gate_arena *arena, struct gate_request_head *out,
                                  struct gate_str *authority)
{
    *authority = GATE_STR_NONE;
    if (out->target.p[0] == '/')
        return origin_form(out->target, limits, arena, out);
    if (out->target.n == 1 && out->target.p[0] == '*') {
        if (out->method != GATE_M_OPTIONS)
            return gate_refuse(400, "'*' is for OPTIONS only");
        star(out);
        return GATE_ACCEPTED;
    }
    return absolute_form(limits, https, arena, out, authority);
}

/* Host, and its agreement with an absolute-form target. */
static struct gate_refusal host(const struct gate_walk *w, struct gate_str authority, bool https,
                                struct gate_arena *arena, struct gate_request_head *out)
{
    const struct gate_field *f = gate_fields_find(&out->fields, GATE_F_HOST);
    struct gate_str said = f == NULL ? authority : gate_field_value(f);
    struct gate_str name;
    uint16_t usual = https ? 443 : 80;
    uint16_t port;

    if (f == NULL && out->minor == 1)
        return gate_refuse(400, "no Host");
    if (w->repeated & GATE_F_BIT(GATE_F_HOST))
        return gate_refuse(400, "more than one Host");
    if (f == NULL && authority.p == NULL)
        return GATE_ACCEPTED;
    if (!gate_target_authority(said, arena, &out->host, &out->port))
        return gate_refuse(400, "bad Host");
    out->authority = gate_str_of(out->host.p, said.n);
    if (authority.p == NULL)
        return GATE_ACCEPTED;
    if (!gate_target_authority(authority, arena, &name, &port))
        return gate_refuse(400, "bad authority in the target");
    if (!gate_str_eq(name, out->host) ||
        (port == 0 ? usual : port) != (out->port == 0 ? usual : out->port))
        return gate_refuse(400, "Host and target differ");
    return GATE_ACCEPTED;
}

static struct gate_refusal expect(const struct gate_walk *w, struct gate_request_head *out)
{
    const struct gate_field *f = gate_fields_find(&out->fields, GATE_F_EXPECT);

    if (f == NULL)
        return GATE_ACCEPTED;
    if ((w->repeated & GATE_F_BIT(GATE_F_EXPECT)) ||
        !gate_str_ieq(gate_field_value(f), GATE_STR("100-continue")))
        return gate_refuse(417, "unknown expectation");
    out->expect_continue =
        out->minor == 1 && (out->framing == GATE_BODY_CHUNKED || out->content_length > 0);
    return GATE_ACCEPTED;
}

static struct gate_refusal max_forwards(const struct gate_walk *w, struct gate_request_head *out)
{
    const struct gate_field *f;
    uint64_t v;

    out->max_forwards = -1;
    if (out->method != GATE_M_OPTIONS)
        return GATE_ACCEPTED;
    f = gate_fields_find(&out->fields, GATE_F_MAX_FORWARDS);
    if (f == NULL)
        return GATE_ACCEPTED;
    if ((w->repeated & GATE_F_BIT(GATE_F_MAX_FORWARDS)) ||
        !gate_str_to_u64(gate_field_value(f), &v))
        return gate_refuse(400, "bad Max-Forwards");
    out->max_forwards = v > INT32_MAX ? INT32_MAX : (int32_t)v;
    return GATE_ACCEPTED;
}

static void connection(struct gate_request_head *out)
{
    const uint64_t both = GATE_F_BIT(GATE_F_CONNECTION) | GATE_F_BIT(GATE_F_UPGRADE);
    struct gate_connection c;
    bool token;

    out->keep_alive = out->minor == 1;
    if ((out->fields.known & both) == 0)
        return;
    c = gate_parse_connection(&out->fields);
    out->keep_alive = !c.close && (out->minor == 1 || c.keep_alive);
    token = gate_parse_upgrade(&out->fields, &out->upgrade_token);
    out->upgrade = token && c.upgrade && out->minor == 1;
}

static struct gate_refusal fields(const char *p, size_t at, size_t n,
                                  const struct gate_scan_marks *marks,
                                  const struct gate_head_limits *limits, struct gate_arena *arena,
                                  struct gate_request_head *out, struct gate_walk *w)
{
    const char *why =
        gate_parse_lines(p, at, n, marks, true, limits->header_count, arena, &out->fields, w);

    if (why != NULL)
        return gate_refuse(w->too_many ? 431 : 400, why);
    if (w->too_long)
        return gate_refuse(431, "field name is too long");
    if (w->minor != out->minor)
        return gate_refuse(400, "the version is ambiguous");
    if (w->underscores > 0 && limits->underscores == GATE_UNDERSCORE_REJECT)
        return gate_refuse(400, "underscore in a field name");
    return gate_parse_framing(&out->fields, w, out->minor, &out->framing, &out->content_length);
}

static struct gate_refusal meaning(const struct gate_head_limits *limits, bool https,
                                   struct gate_arena *arena, const struct gate_walk *w,
                                   struct gate_request_head *out)
{
    struct gate_str authority;
    struct gate_refusal no = target(limits, https, arena, out, &authority);

    if (no.status == 0)
        no = host(w, authority, https, arena, out);
    if (no.status == 0)
        no = expect(w, out);
    if (no.status == 0)
        no = max_forwards(w, out);
    if (no.status == 0)
        connection(out);
    return no;
}

struct gate_refusal gate_parse_request_marked(const char *p, size_t n,
                                              const struct gate_scan_marks *marks,
                                              const struct gate_head_limits *limits, bool https,
                                              struct gate_arena *arena,
                                              struct gate_request_head *out)
{
    size_t end = marks->v[0].end;
    struct gate_refusal no;
    struct gate_walk w = {0};

    *out = (struct gate_request_head){0};
    no = request_line(p, end, limits, out);
    if (no.status != 0)
        return no;
    if (n > limits->header_bytes)
        return gate_refuse(431, "head is too large");
    no = fields(p, end + 2, n, marks, limits, arena, out, &w);
    if (no.status == 0)
        no = meaning(limits, https, arena, &w, out);
    if (no.status != 0)
        return no;
    if (w.underscores > 0 && limits->underscores == GATE_UNDERSCORE_DROP) {
        out->dropped_underscores = w.underscores;
        gate_parse_drop_underscores(&out->fields);
    }
    return GATE_ACCEPTED;
}

struct gate_refusal gate_parse_request(const char *p, size_t n,
                                       const struct gate_head_limits *limits, bool https,
                                       struct gate_arena *arena, struct gate_request_head *out)
{
    struct gate_scan_marks marks;

    gate_parse_mark(p, n, &marks);
    return gate_parse_request_marked(p, n, &marks, limits, https, arena, out);
}

/* A first line that has not ended yet. */
static struct gate_refusal partial_line(const char *p, size_t n,
                                        const struct gate_head_limits *limits)
{
    size_t space = gate_bytes_token_end(p, 0, n);

    if (space == n && n > METHOD_MAX)
        return gate_refuse(501, "method is too long");
    if (space < n && (space == 0 || p[space] != ' '))
        return gate_refuse(400, "method is not a token");
    if (space < n && n - space - 1 > limits->target_bytes + VERSION_LEN + 1)
        return gate_refuse(414, "target is too long");
    return GATE_ACCEPTED;
}

struct gate_refusal gate_parse_early(const char *p, size_t n, const struct gate_head_limits *limits)
{
    struct gate_request_head line = {0};
    size_t end = gate_bytes_find(p, 0, n, '\r');

    if (end == n)
        return partial_line(p, n, limits);
    return request_line(p, end, limits, &line);
}

struct gate_refusal gate_parse_refuse_partial(const char *p, size_t n,
                                              const struct gate_head_limits *limits)
{
    struct gate_refusal no = gate_parse_early(p, n, limits);

    if (no.status != 0)
        return no;
    if (n >= limits->header_bytes)
        return gate_refuse(431, "head is too large");
    return gate_refuse(400, "malformed head");
}
