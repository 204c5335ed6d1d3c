/* TLS: OpenSSL as a second kind of conn. It lies over the kind that the conn had (plain, or faulty
 * in tests) and makes all calls through that one. One thread: the conn's. */
#ifndef GATE_TLS_TLS_H
#define GATE_TLS_TLS_H

#include "base/close_reason.h"
#include "net/conn.h"
#include "tls/info.h"
#include "tls/pair.h"
#include "tls/server.h"
#include "tls/sessions.h"

struct gate_tls;

/* Lays TLS over an open conn, on the server's side; takes a reference to `server`. From here on its
 * operations are TLS, and gate_conn_close ends it. Nothing is sent or read. GATE_E_NOMEM: the conn
 * is as it was. */
enum gate_err gate_tls_accept(struct gate_conn *c, struct gate_tls_server *server);

/* Lays TLS over a connected conn, on the client's side, for the server `host` (a name or a numeric
 * address; the client's server_name stands for it where there is one): what is named is asked for,
 * and has to be in the server's certificate. `sessions` (NULL: none) are those of this identity and
 * server. What is in `first` goes out before all else, as it is. Otherwise as gate_tls_accept.
 * GATE_E_INVALID: there is no name that could be verified. */
enum gate_err gate_tls_connect(struct gate_conn *c, struct gate_tls_client *client,
                               struct gate_str host, struct gate_tls_sessions *sessions,
                               struct gate_chain *first);

/* Of a client that offers HTTP/2, before the handshake: this once it does not. */
void gate_tls_no_http2(struct gate_tls *tls);

/* The TLS of a conn; NULL: it has none. */
struct gate_tls *gate_tls_of(const struct gate_conn *c);

/* Goes on with the handshake: when the conn is readable, and when it is writable. GATE_OK: it is
 * done. GATE_E_AGAIN: the conn watches for what is missing, while its reading is on. GATE_E_LIMIT:
 * failed; gate_tls_failure says why (GATE_CLOSE_TLS_…; GATE_CLOSE_CLIENT_EOF: nothing ever came),
 * and an alert was sent if one was due. */
enum gate_err gate_tls_handshake(struct gate_tls *tls);
enum gate_close_reason gate_tls_failure(const struct gate_tls *tls);

/* Of a failure with a server (GATE_CLOSE_LINK_TLS_…): "certificate verify failed: …"; lives as long
 * as the TLS. */
const char *gate_tls_why(const struct gate_tls *tls);

/* Bytes that have left for the kernel, all of TLS included. */
uint64_t gate_tls_written(const struct gate_tls *tls);

/* A sentence part for a reason GATE_CLOSE_TLS_…; never NULL. */
const char *gate_tls_failure_text(enum gate_close_reason why);

/* Before the handshake: somebody else chooses the certificate. Once the client has said what it
 * wants the handshake waits (GATE_E_AGAIN, and gate_tls_waits) until gate_tls_answer is called, and
 * goes on with the next gate_tls_handshake. */
void gate_tls_ask(struct gate_tls *tls);
bool gate_tls_waits(const struct gate_tls *tls);

/* What the client that waits offers by ALPN, a protocol a line. */
struct gate_str gate_tls_offer(const struct gate_tls *tls);

/* Takes the pair over; NULL: as configured. Not good: the handshake is refused. */
void gate_tls_answer(struct gate_tls *tls, struct gate_tls_pair **pair, bool good);

/* The name that the client asked for (SNI), in lower case; empty: none, or not known yet. */
struct gate_str gate_tls_asked(const struct gate_tls *tls);

/* After the handshake: what was agreed. */
struct gate_tls_info *gate_tls_info(const struct gate_tls *tls);

/* After a failure: takes TLS off again; what is written then goes out as it is. */
void gate_tls_unwrap(struct gate_conn *c);

extern const struct gate_conn_ops gate_conn_tls;

#endif
