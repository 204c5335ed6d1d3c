/* Link, HTTP/1: the one stream that such a connection carries at a time. The client side of the
 * stream interface. One thread; embedded in its link. */
#ifndef GATE_UPSTREAM_LINK_H1_H
#define GATE_UPSTREAM_LINK_H1_H

#include "http/h1_reader.h"
#include "http/h1_writer.h"
#include "http/stream.h"
#include "net/loop.h"

struct gate_link;
struct gate_link_use;

enum gate_link_state {
    GATE_LINK_IDLE, /* on the shelf, or fresh */
    GATE_LINK_HEAD, /* a request is going out; no response head yet */
    GATE_LINK_BODY,
    GATE_LINK_TUNNEL, /* after 101: raw bytes both ways */
    GATE_LINK_DONE,   /* the response is complete; waits for give_back */
    GATE_LINK_DEAD,   /* broken; waits for reset or give_back */
    GATE_LINK_LEAVING /* a tunnel that was given back: closes behind the last bytes of ours */
};

struct gate_link_h1 {
    uint8_t state;
    bool request_ended;
    bool upgrade_asked;
    bool shut_asked; /* tunnel: our side ends once `out` is empty */
    uint8_t infos;   /* interim responses seen */
    struct gate_str upgrade_token; /* which one */
    struct gate_stream stream;
    struct gate_h1_reader in;
    struct gate_h1_writer out;
    struct gate_ready flush;
    size_t credit;
    uint64_t response_bytes; /* of the last response, for the next one's first read */
    /* Of the request; borrowed from the attempt. */
    struct gate_arena *arena;
    const struct gate_head_limits *limits;
    enum gate_method method;
    uint32_t send_ms;
    uint32_t first_byte_ms;
    uint32_t read_ms;
};

void gate_link_h1_init(struct gate_link *l);
void gate_link_h1_fini(struct gate_link *l);

/* The connection is up: its events and its deadline are this file's from now on. */
void gate_link_h1_open(struct gate_link *l);

/* Begins the stream on an idle link. */
struct gate_stream *gate_link_h1_begin(struct gate_link *l, const struct gate_link_use *use);

/* Watches the connection while it is parked: any byte or end closes it. */
void gate_link_h1_park(struct gate_link *l, uint32_t idle_ms);

/* An origin may answer before it has read the body: then the last bytes of that are sent now, not
 * at the end of the turn, and the link can stay. */
void gate_link_h1_settle(struct gate_link *l);

/* Whether request and response are complete, and nothing is left over that would hinder others. */
bool gate_link_h1_clean(const struct gate_link *l);

/* Whether bytes of an answer have come. */
bool gate_link_h1_answered(const struct gate_link *l);

/* Sends what waits to be sent now, not at the end of the turn. */
void gate_link_h1_flush(struct gate_link *l);

#endif
