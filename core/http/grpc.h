/* gRPC: what of its HTTP/2 protocol a gateway has to understand: which requests are calls, their
 * deadline, and the status that ends them. No state. */
#ifndef GATE_HTTP_GRPC_H
#define GATE_HTTP_GRPC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

/* Status codes, by gRPC's numbers. */
enum gate_grpc_code {
    GATE_GRPC_OK = 0,
    GATE_GRPC_CANCELLED = 1,
    GATE_GRPC_UNKNOWN = 2,
    GATE_GRPC_DEADLINE_EXCEEDED = 4,
    GATE_GRPC_PERMISSION_DENIED = 7,
    GATE_GRPC_RESOURCE_EXHAUSTED = 8,
    GATE_GRPC_UNIMPLEMENTED = 12,
    GATE_GRPC_INTERNAL = 13,
    GATE_GRPC_UNAVAILABLE = 14,
    GATE_GRPC_UNAUTHENTICATED = 16
};

/* Whether a Content-Type is that of a call: application/grpc, with or without a message format
 * behind "+"; not application/grpc-web. */
bool gate_grpc_is(struct gate_str content_type);

/* Reads grpc-timeout ("100m": one to eight digits and a unit of H M S m u n) in ms, rounded up.
 * False: it is malformed. */
bool gate_grpc_timeout(struct gate_str value, uint64_t *ms);

/* What an HTTP status stands for (http-grpc-status-mapping.md of gRPC). */
enum gate_grpc_code gate_grpc_of_status(int status);

/* What an error code of RST_STREAM stands for ("Errors" of gRPC's PROTOCOL-HTTP2.md). */
enum gate_grpc_code gate_grpc_of_reset(uint32_t code);

/* A text as grpc-message: on one line, percent-encoded, cut where it is longer than a message for
 * people should be. In the arena. */
struct gate_str gate_grpc_message(struct gate_str text, struct gate_arena *arena);

#endif
