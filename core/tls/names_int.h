/* Names: which certificates stand for which names. Built once from claims, read by all threads. */
#ifndef GATE_TLS_NAMES_INT_H
#define GATE_TLS_NAMES_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "tls/tls_int.h"

/* Who is believed first. */
enum gate_tls_rank {
    GATE_TLS_RANK_FALLBACK, /* a name in the fallback certificate */
    GATE_TLS_RANK_OWN,      /* a name in another one */
    GATE_TLS_RANK_GIVEN     /* a name that the configuration gives it */
};

/* A name, and the best certificate of each kind. `context` is the server's own number. */
struct gate_tls_name {
    struct gate_str text; /* owned */
    struct gate_certificate *pairs[GATE_TLS_KINDS];
    uint32_t context;
};

struct gate_tls_claim {
    struct gate_str text;   /* owned by the names from the build on */
    struct gate_certificate *certificate;
    uint32_t order;         /* of declaration: the first one wins */
    enum gate_tls_rank rank;
};

struct gate_tls_names {
    struct gate_tls_claim *claims;
    uint32_t n_claims;
    uint32_t cap;
    struct gate_tls_name *v; /* sorted by text */
    uint32_t n;
};

/* Notes that a certificate claims a name (copied). */
void gate_tls_names_claim(struct gate_tls_names *names, struct gate_str text,
                          struct gate_certificate *certificate, enum gate_tls_rank rank);

/* Makes the table. False: a name was given to two certificates of one kind; *a and *b tell. */
bool gate_tls_names_build(struct gate_tls_names *names, const struct gate_tls_claim **a,
                          const struct gate_tls_claim **b);

/* The name itself, or with "*" for its first label, as certificates have it. NULL: nobody's. */
const struct gate_tls_name *gate_tls_names_find(const struct gate_tls_names *names,
                                                struct gate_str text);
void gate_tls_names_fini(struct gate_tls_names *names);

#endif
