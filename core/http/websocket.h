/* WebSocket: the key of an opening handshake and what answers it (RFC 6455 sections 4.1 and 4.2.2),
 * for the side that has to make one or the other because HTTP/2 has neither. No state. */
#ifndef GATE_HTTP_WEBSOCKET_H
#define GATE_HTTP_WEBSOCKET_H

#include <stdbool.h>

#include "base/str.h"
#include "http/fields.h"

#define GATE_WEBSOCKET_KEY    24
#define GATE_WEBSOCKET_ACCEPT 28

#define GATE_WEBSOCKET_ACCEPT_NAME GATE_STR("Sec-WebSocket-Accept")

/* A new key, from getrandom. No NUL behind it. */
void gate_websocket_key(char to[GATE_WEBSOCKET_KEY]);

/* 16 bytes in base64, as a client has to make it. */
bool gate_websocket_key_ok(struct gate_str key);

/* What a server answers to a key that is ok. No NUL behind it. */
void gate_websocket_accept(struct gate_str key, char to[GATE_WEBSOCKET_ACCEPT]);

/* Whether the fields of an answer accept this key: exactly one of them says so, and says it right.
 */
bool gate_websocket_accepted(struct gate_str key, const struct gate_fields *fs);

#endif
