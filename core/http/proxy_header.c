#include "http/proxy_header.h"

#include <string.h>

/* Version 2: the signature, version and command, family and protocol, length. */
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define SIGNATURE_N 12u
#define V2_HEAD     16u

enum { LOCAL = 0x20, PROXY = 0x21 };
enum { UNSPEC = 0x00, TCP4 = 0x11, TCP6 = 0x21, UNIX_STREAM = 0x31 };
enum { TCP4_BYTES = 12, TCP6_BYTES = 36, UNIX_BYTES = 216 };

/* Shortest header of version 1: "PROXY UNKNOWN" and CRLF. */
#define V1_MIN 15u

/* Version 1 */

/* The next word, which ends with the last one of the line or a single space. */
static bool next_word(struct gate_str *line, struct gate_str *word)
{
    size_t end = gate_str_find(*line, ' ', 0);

    *word = gate_str_of(line->p, end);
    if (end == line->n)
        *line = GATE_STR_NONE;
    else
        *line = gate_str_of(line->p + end + 1, line->n - end - 1);
    return word->n > 0;
}

static bool read_ip(struct gate_str word, int family, struct gate_addr *out)
{
    return word.p[0] != '[' && gate_addr_parse_ip(word, out) == GATE_OK &&
           out->u.sa.sa_family == family;
}

static bool read_port(struct gate_str word, uint16_t *out)
{
    uint64_t v;

    if (word.n > 5 || (word.p[0] == '0' && word.n > 1) || !gate_str_to_u64(word, &v) ||
        v > UINT16_MAX)
        return false;
    *out = (uint16_t)v;
    return true;
}

/* Behind "PROXY ", without CRLF. */
static enum gate_err read_v1(struct gate_str line, struct gate_proxy_source *out)
{
    struct gate_str kind, source, target, source_port, target_port;
    struct gate_addr ignored;
    uint16_t port, ignored_port;
    int family;

    if (!next_word(&line, &kind))
        return GATE_E_SYNTAX;
    if (gate_str_eq(kind, GATE_STR("UNKNOWN")))
        return GATE_OK;
    if (gate_str_eq(kind, GATE_STR("TCP4")))
        family = AF_INET;
    else if (gate_str_eq(kind, GATE_STR("TCP6")))
        family = AF_INET6;
    else
        return GATE_E_SYNTAX;
    if (!next_word(&line, &source) || !next_word(&line, &target) ||
        !next_word(&line, &source_port) || !next_word(&line, &target_port) || line.p != NULL ||
        !read_ip(source, family, &out->client) || !read_ip(target, family, &ignored) ||
        !read_port(source_port, &port) || !read_port(target_port, &ignored_port))
        return GATE_E_SYNTAX;
    gate_addr_set_port(&out->client, port);
    out->known = true;
    return GATE_OK;
}

/* The line, as far as it has come; its end is not behind `max`. */
static enum gate_err feed_v1(struct gate_proxy_reader *r, const char *p, size_t n, size_t *took,
                             struct gate_proxy_source *out)
{
    size_t room = GATE_PROXY_V1_MAX - r->n;
    size_t end = gate_str_find(gate_str_of(p, n), '\n', 0);
    bool whole = end < n;
    size_t take = whole ? end + 1 : n;

    if (take > room || (!whole && take == room))
        return GATE_E_SYNTAX;
    memcpy(r->bytes + r->n, p, take);
    r->n += (uint32_t)take;
    *took = take;
    if (!whole)
        return GATE_E_AGAIN;
    if (r->n < V1_MIN || r->bytes[r->n - 2] != '\r')
        return GATE_E_SYNTAX;
    return read_v1(gate_str_of(r->bytes + 6, r->n - 8), out);
}

/* Version 2 */

static uint16_t be16(const char *p)
{
    return (uint16_t)((unsigned char)p[0] << 8 | (unsigned char)p[1]);
}

static void read_ip4(const char *p, struct gate_addr *out)
{
    out->len = sizeof(out->u.in4);
    out->u.in4 = (struct sockaddr_in){.sin_family = AF_INET};
    memcpy(&out->u.in4.sin_addr, p, 4);
    memcpy(&out->u.in4.sin_port, p + 8, 2);
}

static void read_ip6(const char *p, struct gate_addr *out)
{
    out->len = sizeof(out->u.in6);
    out->u.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
    memcpy(&out->u.in6.sin6_addr, p, 16);
    memcpy(&out->u.in6.sin6_port, p + 32, 2);
}

/* Bytes of addresses that a command and family must bring; -1: there is no such pair. */
static int address_bytes(uint8_t command, uint8_t family)
{
    if (command == LOCAL)
        return 0;
    if (command != PROXY)
        return -1;
    switch (family) {
    case UNSPEC:
        return 0;
    case TCP4:
        return TCP4_BYTES;
    case TCP6:
        return TCP6_BYTES;
    case UNIX_STREAM:
        return UNIX_BYTES;
    default:
        return -1;
    }
}

