/* Attempt: one try of an exchange at one peer: its arena, its stream on a link, what it has seen.
 * One thread; owned by its exchange; begun by gate_attempt_init, ended by gate_attempt_end. */
#ifndef GATE_UPSTREAM_ATTEMPT_H
#define GATE_UPSTREAM_ATTEMPT_H

#include "base/arena.h"
#include "http/head.h"
#include "net/wait.h"
#include "upstream/links.h"

struct gate_attempt {
    struct gate_link_want want;
    struct gate_stream *stream;     /* on the link, once begun */
    struct gate_wait *wait;         /* woken with the result of a dial */
    struct gate_block *block;       /* of the head */
    struct gate_str preface;        /* before the request, on a link of its own; borrowed */
    const char *why;                /* a dial failed; the arena's */
    bool reused;                    /* on a link that had carried a request before */
    bool joined;                    /* waited for a link that another attempt had dialed */
    bool refused;                   /* the link ended before the stream could begin */
    bool ended;                     /* the response is complete */
    /* gate_attempt_init clears what is above, and of these what it must. */
    struct gate_links *links;
    struct gate_peer *peer;         /* borrowed */
    struct gate_peer_share *share;  /* of the peer: it counts there as active */
    struct gate_link_claim claim;   /* claim.link: NULL before dialing and after the end */
    uint64_t before;                /* bytes written to the link before the stream began */
    struct gate_arena arena;        /* the response head lives here */
    struct gate_response_head head; /* status 0: not there yet, nor is the rest of it */
};

/* Whoever begins it holds the peer (`share` is what gate_peer_hold gave) until it has ended. */
void gate_attempt_init(struct gate_attempt *a, struct gate_links *links, struct gate_peer *peer,
                       struct gate_peer_share *share);

/* Gets a link as a->want says: GATE_OK at once (a->claim.link), GATE_E_AGAIN: gate_attempt_wait
 * says what is woken with the result, other: the failure. */
enum gate_err gate_attempt_dial(struct gate_attempt *a, struct gate_upstream_local *local);

/* Arms `wait`; in the turn of the dial that takes its time. */
void gate_attempt_wait(struct gate_attempt *a, struct gate_wait *wait);

/* Begins the stream on the link. NULL: the link has ended since (a->refused). */
struct gate_stream *gate_attempt_begin(struct gate_attempt *a, const struct gate_link_use *use);

/* Of the link that it was on: another try may want a newer one (want.after). */
uint64_t gate_attempt_serial(const struct gate_attempt *a);

/* Of an attempt that failed before a response head: the peer says that it has not looked at the
 * request, or could not be asked. Another link may do. */
bool gate_attempt_refused(const struct gate_attempt *a);

/* Of a stream that broke with `e` before a response head: whether the peer has taken not one byte
 * of the request: nothing was written, or the peer's end came and nothing of what was written is
 * acknowledged; or a server has refused our part of a TLS handshake. Then the request may be sent
 * again whatever its method (RFC 9110 section 9.2.2). */
bool gate_attempt_untouched(const struct gate_attempt *a, enum gate_err e);

/* Whether bytes of an answer had come: an interim response, a part of a head. */
bool gate_attempt_answered(const struct gate_attempt *a);

/* Ends: gives the link back when the exchange on it is complete, else closes it for `why`; the
 * arena is cleared. Safe in every state. */
void gate_attempt_end(struct gate_attempt *a, enum gate_close_reason why);

#endif
