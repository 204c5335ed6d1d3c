#include "base/addr.h"

#include <endian.h>
#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

static const struct gate_str unix_prefix = { "unix:", 5 };

#define PATH_AT offsetof(struct sockaddr_un, sun_path)

static void set_in4(struct gate_addr *a, const void *ip, uint16_t port)
{
    memset(a, 0, sizeof(*a));
    a->len = sizeof(a->u.in4);
    a->u.in4.sin_family = AF_INET;
    a->u.in4.sin_port = htons(port);
    memcpy(&a->u.in4.sin_addr, ip, 4);
}

static void set_in6(struct gate_addr *a, const void *ip, uint16_t port)
{
    memset(a, 0, sizeof(*a));
    a->len = sizeof(a->u.in6);
    a->u.in6.sin6_family = AF_INET6;
    a->u.in6.sin6_port = htons(port);
    memcpy(&a->u.in6.sin6_addr, ip, 16);
}

/* Without brackets and port. */
static bool parse_ip(struct gate_str text, bool v6, uint16_t port, struct gate_addr *out)
{
    char z[INET6_ADDRSTRLEN];
    unsigned char ip[16];

    /* A NUL inside would end the text for inet_pton. */
    if (text.n == 0 || text.n >= sizeof(z) || memchr(text.p, '\0', text.n) != NULL)
        return false;
    memcpy(z, text.p, text.n);
    z[text.n] = '\0';
    if (inet_pton(v6 ? AF_INET6 : AF_INET, z, ip) != 1)
        return false;
    if (v6)
        set_in6(out, ip, port);
    else
        set_in4(out, ip, port);
    return true;
}

static bool is_bracketed(struct gate_str s)
{
    return s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']';
}

enum gate_err gate_addr_parse_ip(struct gate_str text, struct gate_addr *out)
{
    bool bracketed = is_bracketed(text);

    if (bracketed)
        text = gate_str_of(text.p + 1, text.n - 2);
    if (!bracketed && parse_ip(text, false, 0, out))
        return GATE_OK;
    return parse_ip(text, true, 0, out) ? GATE_OK : GATE_E_SYNTAX;
}

static bool parse_port(struct gate_str text, uint16_t *out)
{
    uint64_t v;

    if (text.n > 5 || !gate_str_to_u64(text, &v) || v > UINT16_MAX)
        return false;
    *out = (uint16_t)v;
    return true;
}

enum gate_err gate_addr_split(struct gate_str text, struct gate_str *host, uint16_t *port)
{
    size_t colon;

    if (text.n > 0 && text.p[0] == '[') {
        size_t close = gate_str_find(text, ']', 0);

        if (close < 2 || close + 1 >= text.n || text.p[close + 1] != ':')
            return GATE_E_SYNTAX;
        *host = gate_str_of(text.p + 1, close - 1);
        colon = close + 1;
    } else {
        colon = gate_str_find(text, ':', 0);
        *host = gate_str_of(text.p, colon);
    }
    if (colon >= text.n)
        return GATE_E_SYNTAX;
    text = gate_str_of(text.p + colon + 1, text.n - colon - 1);
    return parse_port(text, port) ? GATE_OK : GATE_E_SYNTAX;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
    return is_digit(c) || (gate_lower(c) >= 'a' && gate_lower(c) <= 'z') || c == '-' || c == '_';
}

/* Dot-separated labels of letters, digits, "-" and "_". A last label that looks like a number makes
 * a mistyped or disguised IPv4 ("127.1", "0x7f.1"), which resolvers would take for one: no name. */
static bool is_name(struct gate_str s)
{
    size_t start = 0;

    if (s.n > 0 && s.p[s.n - 1] == '.')
        s.n--;
    if (s.n == 0 || s.n > 253)
        return false;
    for (;;) {
        size_t dot = gate_str_find(s, '.', start);

        if (dot == start || dot - start > 63)
            return false;
        for (size_t i = start; i < dot; i++) {
            if (!is_name_char(s.p[i]))
                return false;
        }
        if (dot == s.n)
            break;
        start = dot + 1;
    }
    /* A top label of a real name begins with a letter. */
    return !is_digit(s.p[start]);
}

static enum gate_err parse_unix(struct gate_str path, struct gate_addr *out)
{
    if (path.n == 0 || path.p[0] != '/' || path.n >= sizeof(out->u.un.sun_path) ||
        memchr(path.p, '\0', path.n) != NULL)
        return GATE_E_SYNTAX;
    memset(out, 0, sizeof(*out));
    out->u.un.sun_family = AF_UNIX;
    memcpy(out->u.un.sun_path, path.p, path.n);
    out->len = (socklen_t)(PATH_AT + path.n + 1);
    return GATE_OK;
}

