/* TLS client: what handshakes with the servers of an upstream need: whom to believe, and who we
 * are. Immutable once it is made; shared by all threads, ref-counted (atomic): links outlive
 * reloads. */
#ifndef GATE_TLS_CLIENT_H
#define GATE_TLS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "config/config.h"
#include "tls/server.h"

struct gate_tls_client;

/* The authorities that the system believes, for clients that are made together: read when the first
 * one asks. Zeroed is ready. */
struct gate_tls_system {
    struct gate_authorities *read; /* tls/tls_int.h; NULL: nobody has asked */
};

void gate_tls_system_fini(struct gate_tls_system *s);

/* Reads all files and checks them. Takes long: not on a reactor. GATE_E_INVALID: `why` names the
 * option, the file and the cause. */
enum gate_err gate_tls_client_new(const struct gate_tls_client_config *config,
                                  const struct gate_tls_files *files,
                                  struct gate_tls_system *system, struct gate_tls_client **out,
                                  char *why, size_t why_cap);
struct gate_tls_client *gate_tls_client_ref(struct gate_tls_client *c);

/* Gives up one reference and clears the pointer; NULL is fine. Any thread. */
void gate_tls_client_unref(struct gate_tls_client **c);

/* Whether both are one identity: they believe the same authorities, show the same certificate and
 * speak the same protocols to a server of the same name, so that a connection of one will do for
 * the other. NULL is plain. */
bool gate_tls_client_same(const struct gate_tls_client *a, const struct gate_tls_client *b);

/* Tells one identity from another. */
uint64_t gate_tls_client_hash(const struct gate_tls_client *c);

/* Its own certificate, if it has one. */
void gate_tls_client_each(const struct gate_tls_client *c,
                          void (*fn)(void *arg, const struct gate_tls_term *term), void *arg);

#endif
