/* Access record: the one line of an exchange (or of a head that made none), as data. Views are
 * valid while it is written. */
#ifndef GATE_EXCHANGE_RECORD_H
#define GATE_EXCHANGE_RECORD_H

#include <stdint.h>

#include "base/close_reason.h"
#include "base/str.h"

struct gate_access_record {
    int64_t wall_s;         /* when the request began */
    struct gate_str ip;     /* the client, after trusted forwarding */
    struct gate_str method; /* empty: the head did not parse */
    struct gate_str target; /* as received; cut where the line gets too long */
    struct gate_str version; /* "1.1" */
    struct gate_str host;
    int status; /* what went to the client, or 499; 0: nothing */
    struct gate_str grpc_status; /* that ended a call; empty: none was said, or it is no call */
    uint64_t bytes_in;
    uint64_t bytes_out;
    struct gate_str referer;
    struct gate_str user_agent;
    struct gate_str id;
    struct gate_str route;
    struct gate_str upstream;
    struct gate_str peer;
    uint32_t tries;
    struct gate_str fault; /* code, empty: none */
    struct gate_str why;   /* of the fault or refusal */
    uint64_t total_us;
    uint64_t connect_us;
    uint64_t first_byte_us;
    uint64_t script_us;
    enum gate_close_reason close; /* why the connection was closed after it; NONE: kept */
};

#endif
