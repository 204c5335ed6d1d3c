/* Ticket spaces: the keys of one policy. A ticket that was made under one policy cannot be read
 * under another. */
#ifndef GATE_TLS_TICKETS_INT_H
#define GATE_TLS_TICKETS_INT_H

#include <openssl/ssl.h>

#include "tls/tickets.h"

#define GATE_TLS_POLICY_BYTES 32

struct gate_tls_space;

/* A reference to the space of a policy (a digest of what is demanded of clients). */
struct gate_tls_space *gate_tls_space_take(struct gate_tls_tickets *t,
                                           const unsigned char policy[GATE_TLS_POLICY_BYTES]);
void gate_tls_space_unref(struct gate_tls_space **s);

/* Has the context's tickets sealed in its server's space, and read for the names they are for. */
void gate_tls_tickets_use(SSL_CTX *ctx);

#endif