enum gate_err gate_addr_parse(struct gate_str text, struct gate_addr *out)
{
    struct gate_str host;
    uint16_t port;

    if (gate_str_starts(text, unix_prefix))
        return parse_unix(gate_str_of(text.p + unix_prefix.n, text.n - unix_prefix.n), out);
    if (gate_addr_split(text, &host, &port) != GATE_OK)
        return GATE_E_SYNTAX;
    if (host.n == 0) {
        set_in6(out, &in6addr_any, port);
        return GATE_OK;
    }
    if (text.p[0] == '[')
        return parse_ip(host, true, port, out) ? GATE_OK : GATE_E_SYNTAX;
    if (parse_ip(host, false, port, out))
        return GATE_OK;
    return is_name(host) ? GATE_E_NOTFOUND : GATE_E_SYNTAX;
}

/* The four bytes of an IPv4 or IPv4-mapped address, else NULL. */
static const unsigned char *ipv4_of(const struct gate_addr *a)
{
    if (a->u.sa.sa_family == AF_INET)
        return (const unsigned char *)&a->u.in4.sin_addr;
    if (a->u.sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->u.in6.sin6_addr))
        return (const unsigned char *)&a->u.in6.sin6_addr + 12;
    return NULL;
}

/* By hand for IPv4: inet_ntop goes through printf, and this runs once a connection and log line. */
static void put_ip(struct gate_out *o, const struct gate_addr *a, bool brackets)
{
    const unsigned char *v4 = ipv4_of(a);
    char text[INET6_ADDRSTRLEN];

    if (v4 != NULL) {
        for (int i = 0; i < 4; i++) {
            if (i > 0)
                gate_out_char(o, '.');
            gate_out_u64(o, v4[i]);
        }
        return;
    }
    if (inet_ntop(AF_INET6, &a->u.in6.sin6_addr, text, sizeof(text)) == NULL)
        return;
    if (brackets)
        gate_out_char(o, '[');
    gate_out_str(o, gate_str_from_cstr(text));
    if (brackets)
        gate_out_char(o, ']');
}

static bool is_ip(const struct gate_addr *a)
{
    return a->u.sa.sa_family == AF_INET || a->u.sa.sa_family == AF_INET6;
}

/* The path without its NUL; empty for an unnamed socket. An abstract name begins with a NUL. */
static struct gate_str unix_path(const struct gate_addr *a)
{
    size_t n = a->len > PATH_AT ? a->len - PATH_AT : 0;
    const char *path = a->u.un.sun_path;

    if (n > sizeof(a->u.un.sun_path))
        n = sizeof(a->u.un.sun_path);
    if (n > 0 && path[0] != '\0')
        n = strnlen(path, n);
    return gate_str_of(path, n);
}

static size_t finish(const struct gate_out *o, const char *from, char *to, size_t cap)
{
    size_t n = o->n;

    if (cap == 0)
        return 0;
    if (n >= cap)
        n = cap - 1;
    memcpy(to, from, n);
    to[n] = '\0';
    return n;
}

size_t gate_addr_format(const struct gate_addr *a, char *to, size_t cap)
{
    char text[GATE_ADDR_TEXT];
    struct gate_out o = gate_out_on(text, sizeof(text));

    if (is_ip(a)) {
        put_ip(&o, a, true);
        gate_out_char(&o, ':');
        gate_out_u64(&o, gate_addr_port(a));
    } else if (a->u.sa.sa_family == AF_UNIX) {
        struct gate_str path = unix_path(a);

        gate_out_str(&o, unix_prefix);
        if (path.n > 0 && path.p[0] == '\0') {
            gate_out_char(&o, '@');
            path = gate_str_of(path.p + 1, path.n - 1);
        }
        gate_out_str(&o, path);
    }
    return finish(&o, text, to, cap);
}

/* Once a request: dotted decimal without the detour of inet_ntop. */
static size_t format_in4(const uint8_t ip[4], char *to)
{
    char *p = to;

    for (int i = 0; i < 4; i++) {
        uint8_t v = ip[i];

        if (i > 0)
            *p++ = '.';
        if (v >= 100)
            *p++ = (char)('0' + v / 100);
        if (v >= 10)
            *p++ = (char)('0' + v / 10 % 10);
        *p++ = (char)('0' + v % 10);
    }
    *p = '\0';
    return (size_t)(p - to);
}

size_t gate_addr_format_ip(const struct gate_addr *a, char *to, size_t cap)
{
    char text[GATE_ADDR_TEXT];
    struct gate_out o = gate_out_on(text, sizeof(text));

    if (a->u.sa.sa_family == AF_INET && cap >= INET_ADDRSTRLEN)
        return format_in4((const uint8_t *)&a->u.in4.sin_addr, to);
    if (is_ip(a))
        put_ip(&o, a, false);
    else if (a->u.sa.sa_family == AF_UNIX)
        gate_out_str(&o, unix_prefix);
    return finish(&o, text, to, cap);
}

