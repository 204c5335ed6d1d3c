/* Private to upstream/: what the two sides of an HTTP/1 link share. */
#ifndef GATE_UPSTREAM_LINK_H1_INT_H
#define GATE_UPSTREAM_LINK_H1_INT_H

#include "upstream/link.h"

/* link_h1.c: reading */

/* The one clock of the link: sending, waiting for the answer, or waiting for more of it. It stands
 * still while our own side is what everybody waits for. */
void gate_link_h1_clock(struct gate_link *l);

/* The stream is over: tells the user, keeps the link until it is reset or given back. */
void gate_link_h1_broken(struct gate_link *l, enum gate_err e, const char *why);

/* link_h1_stream.c: writing, and the client side of the stream interface */
extern const struct gate_stream_ops gate_link_h1_stream_ops;
void gate_link_h1_send(struct gate_link *l);
void gate_link_h1_on_flush(struct gate_ready *r);

#endif
