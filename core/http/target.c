/* Targets: one canonical form for routing, rules, scripts, cache keys and the upstream line. */
#include "http/target.h"

#include <arpa/inet.h>

#include "http/bytes_int.h"
#include "http/parse_int.h"

static const char HEX[] = "0123456789ABCDEF";

/* Both forms of a path while they grow, segment by segment. */
struct builder {
    char *canonical;
    char *text;
    size_t cn;
    size_t tn;
    size_t c_segment; /* where the current segment begins */
    size_t t_segment;
};

/* Room for n input bytes, each escaped at worst. */
static void begin(struct builder *b, struct gate_arena *arena, size_t n)
{
    b->canonical = gate_arena_alloc(arena, n * 4 + 2);
    b->text = b->canonical + n * 3 + 1;
    b->canonical[0] = b->text[0] = '/';
    b->cn = b->tn = b->c_segment = b->t_segment = 1;
}

static void put_plain(struct builder *b, char c)
{
    b->canonical[b->cn++] = c;
    b->text[b->tn++] = c;
}

static void put_escape(char *to, size_t *n, char c)
{
    to[(*n)++] = '%';
    to[(*n)++] = HEX[(uint8_t)c >> 4];
    to[(*n)++] = HEX[(uint8_t)c & 15];
}

/* A byte that is only canonical as an escape. '/' and '%' stay escaped in the text as well:
 * there they would be taken for a separator or for an escape. */
static void put_escaped(struct builder *b, char c)
{
    put_escape(b->canonical, &b->cn, c);
    if (c == '/' || c == '%')
        put_escape(b->text, &b->tn, c);
    else
        b->text[b->tn++] = c;
}

/* Start of the segment before the one that begins at `at` (behind its slash). */
static size_t previous(const char *p, size_t at)
{
    at--;
    while (p[at - 1] != '/')
        at--;
    return at;
}

/* Ends the current segment, at a slash or at the end of the path. False: it climbs above the
 * root. */
static bool end_segment(struct builder *b, bool slash)
{
    const char *s = b->canonical + b->c_segment;
    size_t n = b->cn - b->c_segment;

    if (n == 2 && s[0] == '.' && s[1] == '.') {
        if (b->c_segment == 1)
            return false;
        b->c_segment = b->cn = previous(b->canonical, b->c_segment);
        b->t_segment = b->tn = previous(b->text, b->t_segment);
        return true;
    }
    if (n == 1 && s[0] == '.') {
        b->cn = b->c_segment;
        b->tn = b->t_segment;
        return true;
    }
    if (slash && n > 0) {
        put_plain(b, '/');
        b->c_segment = b->cn;
        b->t_segment = b->tn;
    }
    return true;
}

static struct gate_refusal end_path(struct builder *b, struct gate_str *canonical,
                                    struct gate_str *text)
{
    if (!end_segment(b, false))
        return gate_refuse(400, "path climbs above the root");
    *canonical = gate_str_of(b->canonical, b->cn);
    *text = gate_str_of(b->text, b->tn);
    return GATE_ACCEPTED;
}

size_t gate_target_canonical_prefix(struct gate_str raw)
{
    size_t i = 0;

    while (i < raw.n) {
        if (gate_byte_is(raw.p[i], GATE_C_PCHAR)) {
            i++;
            continue;
        }
        if (raw.p[i] != '/')
            break;
        i++;
        if (i < raw.n && (raw.p[i] == '.' || raw.p[i] == '/'))
            return i - 1;
    }
    return i;
}

static const char *put_percent(struct builder *b, const char *p, size_t left, bool reject_slash)
{
    char c;

    if (left < 3 || !gate_byte_is(p[1], GATE_C_HEX) || !gate_byte_is(p[2], GATE_C_HEX))
        return "bad escape in the path";
    c = (char)(gate_byte_hex(p[1]) << 4 | gate_byte_hex(p[2]));
    if ((uint8_t)c < 0x20 || c == 0x7f)
        return "escaped control in the path";
    if (c == '\\')
        return "backslash in the path";
    if (c == '/' && reject_slash)
        return "escaped slash in the path";
    if (gate_byte_is(c, GATE_C_UNRESERVED))
        put_plain(b, c);
    else
        put_escaped(b, c);
    return NULL;
}

static struct gate_refusal rebuild(struct gate_str raw, const struct gate_head_limits *limits,
                                   struct gate_arena *arena, struct gate_str *canonical,
                                   struct gate_str *text)
{
    struct builder b;

    begin(&b, arena, raw.n);
    for (size_t i = 1; i < raw.n; i++) {
        char c = raw.p[i];

        if (c == '/') {
            if (b.cn == b.c_segment && raw.p[i - 1] == '/' && !limits->merge_slashes)
                return gate_refuse(400, "empty path segment");
            if (!end_segment(&b, true))
                return gate_refuse(400, "path climbs above the root");
        } else if (c == '%') {
            const char *why = put_percent(&b, raw.p + i, raw.n - i, limits->encoded_slash_reject);

            if (why != NULL)
                return gate_refuse(400, why);
            i += 2;
        } else if (gate_byte_is(c, GATE_C_PCHAR)) {
            put_plain(&b, c);
        } else if (gate_byte_is(c, GATE_C_EXTRA)) {
            put_escaped(&b, c);
        } else {
            return gate_refuse(400, c == '\\' ? "backslash in the path" : "bad byte in the path");
        }
    }
    return end_path(&b, canonical, text);
}