/* What is kept of it: the addresses, where they are looked at. */
static uint32_t kept_bytes(uint8_t command, uint8_t family)
{
    if (command != PROXY || (family != TCP4 && family != TCP6))
        return V2_HEAD;
    return V2_HEAD + (family == TCP4 ? TCP4_BYTES : TCP6_BYTES);
}

static void read_v2(const struct gate_proxy_reader *r, struct gate_proxy_source *out)
{
    uint8_t family = (uint8_t)r->bytes[13];

    out->known = r->n > V2_HEAD;
    if (out->known && family == TCP4)
        read_ip4(r->bytes + V2_HEAD, &out->client);
    else if (out->known)
        read_ip6(r->bytes + V2_HEAD, &out->client);
}

/* Takes up to the given number of kept bytes. */
static bool keep(struct gate_proxy_reader *r, uint32_t wanted, const char *p, size_t n,
                 size_t *took)
{
    size_t need = wanted - r->n;
    size_t take = n - *took < need ? n - *took : need;

    memcpy(r->bytes + r->n, p + *took, take);
    r->n += (uint32_t)take;
    *took += take;
    return r->n == wanted;
}

static enum gate_err feed_v2(struct gate_proxy_reader *r, const char *p, size_t n, size_t *took,
                             struct gate_proxy_source *out)
{
    uint8_t command, family;
    uint32_t kept;
    size_t pass;

    if (r->n < V2_HEAD) {
        if (!keep(r, V2_HEAD, p, n, took))
            return GATE_E_AGAIN;
        command = (uint8_t)r->bytes[12];
        family = (uint8_t)r->bytes[13];
        if (address_bytes(command, family) < 0 ||
            be16(r->bytes + 14) < address_bytes(command, family))
            return GATE_E_SYNTAX;
        r->skip = be16(r->bytes + 14) - (kept_bytes(command, family) - V2_HEAD);
    }
    kept = kept_bytes((uint8_t)r->bytes[12], (uint8_t)r->bytes[13]);
    if (!keep(r, kept, p, n, took))
        return GATE_E_AGAIN;
    pass = n - *took < r->skip ? n - *took : r->skip;
    r->skip -= (uint32_t)pass;
    *took += pass;
    if (r->skip > 0)
        return GATE_E_AGAIN;
    read_v2(r, out);
    return GATE_OK;
}

/* Both */

/* Whether what has come so far may be the begin of the text. */
static bool begins(const struct gate_proxy_reader *r, const char *p, size_t n, struct gate_str text)
{
    size_t have = r->n < text.n ? r->n : text.n;
    size_t more = n < text.n - have ? n : text.n - have;

    return memcmp(r->bytes, text.p, have) == 0 && memcmp(p, text.p + have, more) == 0;
}

enum gate_err gate_proxy_feed(struct gate_proxy_reader *r, const char *p, size_t n, size_t *took,
                              struct gate_proxy_source *out)
{
    *took = 0;
    *out = (struct gate_proxy_source){.known = false};
    if (n == 0)
        return GATE_E_AGAIN;
    if (begins(r, p, n, gate_str_of(SIGNATURE, SIGNATURE_N)))
        return feed_v2(r, p, n, took, out);
    if (begins(r, p, n, GATE_STR("PROXY ")))
        return feed_v1(r, p, n, took, out);
    return GATE_E_SYNTAX;
}

/* Writing */

/* An address in its own family: IPv4-mapped IPv6 is IPv4. False: it is no IP. */
static bool as_ip(const struct gate_addr *a, struct gate_addr *out)
{
    *out = *a;
    if (a->u.sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->u.in6.sin6_addr)) {
        memset(out, 0, sizeof(*out));
        out->len = sizeof(out->u.in4);
        out->u.in4.sin_family = AF_INET;
        out->u.in4.sin_port = a->u.in6.sin6_port;
        memcpy(&out->u.in4.sin_addr, a->u.in6.sin6_addr.s6_addr + 12, 4);
    }
    return out->u.sa.sa_family == AF_INET || out->u.sa.sa_family == AF_INET6;
}

/* The server's address in the client's family: a header has room for one family only. */
static void as_server(const struct gate_addr *server, int family, struct gate_addr *out)
{
    if (server != NULL && as_ip(server, out) && out->u.sa.sa_family == family)
        return;
    memset(out, 0, sizeof(*out));
    out->u.sa.sa_family = (sa_family_t)family;
    out->len = family == AF_INET ? sizeof(out->u.in4) : sizeof(out->u.in6);
}

