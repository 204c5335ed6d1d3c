/* Tickets: the keys under which clients keep their TLS sessions for us. In memory only; made anew
 * now and then, the last ones still read. Shared by all threads of an engine and by all of its
 * generations, and left to the next engine; its own lock, never held across a call into another
 * folder. */
#ifndef GATE_TLS_TICKETS_H
#define GATE_TLS_TICKETS_H

#include <stdbool.h>

#include "base/clock.h"

/* A secret seals tickets for so long, and reads them for three times as long. */
#define GATE_TLS_TICKET_HOURS 8

/* Those in use, and those before. */
#define GATE_TLS_SECRETS 3

/* What all keys are derived from. Plain data. */
struct gate_tls_secret {
    unsigned char name[16]; /* stands in each ticket */
    unsigned char bytes[32];
    uint64_t made_ns;       /* 0: there is none */
};

struct gate_tls_secrets {
    struct gate_tls_secret v[GATE_TLS_SECRETS]; /* newest first */
};

struct gate_tls_tickets;

/* The clock outlives it. */
struct gate_tls_tickets *gate_tls_tickets_new(const struct gate_clock *clock);

/* Those of another engine, which had the same clock; before anybody uses this one. */
void gate_tls_tickets_adopt(struct gate_tls_tickets *t, const struct gate_tls_secrets *secrets);

/* Whether they are new since the last call that said so: then *out has them, to be wiped by the
 * caller. One thread. */
bool gate_tls_tickets_news(struct gate_tls_tickets *t, struct gate_tls_secrets *out);

/* After all servers that were made with it. */
void gate_tls_tickets_free(struct gate_tls_tickets **t);

#endif
