/* Entries, as the files of a shard read them, and the hash table that leads to them. Under the
 * lock or without it: see shard_int.h. */
#ifndef GATE_SHARED_ENTRY_INT_H
#define GATE_SHARED_ENTRY_INT_H

#include "shared/shard_int.h"
#include "shared/words_int.h"

/* Of `shape`, for the kind. */
#define GATE_SHAPE_BITS 3

static inline uint32_t *gate_bucket_at(struct gate_shard *s, const struct gate_shard_plan *p,
                                       uint32_t i)
{
    return (uint32_t *)((char *)s + p->table) + i;
}

/* The table grows by one bucket at a time (linear hashing), so that a few keys lie close together
 * and no insert has to move many. With n buckets, those from the largest power of two below n on
 * are the upper halves of buckets that were split. */
static inline uint32_t gate_bucket_number(uint32_t buckets, uint32_t tag)
{
    uint32_t upper = UINT32_MAX >> __builtin_clz(buckets);
    uint32_t i = tag & upper;

    return i < buckets ? i : i & upper >> 1;
}

static inline uint32_t *gate_bucket_of(struct gate_shard *s, const struct gate_shard_plan *p,
                                       uint32_t tag)
{
    uint32_t buckets = gate_word_get(&s->buckets);

    /* A torn number must not lead outside. */
    if (buckets == 0 || buckets > p->buckets)
        buckets = 1;
    return gate_bucket_at(s, p, gate_bucket_number(buckets, tag));
}

static inline uint32_t gate_entry_key_n(const struct gate_entry *e)
{
    return gate_word_get(&e->shape) >> GATE_SHAPE_BITS;
}

static inline enum gate_dict_kind gate_entry_kind(const struct gate_entry *e)
{
    return (enum gate_dict_kind)(gate_word_get(&e->shape) & ((1u << GATE_SHAPE_BITS) - 1));
}

/* Where the words of its string begin. */
static inline uint64_t *gate_entry_string(struct gate_entry *e, uint32_t key_n)
{
    return e->bytes + gate_wide_round(key_n) / 8;
}

static inline bool gate_entry_has_ended(const struct gate_entry *e, uint64_t now_ns)
{
    return gate_wide_get(&e->until_ns) <= now_ns;
}

#endif
