/* Words of memory that readers without a lock look at while a writer changes them: every load and
 * store is atomic, loads acquire and stores release, so that the sequence numbers around them hold
 * (shard_int.h). On x86 these are plain moves. */
#ifndef GATE_SHARED_WORDS_INT_H
#define GATE_SHARED_WORDS_INT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t gate_word_get(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void gate_word_put(uint32_t *p, uint32_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static inline uint64_t gate_wide_get(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void gate_wide_put(uint64_t *p, uint64_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

/* Bytes as they lie in memory: whole words, the last one filled up with zeros. */
static inline size_t gate_wide_round(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

static inline uint64_t gate_wide_of(const char *p)
{
    uint64_t v;

    memcpy(&v, p, 8);
    return v;
}

/* The last n % 8 bytes of n as a word, without a loop where it matters. */
static inline uint64_t gate_wide_rest(const char *p, size_t n)
{
    size_t rest = n % 8;
    uint64_t v = 0;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    /* The word that ends where the bytes end holds others before them: shifted out. */
    if (n >= 8)
        return gate_wide_of(p + n - 8) >> (64 - 8 * rest);
#endif
    for (size_t i = 0; i < rest; i++)
        ((char *)&v)[i] = p[n - rest + i];
    return v;
}

static inline void gate_bytes_put(uint64_t *to, const char *p, size_t n)
{
    for (size_t i = 0; i < n / 8; i++)
        gate_wide_put(&to[i], gate_wide_of(p + i * 8));
    if (n % 8 != 0)
        gate_wide_put(&to[n / 8], gate_wide_rest(p, n));
}

static inline int gate_bytes_equal(const uint64_t *a, const char *p, size_t n)
{
    for (size_t i = 0; i < n / 8; i++) {
        if (gate_wide_get(&a[i]) != gate_wide_of(p + i * 8))
            return 0;
    }
    return n % 8 == 0 || gate_wide_get(&a[n / 8]) == gate_wide_rest(p, n);
}

/* Writes whole words: `to` has room for n rounded up. */
static inline void gate_bytes_get(char *to, const uint64_t *from, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        uint64_t v = gate_wide_get(&from[i / 8]);

        memcpy(to + i, &v, 8);
    }
}

#endif
