/* PROXY protocol: the header in front of a connection that says for whom it was made, versions 1
 * and 2 (doc/proxy-protocol.txt of HAProxy 2.6). Bytes only; knows no socket. */
#ifndef GATE_HTTP_PROXY_HEADER_H
#define GATE_HTTP_PROXY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/str.h"

/* Longest header of version 1, with its CRLF. Of version 2 less is kept: its begin and the two
 * addresses; what comes behind (TLVs) is passed over. */
#define GATE_PROXY_V1_MAX 107u

struct gate_proxy_reader {
    uint32_t n;    /* bytes kept */
    uint32_t skip; /* still to be passed over */
    char bytes[GATE_PROXY_V1_MAX];
};

/* What a header says. */
struct gate_proxy_source {
    bool known; /* false: the proxy speaks for itself (LOCAL, UNKNOWN) or the client has no IP */
    struct gate_addr client;
};

/* Zeroed is ready. */

/* Takes the next bytes. *took: how many of them belong to the header. GATE_OK: it is whole;
 * GATE_E_AGAIN: more is to come; GATE_E_SYNTAX: this is no such header, and the connection is to be
 * closed. */
enum gate_err gate_proxy_feed(struct gate_proxy_reader *r, const char *p, size_t n, size_t *took,
                              struct gate_proxy_source *out);

enum gate_proxy_version { GATE_PROXY_NONE, GATE_PROXY_V1, GATE_PROXY_V2 };

/* What version 2 says of a client that came by TLS. Texts that are empty, or longer than
 * GATE_PROXY_TEXT_MAX, are left out. */
struct gate_proxy_tls {
    struct gate_str alpn;
    struct gate_str authority; /* the name that it asked for (SNI) */
    struct gate_str version;   /* "TLSv1.3" */
    struct gate_str cipher;
    struct gate_str cn;        /* of its certificate */
    bool shown;                /* it has a certificate, */
    bool resumed;              /* which it has shown on an earlier connection, */
    bool verified;             /* and which is good */
};

#define GATE_PROXY_TEXT_MAX 255u

/* Longest header that is written: six texts in TLVs at most. */
#define GATE_PROXY_MAX 1600u

/* Writes the header for a client that speaks to us at `server` (NULL: not known; then it is the
 * unspecified address), by `tls` (NULL: not). A client that is no IP is not named. Room for
 * GATE_PROXY_MAX bytes; answers how many. */
size_t gate_proxy_write(enum gate_proxy_version version, const struct gate_addr *client,
                        const struct gate_addr *server, const struct gate_proxy_tls *tls, char *to);

#endif
