/* IP counts: open connections by client address, for limits.connections_per_ip. Shared by all
 * workers of an engine, which owns it: shards with a lock of their own each, held for one look-up.
 */
#ifndef GATE_SESSION_IP_COUNTS_H
#define GATE_SESSION_IP_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

struct gate_ip_counts;

struct gate_ip_counts *gate_ip_counts_new(void);
void gate_ip_counts_free(struct gate_ip_counts **counts);

/* Counts one more; false (and nothing counted) when the address has `max` already. An IPv6 client
 * counts with its /64 network, the smallest that one user is given; Unix clients are not counted
 * (always true). */
bool gate_ip_counts_take(struct gate_ip_counts *counts, const struct gate_addr *ip, uint32_t max);

/* One fewer; of an address that take has counted. */
void gate_ip_counts_give(struct gate_ip_counts *counts, const struct gate_addr *ip);

#endif