uint16_t gate_addr_port(const struct gate_addr *a)
{
    if (a->u.sa.sa_family == AF_INET)
        return ntohs(a->u.in4.sin_port);
    if (a->u.sa.sa_family == AF_INET6)
        return ntohs(a->u.in6.sin6_port);
    return 0;
}

void gate_addr_set_port(struct gate_addr *a, uint16_t port)
{
    if (a->u.sa.sa_family == AF_INET)
        a->u.in4.sin_port = htons(port);
    else if (a->u.sa.sa_family == AF_INET6)
        a->u.in6.sin6_port = htons(port);
}

bool gate_addr_eq(const struct gate_addr *a, const struct gate_addr *b)
{
    const unsigned char *a4 = ipv4_of(a);
    const unsigned char *b4 = ipv4_of(b);

    if (is_ip(a) != is_ip(b))
        return false;
    if (!is_ip(a))
        return a->u.sa.sa_family == b->u.sa.sa_family && gate_str_eq(unix_path(a), unix_path(b));
    if (gate_addr_port(a) != gate_addr_port(b) || (a4 == NULL) != (b4 == NULL))
        return false;
    if (a4 != NULL)
        return memcmp(a4, b4, 4) == 0;
    return a->u.in6.sin6_scope_id == b->u.in6.sin6_scope_id &&
           memcmp(&a->u.in6.sin6_addr, &b->u.in6.sin6_addr, 16) == 0;
}

/* 8 bytes as a number, the first one highest. */
static uint64_t load_be(const void *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return be64toh(v);
}

/* An IP as two numbers; IPv4 in its mapped form. */
static void to_numbers(const struct gate_addr *a, uint64_t *high, uint64_t *low)
{
    if (a->u.sa.sa_family == AF_INET6) {
        *high = load_be(&a->u.in6.sin6_addr);
        *low = load_be((const char *)&a->u.in6.sin6_addr + 8);
        return;
    }
    *high = 0;
    *low = 0xffff00000000ull | ntohl(a->u.in4.sin_addr.s_addr);
}

/* The first n bits of a 64-bit number; n is at most 64. */
static uint64_t first_bits(unsigned n)
{
    return n == 0 ? 0 : ~0ull << (64 - n);
}

enum gate_err gate_cidr_parse(struct gate_str text, struct gate_cidr *out)
{
    size_t slash = gate_str_find(text, '/', 0);
    struct gate_addr a;
    uint64_t bits;
    unsigned most;

    if (gate_str_eq(text, unix_prefix)) {
        *out = (struct gate_cidr){ .bits = GATE_CIDR_UNIX };
        return GATE_OK;
    }
    if (gate_addr_parse_ip(gate_str_of(text.p, slash), &a) != GATE_OK)
        return GATE_E_SYNTAX;
    most = a.u.sa.sa_family == AF_INET ? 32 : 128;
    bits = most;
    if (slash < text.n) {
        struct gate_str tail = gate_str_of(text.p + slash + 1, text.n - slash - 1);

        if (tail.n > 3 || !gate_str_to_u64(tail, &bits) || bits > most)
            return GATE_E_SYNTAX;
    }
    to_numbers(&a, &out->high, &out->low);
    out->bits = (uint8_t)(bits + (128 - most));
    out->high &= first_bits(out->bits < 64 ? out->bits : 64);
    out->low &= first_bits(out->bits < 64 ? 0 : out->bits - 64u);
    return GATE_OK;
}

static bool cidr_has(const struct gate_cidr *net, uint64_t high, uint64_t low)
{
    high ^= net->high;
    low ^= net->low;
    if (net->bits == GATE_CIDR_UNIX)
        return false;
    if (net->bits > 64)
        return high == 0 && (low >> (128 - net->bits)) == 0;
    return net->bits == 0 || (high >> (64 - net->bits)) == 0;
}

static bool has_unix(const struct gate_cidr_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        if (set->v[i].bits == GATE_CIDR_UNIX)
            return true;
    }
    return false;
}

bool gate_cidr_set_has(const struct gate_cidr_set *set, const struct gate_addr *a)
{
    uint64_t high, low;

    if (set->n == 0)
        return false;
    if (!is_ip(a))
        return a->u.sa.sa_family == AF_UNIX && has_unix(set);
    to_numbers(a, &high, &low);
    for (size_t i = 0; i < set->n; i++) {
        if (cidr_has(&set->v[i], high, low))
            return true;
    }
    return false;
}
