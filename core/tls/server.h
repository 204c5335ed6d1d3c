/* TLS server: what a listener needs for handshakes: certificates by name, as OpenSSL contexts.
 * Immutable once it is made; shared by all threads, ref-counted (atomic): connections outlive
 * reloads. */
#ifndef GATE_TLS_SERVER_H
#define GATE_TLS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "config/config.h"

struct gate_tls_server;
struct gate_tls_tickets; /* tls/tickets.h */

/* How the paths of a configuration become paths of the disk, which is told of each beforehand. The
 * result is the caller's to free (gate_free); NULL: the path is too long. */
struct gate_tls_files {
    char *(*path)(void *arg, struct gate_str name);
    void *arg;
    struct gate_str dir; /* where relative paths begin; "" or with a '/' at its end */
    /* What was read, secrets among it. NULL: nobody wants it. */
    void (*keep)(void *arg, struct gate_str name, struct gate_str bytes);
    /* Bytes that stand for the file, which is not looked at then; false: there are none. NULL: the
     * same for all. */
    bool (*kept)(void *arg, struct gate_str name, struct gate_str *bytes);
};

/* Reads all files and checks them. Without `tickets` (NULL: the server is only tried) no other one
 * can resume its sessions. Takes long (some system calls and checks a file): not on a reactor.
 * GATE_E_INVALID: `why` names the file and the cause. */
enum gate_err gate_tls_server_new(const struct gate_tls_config *config,
                                  const struct gate_tls_files *files,
                                  struct gate_tls_tickets *tickets, struct gate_tls_server **out,
                                  char *why, size_t why_cap);
struct gate_tls_server *gate_tls_server_ref(struct gate_tls_server *s);

/* Gives up one reference and clears the pointer; NULL is fine. Any thread. */
void gate_tls_server_unref(struct gate_tls_server **s);

/* Clients may choose HTTP/2 by ALPN. Before anybody shakes hands. */
void gate_tls_server_offer_http2(struct gate_tls_server *s);

/* Tells one set of certificates and settings from another. */
uint64_t gate_tls_server_hash(const struct gate_tls_server *s);

/* Whether a request for `host` (lower case, no port) may come over a connection whose handshake
 * asked for `sni`: false when another certificate than the one in use stands for it. */
bool gate_tls_server_covers(const struct gate_tls_server *s, struct gate_str sni,
                            struct gate_str host);

/* When a certificate ends, in seconds of the wall clock. */
struct gate_tls_term {
    struct gate_str file;   /* as declared */
    int64_t ends_s;
    int64_t staple_ends_s;  /* of its OCSP response; 0: it has none, or one without an end */
};

void gate_tls_server_each(const struct gate_tls_server *s,
                          void (*fn)(void *arg, const struct gate_tls_term *term), void *arg);

#endif
