/* Tickets: the keys under which clients keep their TLS sessions for us. In memory only; made anew
 * now and then, the last ones still read. Shared by all threads of an engine and by all of its
 * generations; its own lock, never held across a call into another folder. */
#ifndef GATE_TLS_TICKETS_H
#define GATE_TLS_TICKETS_H

#include "base/clock.h"

/* A secret seals tickets for so long, and reads them for three times as long. */
#define GATE_TLS_TICKET_HOURS 8

struct gate_tls_tickets;

/* The clock outlives it. */
struct gate_tls_tickets *gate_tls_tickets_new(const struct gate_clock *clock);

/* After all servers that were made with it. */
void gate_tls_tickets_free(struct gate_tls_tickets **t);

#endif
