/* TLS sessions: what a server gave us to resume by, under one identity. Ref-counted, not atomic:
 * the shelf of a peer and the conns to it share them. One thread. */
#ifndef GATE_TLS_SESSIONS_H
#define GATE_TLS_SESSIONS_H

#include "tls/client.h"

/* The newest are kept; older ones would be used less and less. */
#define GATE_TLS_SESSIONS_MAX 2

struct gate_tls_sessions;

/* Those of this identity: *s as it is, or new ones in its place when it is another's or NULL. */
struct gate_tls_sessions *gate_tls_sessions_of(struct gate_tls_sessions **s,
                                               struct gate_tls_client *client);

/* Gives up one reference and clears the pointer; NULL is fine. */
void gate_tls_sessions_unref(struct gate_tls_sessions **s);

/* How many there are now. */
int gate_tls_sessions_count(const struct gate_tls_sessions *s);

#endif
