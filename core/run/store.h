/* Store: memory by kind, name and number, as descriptors that are only held, so that it outlives
 * engines. One thread; owned by the supervisor. */
#ifndef GATE_RUN_STORE_H
#define GATE_RUN_STORE_H

#include <stdint.h>

#include "base/list.h"
#include "base/str.h"
#include "shared/dict.h"

enum gate_store_kind {
    GATE_STORE_DICT,    /* a dictionary, by its name and its bytes */
    GATE_STORE_BUNDLE,  /* one that has served, by its hash */
    GATE_STORE_LEGACY,  /* run/legacy.h; there is one */
    GATE_STORE_TICKETS  /* struct gate_tls_secrets, sealed; there is one */
};

/* Plain data, also on the wire between engine and supervisor. */
struct gate_store_name {
    uint64_t number;        /* as the kind says */
    uint32_t kind;
    uint32_t n;
    char name[GATE_DICT_NAME_MAX];
};

struct gate_store {
    struct gate_list pieces;
};

/* name.n <= GATE_DICT_NAME_MAX. */
struct gate_store_name gate_store_name_of(enum gate_store_kind kind, struct gate_str name,
                                          uint64_t number);

void gate_store_init(struct gate_store *s);

/* Closes everything. Whatever goes is wiped, but for dictionaries, which engines may still use. */
void gate_store_fini(struct gate_store *s);

/* Holds fd, which is the store's from now on, in the place of what it had by that name. */
void gate_store_keep(struct gate_store *s, const struct gate_store_name *name, int fd);
void gate_store_drop(struct gate_store *s, const struct gate_store_name *name);

/* The i-th piece: its descriptor, which stays the store's, and its name; -1: there is none. */
int gate_store_at(const struct gate_store *s, uint32_t i, struct gate_store_name *name);

#endif
