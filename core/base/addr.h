/* Addresses: socket addresses as values, their text form, CIDR sets. */
#ifndef GATE_BASE_ADDR_H
#define GATE_BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "base/err.h"
#include "base/str.h"

struct gate_addr {
    socklen_t len;
    union {
        struct sockaddr sa;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } u;
};

/* Room for any address's text, NUL included. */
#define GATE_ADDR_TEXT 128

/* Room for an IP's text, or "unix:". */
#define GATE_IP_TEXT 48

/* A numeric "127.0.0.1:80", "[::1]:80", ":80" (dual stack any), "unix:/path". GATE_E_NOTFOUND: the
 * host is a name, for DNS; GATE_E_SYNTAX: neither, or a path too long for a socket. */
enum gate_err gate_addr_parse(struct gate_str text, struct gate_addr *out);

/* Splits "host:port" / "[v6]:port" / ":port" into its parts without resolving; `host` is a view
 * into the text, without brackets. GATE_E_SYNTAX: no port, or an unbracketed v6. */
enum gate_err gate_addr_split(struct gate_str text, struct gate_str *host, uint16_t *port);

/* An IP without port, "1.2.3.4" or "::1" (also "[::1]"); the port is 0. GATE_E_SYNTAX otherwise. */
enum gate_err gate_addr_parse_ip(struct gate_str text, struct gate_addr *out);

/* "ip:port", "[ip]:port" or "unix:/path"; returns bytes written without NUL. The text always ends
 * with NUL and is cut where it does not fit. IPv4-mapped IPv6 is written as IPv4. */
size_t gate_addr_format(const struct gate_addr *a, char *to, size_t cap);

/* Only the IP; "unix:" for a Unix address. IPv4-mapped IPv6 is written as IPv4. */
size_t gate_addr_format_ip(const struct gate_addr *a, char *to, size_t cap);

/* The port, host byte order; 0 for a Unix address, whose port cannot be set. */
uint16_t gate_addr_port(const struct gate_addr *a);
void gate_addr_set_port(struct gate_addr *a, uint16_t port);

/* Same IP, port and scope, or same path. An IPv4 address equals its IPv4-mapped IPv6 form. */
bool gate_addr_eq(const struct gate_addr *a, const struct gate_addr *b);

/* A set of networks, immutable after build; linear, for short lists (trust, outbound). */
struct gate_cidr {
    uint64_t high;      /* the first 8 bytes, as a number; IPv4 as ::ffff:a.b.c.d */
    uint64_t low;
    uint8_t bits;       /* 0..128, or GATE_CIDR_UNIX */
};

#define GATE_CIDR_UNIX 255

struct gate_cidr_set {
    const struct gate_cidr *v;
    size_t n;
};

/* "10.0.0.0/8", "fd00::/8", one IP, or "unix:" for every Unix address. Bits behind the prefix are
 * cleared. */
enum gate_err gate_cidr_parse(struct gate_str text, struct gate_cidr *out);

/* IPv4-mapped IPv6 is looked up as IPv4. */
bool gate_cidr_set_has(const struct gate_cidr_set *set, const struct gate_addr *a);

#endif
