/* Link, HTTP/2: the codec (http/h2.h) on a connection that carries many streams. One thread; from
 * the slab of the worker's gate_links; its link owns it. */
#ifndef GATE_UPSTREAM_LINK_H2_H
#define GATE_UPSTREAM_LINK_H2_H

#include "http/h2.h"
#include "net/intake.h"

struct gate_link;
struct gate_link_use;

struct gate_link_h2 {
    struct gate_link *link;
    struct gate_h2 h2;
    struct gate_head_limits limits; /* of the last request: the connection outlives them all */
    struct gate_intake in;
    struct gate_chain out; /* taken from the codec, on its way into the socket */
    struct gate_ready flush;
    uint64_t wrote_ms;    /* the socket took bytes, or there were none */
    uint64_t heard_ms;    /* bytes came */
    uint64_t probe_ms;    /* a request went together with a question */
    uint32_t patience_ms; /* the shortest of all streams on it */
    uint32_t counted;     /* streams of it among those of the peer */
    enum gate_err failed; /* what came is no HTTP/2 */
    bool doubted; /* a stream waited in vain: no others, until the peer shows that it is there */
    bool blocked; /* the socket takes no bytes now */
    bool mute;    /* nothing can be sent any more */
    bool lost;    /* the connection is over; streams wait for their reset or give_back */
};

/* The connection is up: its events and its deadline are this file's from now on. */
void gate_link_h2_open(struct gate_link *l);

/* Frees all of it; nobody is on it. */
void gate_link_h2_fini(struct gate_link *l);

/* Begins a stream; NULL: there can be no more. */
struct gate_stream *gate_link_h2_begin(struct gate_link *l, const struct gate_link_use *use);

/* How many streams may be open at once; 0: no more may begin. */
uint32_t gate_link_h2_streams_max(const struct gate_link *l);

/* Looks at what the link is to others now, at the end of the turn. */
void gate_link_h2_poke(struct gate_link *l);

/* Says goodbye on a connection that is about to be closed. */
void gate_link_h2_leave(struct gate_link *l);

#endif