struct gate_refusal gate_target_path(struct gate_str raw, const struct gate_head_limits *limits,
                                     struct gate_arena *arena, struct gate_str *canonical,
                                     struct gate_str *text)
{
    if (raw.n == 0 || raw.p[0] != '/')
        return gate_refuse(400, "path does not begin with a slash");
    if (gate_target_canonical_prefix(raw) == raw.n) {
        *canonical = *text = raw;
        return GATE_ACCEPTED;
    }
    return rebuild(raw, limits, arena, canonical, text);
}

/* "%2F" or "%25" at p. */
static bool kept_escape(const char *p, size_t left)
{
    return left >= 3 && p[1] == '2' && (p[2] == 'F' || p[2] == 'f' || p[2] == '5');
}

struct gate_refusal gate_target_encode(struct gate_str text, struct gate_arena *arena,
                                       struct gate_str *canonical, struct gate_str *canonical_text)
{
    struct builder b;

    if (text.n == 0 || text.p[0] != '/')
        return gate_refuse(400, "path does not begin with a slash");
    /* A lone '%' becomes three bytes of text, hence three times the room. */
    begin(&b, arena, text.n * 3);
    for (size_t i = 1; i < text.n; i++) {
        char c = text.p[i];

        if ((uint8_t)c < 0x20 || c == 0x7f || c == '\\')
            return gate_refuse(400, c == '\\' ? "backslash in the path" : "control in the path");
        if (c == '/') {
            if (!end_segment(&b, true))
                return gate_refuse(400, "path climbs above the root");
        } else if (c == '%' && kept_escape(text.p + i, text.n - i)) {
            put_escaped(&b, text.p[i + 2] == '5' ? '%' : '/');
            i += 2;
        } else if (gate_byte_is(c, GATE_C_PCHAR)) {
            put_plain(&b, c);
        } else {
            put_escaped(&b, c);
        }
    }
    return end_path(&b, canonical, canonical_text);
}

bool gate_target_query_ok(struct gate_str query)
{
    for (size_t i = 0; i < query.n; i++)
        if (!gate_byte_is(query.p[i], GATE_C_QUERY))
            return false;
    return true;
}

#define AUTHORITY_MAX 255

static bool port_of(const char *p, size_t n, uint16_t *port)
{
    unsigned v = 0;

    if (n == 0 || n > 5 || p[0] == '0')
        return false;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        v = v * 10 + (unsigned)(p[i] - '0');
    }
    *port = (uint16_t)v;
    return v <= 65535;
}

/* Length of "[...]" at the front when it is an IPv6 literal without zone, else 0. */
static __attribute__((noinline)) size_t ip_literal(struct gate_str text, bool *upper)
{
    char z[INET6_ADDRSTRLEN];
    struct in6_addr ip;
    size_t close = gate_str_find(text, ']', 1);

    if (close == text.n || close - 1 >= sizeof z)
        return 0;
    memcpy(z, text.p + 1, close - 1);
    z[close - 1] = '\0';
    if (strlen(z) != close - 1 || inet_pton(AF_INET6, z, &ip) != 1)
        return 0;
    for (size_t i = 0; i <= close; i++)
        *upper |= gate_byte_is(text.p[i], GATE_C_UPPER) != 0;
    return close + 1;
}

bool gate_target_authority(struct gate_str text, struct gate_arena *arena, struct gate_str *host,
                           uint16_t *port)
{
    bool upper = false;
    size_t n = 0;

    *port = 0;
    if (text.n == 0 || text.n > AUTHORITY_MAX)
        return false;
    if (text.p[0] == '[')
        n = ip_literal(text, &upper);
    else
        n = gate_bytes_host_end(text.p, text.n, &upper);
    if (n == 0)
        return false;
    if (n < text.n && (text.p[n] != ':' || !port_of(text.p + n + 1, text.n - n - 1, port)))
        return false;
    *host = gate_str_of(text.p, n > 1 && text.p[n - 1] == '.' ? n - 1 : n);
    if (upper) {
        char *lower = gate_arena_alloc(arena, text.n);

        for (size_t i = 0; i < text.n; i++)
            lower[i] = gate_lower(text.p[i]);
        host->p = lower;
    }
    return true;
}

struct gate_str gate_target_form_decode(struct gate_str s, struct gate_arena *arena)
{
    char *to;
    size_t n = 0;

    if (gate_str_find(s, '%', 0) == s.n && gate_str_find(s, '+', 0) == s.n)
        return s;
    to = gate_arena_alloc(arena, s.n);
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '+') {
            c = ' ';
        } else if (c == '%' && s.n - i >= 3 && gate_byte_is(s.p[i + 1], GATE_C_HEX) &&
                   gate_byte_is(s.p[i + 2], GATE_C_HEX)) {
            c = (char)(gate_byte_hex(s.p[i + 1]) << 4 | gate_byte_hex(s.p[i + 2]));
            i += 2;
        }
        to[n++] = c;
    }
    return gate_str_of(to, n);
}

bool gate_target_next_arg(struct gate_str *rest, struct gate_str *name, struct gate_str *value)
{
    while (rest->n > 0) {
        size_t end = gate_str_find(*rest, '&', 0);
        struct gate_str pair = {rest->p, end};
        size_t equals = gate_str_find(pair, '=', 0);
        size_t step = end < rest->n ? end + 1 : end;

        rest->p += step;
        rest->n -= step;
        if (pair.n == 0)
            continue;
        *name = gate_str_of(pair.p, equals);
        *value = equals == pair.n ? GATE_STR_NONE
                                  : gate_str_of(pair.p + equals + 1, pair.n - equals - 1);
        return true;
    }
    return false;
}
