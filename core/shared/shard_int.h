/* Shard: one part of a dictionary, with its own lock, hash table, expiry order and memory.
 *
 * Shared between threads and between processes. Writers hold the lock, which is robust: whoever
 * finds that its holder died takes it over. Around each change stands an odd sequence number.
 * Readers take no lock: they look, and look again when the number was odd or has changed; what they
 * read meanwhile may be nonsense, so they never leave the shard's bounds. A number left odd by a
 * holder that died marks a shard that is torn: it is emptied. The lock is never held across a
 * call into another folder.
 *
 * Everything is found by offsets, in granules of 16 bytes from the shard's begin: processes map it
 * at different addresses. */
#ifndef GATE_SHARED_SHARD_INT_H
#define GATE_SHARED_SHARD_INT_H

#include <stdbool.h>

#include "base/err.h"
#include "shared/dict.h"
#include "shared/space_int.h"

/* Never ends. */
#define GATE_NEVER UINT64_MAX

/* Where the parts of a shard lie; the same for all shards of a dictionary. */
struct gate_shard_plan {
    uint32_t bytes;
    uint32_t buckets;   /* at most */
    uint32_t table;     /* byte offset of the buckets */
    uint32_t order;     /* of the expiry order */
    uint32_t first;     /* granules of the entries' memory, from and to */
    uint32_t end;
};

struct gate_shard {
    /* What each change writes, on a line of its own: the way to an entry is found on others. */
    uint32_t lock;      /* lock_int.h */
    uint32_t seq;       /* odd: something is being changed */
    char apart[56];
    uint32_t buckets;   /* in use */
    uint32_t n;         /* entries, those included that have ended and are still there */
    uint32_t n_order;
    uint32_t drops;     /* how often it was emptied because it was torn */
    uint64_t evictions;
    struct gate_space space;
};

struct gate_entry {
    struct gate_space_block block;
    uint32_t next;      /* in its bucket */
    uint32_t tag;       /* of the hash */
    uint64_t until_ns;  /* when it ends */
    uint64_t bits;      /* a number; the length of a string */
    uint32_t place;     /* in the order, from 1; 0: it never ends */
    uint32_t shape;     /* length of the key * 8 + enum gate_dict_kind */
    uint64_t bytes[];   /* key, then string, each in whole words */
};

/* False: so small a piece of memory is no shard. */
bool gate_shard_plan(uint32_t bytes, struct gate_shard_plan *p);

/* Zeroed memory becomes an empty shard. */
void gate_shard_format(struct gate_shard *s, const struct gate_shard_plan *p);

/* Empties it when its last writer died amid a change; whether that was so. */
bool gate_shard_mend(struct gate_shard *s, const struct gate_shard_plan *p);

/* Reads without a lock. Kind GATE_DICT_NONE: no such key, or it has ended. */
void gate_shard_get(struct gate_shard *s, const struct gate_shard_plan *p,
                    const struct gate_dict_key *k, uint64_t now_ns, struct gate_dict_buffer *b,
                    struct gate_dict_value *v, struct gate_dict_seen *seen);

/* Writes; results as in dict.h. */
enum gate_err gate_shard_put(struct gate_shard *s, const struct gate_shard_plan *p,
                             const struct gate_dict_key *k, const struct gate_dict_put *put);
enum gate_err gate_shard_incr(struct gate_shard *s, const struct gate_shard_plan *p,
                              const struct gate_dict_key *k, const struct gate_dict_incr *i,
                              double *sum);
bool gate_shard_delete(struct gate_shard *s, const struct gate_shard_plan *p,
                       const struct gate_dict_key *k, uint64_t now_ns);
void gate_shard_flush(struct gate_shard *s, const struct gate_shard_plan *p);

/* The next key from a bucket and the nth entry in it on, both moved on. GATE_E_AGAIN: none so far,
 * ask again; GATE_E_EOF: there is none. */
enum gate_err gate_shard_walk(struct gate_shard *s, const struct gate_shard_plan *p,
                              uint32_t *bucket, uint32_t *nth, uint64_t now_ns,
                              struct gate_dict_buffer *b, struct gate_str *key);

/* Adds its numbers; not the budget. */
void gate_shard_count(struct gate_shard *s, const struct gate_shard_plan *p,
                      struct gate_dict_numbers *to);

/* For the files of a shard. Whether it had to be emptied. */
bool gate_shard_lock(struct gate_shard *s, const struct gate_shard_plan *p);
void gate_shard_unlock(struct gate_shard *s);

/* Lock and unlock around a change. */
void gate_shard_enter(struct gate_shard *s, const struct gate_shard_plan *p);
void gate_shard_leave(struct gate_shard *s);

/* A moment for the other thread. */
static inline void gate_rest_a_little(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static inline struct gate_entry *gate_shard_entry(const struct gate_shard *s, uint32_t at)
{
    return (struct gate_entry *)((char *)s + (size_t)at * GATE_GRANULE);
}

#endif
