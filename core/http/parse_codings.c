/* Transfer-Encoding, when it is not just "chunked": whether it is a list of transfer codings at all
 * (RFC 9112 section 6.1), and so which refusal it gets. None is accepted: what one server unwraps
 * and another does not is how requests are smuggled. */
#include "http/bytes_int.h"
#include "http/parse_int.h"

static size_t skip_ows(struct gate_str v, size_t at)
{
    while (at < v.n && (v.p[at] == ' ' || v.p[at] == '\t'))
        at++;
    return at;
}

/* End of the token at `at`; `at` when none is there. */
static size_t token(struct gate_str v, size_t at)
{
    return gate_bytes_token_end(v.p, at, v.n);
}

/* End of the quoted string at `at`; `at` when none is there or it does not end. */
static size_t quoted(struct gate_str v, size_t at)
{
    size_t end = at + 1;

    if (at == v.n || v.p[at] != '"')
        return at;
    while (end < v.n && v.p[end] != '"')
        end += v.p[end] == '\\' ? 2 : 1;
    return end < v.n ? end + 1 : at;
}

/* End of the `name = value` at `at`; `at` when none is there. */
static size_t parameter(struct gate_str v, size_t at)
{
    size_t name = token(v, at);
    size_t equals = skip_ows(v, name);
    size_t value = skip_ows(v, equals + 1);
    size_t end;

    if (name == at || equals == v.n || v.p[equals] != '=')
        return at;
    end = token(v, value);
    if (end == value)
        end = quoted(v, value);
    return end > value ? end : at;
}

/* Takes the parameters behind a coding. False: malformed. */
static bool parameters(struct gate_str v, size_t *at)
{
    size_t next = skip_ows(v, *at);

    while (next < v.n && v.p[next] == ';') {
        size_t from = skip_ows(v, next + 1);
        size_t end = parameter(v, from);

        if (end == from)
            return false;
        *at = end;
        next = skip_ows(v, end);
    }
    return true;
}

struct gate_refusal gate_parse_codings(struct gate_str v)
{
    bool chunked = false;
    size_t at = 0;

    for (;;) {
        size_t from = skip_ows(v, at);
        size_t end = at = token(v, from);

        if (chunked)
            return gate_refuse(400, "chunked is not the last Transfer-Encoding");
        if (end == from || !parameters(v, &at))
            return gate_refuse(400, "malformed Transfer-Encoding");
        chunked = gate_str_ieq(gate_str_of(v.p + from, end - from), GATE_STR("chunked"));
        if (chunked && at > end)
            return gate_refuse(400, "chunked with a parameter");
        at = skip_ows(v, at);
        if (at == v.n)
            return gate_refuse(501, "unknown Transfer-Encoding");
        if (v.p[at++] != ',')
            return gate_refuse(400, "malformed Transfer-Encoding");
    }
}
