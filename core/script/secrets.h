/* Secrets: values of environment variables that scripts have read. Tools print their names instead.
 * One thread; belongs to a VM. */
#ifndef GATE_SCRIPT_SECRETS_H
#define GATE_SCRIPT_SECRETS_H

#include <stdint.h>

#include "base/str.h"

struct gate_secret {
    char *name;
    char *value;
};

struct gate_secrets {
    struct gate_secret *v;
    uint32_t n;
};

/* Remembers a variable once. An empty value is no secret. */
void gate_secrets_add(struct gate_secrets *s, const char *name, const char *value);

/* Writes the text with each value in it replaced by "[env NAME]". Values of less than six bytes
 * ("8080", "info") are looked for in quotes only: they would be found in any text. */
void gate_secrets_hide(const struct gate_secrets *s, struct gate_str text, struct gate_out *to);

void gate_secrets_fini(struct gate_secrets *s);

#endif
