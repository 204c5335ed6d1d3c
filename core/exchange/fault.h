/* Faults: the first error of an exchange, by code. flow/fault.c alone turns them into statuses and
 * pages. */
#ifndef GATE_EXCHANGE_FAULT_H
#define GATE_EXCHANGE_FAULT_H

#include "http/grpc.h"

/* Names are the script contract (lua/README.md). */
enum gate_fault_code {
    GATE_FAULT_NONE,
    GATE_FAULT_BAD_REQUEST, /* 400 and relatives: the head or the body was refused; status beside it
                             */
    GATE_FAULT_CLIENT_CERT, /* 403 */
    GATE_FAULT_NO_ROUTE,    /* 404 */
    GATE_FAULT_METHOD_NOT_ALLOWED, /* 405 */
    GATE_FAULT_HEADER_TIMEOUT,     /* 408 */
    GATE_FAULT_BODY_TIMEOUT,       /* 408 */
    GATE_FAULT_TOO_LARGE,          /* 413 */
    GATE_FAULT_SCRIPT_ERROR,       /* 500 */
    GATE_FAULT_CONNECT,            /* 502 */
    GATE_FAULT_RESET,              /* 502 */
    GATE_FAULT_PROTOCOL,           /* 502 */
    GATE_FAULT_TLS,                /* 502 */
    GATE_FAULT_RESOLVE,            /* 502 */
    GATE_FAULT_NO_PEER,            /* 503 */
    GATE_FAULT_OVERLOAD,           /* 503 */
    GATE_FAULT_QUEUE_FULL,         /* 503 */
    GATE_FAULT_SCRIPT_KILLED,      /* 503 */
    GATE_FAULT_QUARANTINED,        /* 503 */
    GATE_FAULT_CONNECT_TIMEOUT,    /* 504 */
    GATE_FAULT_FIRST_BYTE_TIMEOUT, /* 504 */
    GATE_FAULT_READ_TIMEOUT,       /* 504 */
    GATE_FAULT_DEADLINE,           /* 504: the time that a gRPC client gives its call */
    GATE_FAULT_CLIENT_GONE,        /* 499, only in logs */
    GATE_FAULT_COUNT
};

/* "no_route"; never NULL. */
const char *gate_fault_name(enum gate_fault_code code);

/* The status it stands for (bad_request: 400 unless the refusal says otherwise). */
int gate_fault_status(enum gate_fault_code code);

/* What it is for a gRPC client, where it has this status. UNAVAILABLE tells it that it may try
 * again. */
enum gate_grpc_code gate_fault_grpc(enum gate_fault_code code, int status);

/* A sentence for the log and the built-in page; no detail a client should not see. */
const char *gate_fault_text(enum gate_fault_code code);

#endif
