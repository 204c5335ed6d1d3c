/* Names: numbers by name, as a hash table of a size that is known when it is made. The names are
 * the caller's and outlive it. Whoever made it may fill it; then any thread may look up. */
#ifndef GATE_BASE_NAMES_H
#define GATE_BASE_NAMES_H

#include "base/siphash.h"
#include "base/str.h"

#define GATE_NO_NUMBER UINT32_MAX

struct gate_names {
    struct gate_names_slot {
        struct gate_str name;
        uint32_t number; /* GATE_NO_NUMBER: the slot is free */
    } *slots;            /* owned; NULL: no name is there */
    uint32_t mask;
    struct gate_sipkey key;
};

/* For so many names at most. */
void gate_names_init(struct gate_names *t, uint32_t most);
void gate_names_fini(struct gate_names *t);

/* The number that the name has; when it was not there, `number` from now on. */
uint32_t gate_names_add(struct gate_names *t, struct gate_str name, uint32_t number);

/* GATE_NO_NUMBER: the name is not there. */
uint32_t gate_names_find(const struct gate_names *t, struct gate_str name);

#endif
