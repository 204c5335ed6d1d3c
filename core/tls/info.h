/* TLS info: what a handshake agreed on, as scripts and logs see it. Ref-counted, not atomic:
 * requests outlive their connection. One thread. */
#ifndef GATE_TLS_INFO_H
#define GATE_TLS_INFO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* The views point into the same allocation; empty: there is none. */
struct gate_tls_info {
    uint32_t refs;
    bool resumed;
    bool verified;               /* the client's certificate is good */
    struct gate_str version; /* "1.3" */
    struct gate_str cipher;  /* "TLS_AES_128_GCM_SHA256" */
    struct gate_str sni;     /* lower case */
    struct gate_str alpn;    /* "http/1.1" */
    struct gate_str subject; /* of the client's certificate, as RFC 2253 writes it */
    struct gate_str common_name; /* in it, UTF-8 */
    struct gate_str fingerprint; /* SHA-256 of it, in hex */
};

/* A copy of `from` and its texts, with one reference. */
struct gate_tls_info *gate_tls_info_new(const struct gate_tls_info *from);

static inline struct gate_tls_info *gate_tls_info_ref(struct gate_tls_info *i)
{
    if (i != NULL)
        i->refs++;
    return i;
}

/* Gives up one reference and clears the pointer; NULL is fine. */
void gate_tls_info_unref(struct gate_tls_info **i);

#endif
