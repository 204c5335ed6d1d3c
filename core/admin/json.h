/* JSON: the little that status answers need to be written; to a stream, no state. */
#ifndef GATE_ADMIN_JSON_H
#define GATE_ADMIN_JSON_H

#include <stdio.h>

#include "base/str.h"

/* The string with its quotes, escaped. */
void gate_json_string(FILE *to, struct gate_str s);

/* `,"key":` and the string, for a member that is not the first. */
void gate_json_member(FILE *to, const char *key, struct gate_str value);
void gate_json_number(FILE *to, const char *key, uint64_t value);

#endif
