/* Order: the entries of one shard that end some day, soonest first: a heap of four children a
 * node, each entry knowing its place in it. Used under the shard's lock. */
#ifndef GATE_SHARED_ORDER_INT_H
#define GATE_SHARED_ORDER_INT_H

#include "shared/shard_int.h"

void gate_order_add(struct gate_shard *s, const struct gate_shard_plan *p, uint32_t entry);
void gate_order_remove(struct gate_shard *s, const struct gate_shard_plan *p, uint32_t entry);

/* The entry that ends first; 0: none ends. */
uint32_t gate_order_first(const struct gate_shard *s, const struct gate_shard_plan *p);

#endif
