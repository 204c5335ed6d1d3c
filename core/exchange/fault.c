/* One table: name, status, gRPC status and sentence of every fault. */
#include "exchange/fault.h"

#include "base/assert.h"

static const struct {
    const char *name;
    int status;
    enum gate_grpc_code grpc;
    const char *text;
} faults[GATE_FAULT_COUNT] = {
    [GATE_FAULT_NONE] = {"", 0, GATE_GRPC_OK, ""},
    [GATE_FAULT_BAD_REQUEST] = {"bad_request", 400, GATE_GRPC_INTERNAL, "the request is not valid"},
    [GATE_FAULT_CLIENT_CERT] = {"client_cert", 403, GATE_GRPC_UNAUTHENTICATED,
                                "a certificate of the client is needed here"},
    [GATE_FAULT_NO_ROUTE] = {"no_route", 404, GATE_GRPC_UNIMPLEMENTED,
                             "no route takes this request"},
    [GATE_FAULT_METHOD_NOT_ALLOWED] = {"method_not_allowed", 405, GATE_GRPC_UNIMPLEMENTED,
                                       "the path does not take this method"},
    [GATE_FAULT_HEADER_TIMEOUT] = {"header_timeout", 408, GATE_GRPC_DEADLINE_EXCEEDED,
                                   "the request head did not come in time"},
    [GATE_FAULT_BODY_TIMEOUT] = {"body_timeout", 408, GATE_GRPC_DEADLINE_EXCEEDED,
                                 "the request body came too slowly"},
    [GATE_FAULT_TOO_LARGE] = {"too_large", 413, GATE_GRPC_RESOURCE_EXHAUSTED,
                              "the request body is too large"},
    [GATE_FAULT_SCRIPT_ERROR] = {"script_error", 500, GATE_GRPC_UNKNOWN, "a script failed"},
    [GATE_FAULT_CONNECT] = {"connect", 502, GATE_GRPC_UNAVAILABLE,
                            "the upstream could not be reached"},
    [GATE_FAULT_RESET] = {"reset", 502, GATE_GRPC_UNAVAILABLE,
                          "the upstream broke off"},
    [GATE_FAULT_PROTOCOL] = {"protocol", 502, GATE_GRPC_INTERNAL,
                             "the upstream's answer is not valid"},
    [GATE_FAULT_TLS] = {"tls", 502, GATE_GRPC_UNAVAILABLE, "no trusted connection to the upstream"},
    [GATE_FAULT_RESOLVE] = {"resolve", 502, GATE_GRPC_UNAVAILABLE,
                            "the upstream's name has no address"},
    [GATE_FAULT_NO_PEER] = {"no_peer", 503, GATE_GRPC_UNAVAILABLE,
                            "no server can take the request"},
    [GATE_FAULT_OVERLOAD] = {"overload", 503, GATE_GRPC_UNAVAILABLE, "the gateway is at its limit"},
    [GATE_FAULT_QUEUE_FULL] = {"queue_full", 503, GATE_GRPC_UNAVAILABLE, "too many requests wait"},
    [GATE_FAULT_SCRIPT_KILLED] = {"script_killed", 503, GATE_GRPC_UNAVAILABLE,
                                  "a script was stopped"},
    [GATE_FAULT_QUARANTINED] = {"quarantined", 503, GATE_GRPC_UNAVAILABLE,
                                "a script is paused after it was stopped too often"},
    [GATE_FAULT_CONNECT_TIMEOUT] = {"connect_timeout", 504, GATE_GRPC_UNAVAILABLE,
                                    "the upstream did not accept the connection in time"},
    [GATE_FAULT_FIRST_BYTE_TIMEOUT] = {"first_byte_timeout", 504, GATE_GRPC_DEADLINE_EXCEEDED,
                                       "the upstream did not answer in time"},
    [GATE_FAULT_READ_TIMEOUT] = {"read_timeout", 504, GATE_GRPC_DEADLINE_EXCEEDED,
                                 "the upstream's answer stopped"},
    [GATE_FAULT_DEADLINE] = {"deadline", 504, GATE_GRPC_DEADLINE_EXCEEDED,
                             "the deadline of the call is over"},
    [GATE_FAULT_CLIENT_GONE] = {"client_gone", 499, GATE_GRPC_CANCELLED, "the client went away"},
};

const char *gate_fault_name(enum gate_fault_code code)
{
    GATE_ASSERT(code < GATE_FAULT_COUNT);
    return faults[code].name;
}

int gate_fault_status(enum gate_fault_code code)
{
    GATE_ASSERT(code < GATE_FAULT_COUNT);
    return faults[code].status;
}

enum gate_grpc_code gate_fault_grpc(enum gate_fault_code code, int status)
{
    GATE_ASSERT(code < GATE_FAULT_COUNT);
    if (code == GATE_FAULT_BAD_REQUEST && status == 431)
        return GATE_GRPC_RESOURCE_EXHAUSTED;
    return faults[code].grpc;
}

const char *gate_fault_text(enum gate_fault_code code)
{
    GATE_ASSERT(code < GATE_FAULT_COUNT);
    return faults[code].text;
}
