/* Pairs: a certificate and its key that somebody gives for one handshake: PEM text, or paths of PEM
 * files. Immutable once it is made; handed from the thread that made it to the one that uses it. */
#ifndef GATE_TLS_PAIR_H
#define GATE_TLS_PAIR_H

#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

struct gate_tls_pair;
struct gate_tls_server;

/* Reads and checks. Takes long: not on a reactor. Relative paths begin where those of the server's
 * configuration do. GATE_E_INVALID: `why` names the cause, never a key. */
enum gate_err gate_tls_pair_new(const struct gate_tls_server *server, struct gate_str cert,
                                struct gate_str key, struct gate_tls_pair **out, char *why,
                                size_t why_cap);

/* Clears the pointer; NULL is fine. */
void gate_tls_pair_free(struct gate_tls_pair **p);

#endif
