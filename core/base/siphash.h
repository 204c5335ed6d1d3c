/* SipHash-1-3 with a per-process random key, for tables that an attacker can fill. */
#ifndef GATE_BASE_SIPHASH_H
#define GATE_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct gate_sipkey {
    uint64_t k0;
    uint64_t k1;
};

/* From getrandom; aborts when the system has no randomness. */
void gate_sipkey_random(struct gate_sipkey *key);

uint64_t gate_siphash(const struct gate_sipkey *key, const void *p, size_t n);

#endif
