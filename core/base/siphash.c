#include "base/siphash.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static inline void sip_round(struct state *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 = rotl(s->v0, 32) + s->v3;
    s->v2 += s->v1;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v2 = rotl(s->v2, 32);
}

void gate_sipkey_random(struct gate_sipkey *key)
{
    ssize_t n;

    do {
        n = getrandom(key, sizeof(*key), 0);
    } while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof(*key)) {
        fprintf(stderr, "moongate: no randomness from the system: %s\n", strerror(errno));
        abort();
    }
}

/* The n (below 8) bytes at p as a number. `more`: there are eight others before them, so that one
 * load brings them all. */
static inline uint64_t last_bytes(const unsigned char *p, size_t n, bool more)
{
    uint64_t v = 0;

    if (n > 0 && more) {
        memcpy(&v, p + n - 8, 8);
        return le64toh(v) >> (64 - 8 * n);
    }
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

uint64_t gate_siphash(const struct gate_sipkey *key, const void *p, size_t n)
{
    struct state s = {
        key->k0 ^ 0x736f6d6570736575ull,
        key->k1 ^ 0x646f72616e646f6dull,
        key->k0 ^ 0x6c7967656e657261ull,
        key->k1 ^ 0x7465646279746573ull,
    };
    const unsigned char *at = p;
    size_t words = n / 8;
    size_t rest = n % 8;
    uint64_t m;

    for (size_t i = 0; i < words; i++, at += 8) {
        memcpy(&m, at, 8);
        m = le64toh(m);
        s.v3 ^= m;
        sip_round(&s);
        s.v0 ^= m;
    }
    /* The last word: what is left, and the length in the top byte. */
    m = (uint64_t)n << 56 | last_bytes(at, rest, words > 0);
    s.v3 ^= m;
    sip_round(&s);
    s.v0 ^= m;

    s.v2 ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
