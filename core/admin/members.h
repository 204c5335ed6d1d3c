/* Members: reads one flat JSON object, as orders on the control socket are. No state. */
#ifndef GATE_ADMIN_MEMBERS_H
#define GATE_ADMIN_MEMBERS_H

#include <stdbool.h>

#include "base/str.h"

/* A member that may stand there, and what it said. */
struct gate_member {
    const char *name;
    char *text;             /* a string goes here, terminated; NULL: it is a number */
    size_t cap;
    uint64_t number;
    bool given;
};

/* Members may come in any order. False: this is no such object, or has a member that is not in the
 * list, twice, of another type, or too long. */
bool gate_members_read(struct gate_str json, struct gate_member *list, size_t n);

#endif