static size_t write_v1(const struct gate_addr *client, const struct gate_addr *server, char *to)
{
    struct gate_out o = gate_out_on(to, GATE_PROXY_V1_MAX);
    char from[GATE_IP_TEXT], at[GATE_IP_TEXT];

    gate_addr_format_ip(client, from, sizeof(from));
    gate_addr_format_ip(server, at, sizeof(at));
    gate_out_fmt(&o, "PROXY TCP%c %s %s %u %u\r\n", client->u.sa.sa_family == AF_INET ? '4' : '6',
                 from, at, gate_addr_port(client), gate_addr_port(server));
    return o.n;
}

/* Type-length-value triples of version 2 */

enum { TLV_ALPN = 0x01, TLV_AUTHORITY = 0x02, TLV_SSL = 0x20 };
enum { TLV_SSL_VERSION = 0x21, TLV_SSL_CN = 0x22, TLV_SSL_CIPHER = 0x23 };
enum { CLIENT_SSL = 1, CLIENT_CERT_CONN = 2, CLIENT_CERT_SESS = 4 };

#define TLV_HEAD 3u

static void put_be16(char *to, size_t n)
{
    to[0] = (char)(n >> 8);
    to[1] = (char)n;
}

static char *put_text(char *to, int type, struct gate_str text)
{
    if (text.n == 0 || text.n > GATE_PROXY_TEXT_MAX)
        return to;
    to[0] = (char)type;
    put_be16(to + 1, text.n);
    memcpy(to + TLV_HEAD, text.p, text.n);
    return to + TLV_HEAD + text.n;
}

/* Who is behind TLS; a verdict of 0 is a good one. */
static char *put_ssl(char *to, const struct gate_proxy_tls *tls)
{
    char *at = to + TLV_HEAD;

    *at = CLIENT_SSL;
    if (tls->shown)
        *at |= (char)(tls->resumed ? CLIENT_CERT_SESS : CLIENT_CERT_CONN | CLIENT_CERT_SESS);
    at++;
    memset(at, 0, 4);
    at[3] = !(tls->shown && tls->verified);
    at += 4;
    at = put_text(at, TLV_SSL_VERSION, tls->version);
    at = put_text(at, TLV_SSL_CN, tls->cn);
    at = put_text(at, TLV_SSL_CIPHER, tls->cipher);
    to[0] = TLV_SSL;
    put_be16(to + 1, (size_t)(at - to) - TLV_HEAD);
    return at;
}

static size_t write_tls(const struct gate_proxy_tls *tls, char *to)
{
    char *at = put_text(to, TLV_ALPN, tls->alpn);

    at = put_text(at, TLV_AUTHORITY, tls->authority);
    return (size_t)(put_ssl(at, tls) - to);
}

/* The addresses. */
static size_t write_ips(const struct gate_addr *client, const struct gate_addr *server, char *to)
{
    if (client->u.sa.sa_family == AF_INET) {
        memcpy(to, &client->u.in4.sin_addr, 4);
        memcpy(to + 4, &server->u.in4.sin_addr, 4);
        memcpy(to + 8, &client->u.in4.sin_port, 2);
        memcpy(to + 10, &server->u.in4.sin_port, 2);
        return TCP4_BYTES;
    }
    memcpy(to, &client->u.in6.sin6_addr, 16);
    memcpy(to + 16, &server->u.in6.sin6_addr, 16);
    memcpy(to + 32, &client->u.in6.sin6_port, 2);
    memcpy(to + 34, &server->u.in6.sin6_port, 2);
    return TCP6_BYTES;
}

/* `client` NULL: it is no IP. */
static size_t write_v2(const struct gate_addr *client, const struct gate_addr *server,
                       const struct gate_proxy_tls *tls, char *to)
{
    static const char head[] = SIGNATURE "\x21\0\0";
    size_t n = 0;

    memcpy(to, head, V2_HEAD);
    if (client != NULL) {
        to[13] = client->u.sa.sa_family == AF_INET ? TCP4 : TCP6;
        n = write_ips(client, server, to + V2_HEAD);
    }
    if (tls != NULL)
        n += write_tls(tls, to + V2_HEAD + n);
    put_be16(to + 14, n);
    return V2_HEAD + n;
}

size_t gate_proxy_write(enum gate_proxy_version version, const struct gate_addr *client,
                        const struct gate_addr *server, const struct gate_proxy_tls *tls, char *to)
{
    struct gate_addr from, at;
    bool is_ip = as_ip(client, &from);

    if (is_ip)
        as_server(server, from.u.sa.sa_family, &at);
    if (version == GATE_PROXY_V2)
        return write_v2(is_ip ? &from : NULL, &at, tls, to);
    if (is_ip)
        return write_v1(&from, &at, to);
    memcpy(to, "PROXY UNKNOWN\r\n", V1_MIN);
    return V1_MIN;
}
