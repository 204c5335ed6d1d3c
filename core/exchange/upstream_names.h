/* Upstream names: scripts know upstreams by numbers that their VM keeps, also when it serves a
 * further configuration, whose ordinals are others. Immutable; shared by all workers. */
#ifndef GATE_EXCHANGE_UPSTREAM_NAMES_H
#define GATE_EXCHANGE_UPSTREAM_NAMES_H

#include "config/config.h"

struct gate_upstream_names {
    struct gate_str *v;   /* by number; copied */
    uint32_t n;
    uint32_t *ordinal_of; /* by number; GATE_NO_ORDINAL: not in this configuration */
    uint32_t *number_of;  /* by ordinal */
};

/* For a VM that has served `from` by the names `old` (NULL: by its ordinals) and is to serve `to`:
 * what is new gets further numbers. */
struct gate_upstream_names *gate_upstream_names_new(const struct gate_upstream_names *old,
                                                    const struct gate_config *from,
                                                    const struct gate_config *to);
void gate_upstream_names_free(struct gate_upstream_names **names);

#endif
