/* Dictionary: keys and values in memory that outlives the process (a memfd), shared by all threads
 * and engines that map it: sharded, with a time to live for each key, within a budget of bytes. Any
 * thread may call everything but open and close; locks are the shards' own (shard_int.h). */
#ifndef GATE_SHARED_DICT_H
#define GATE_SHARED_DICT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define GATE_DICT_NAME_MAX  64u
#define GATE_DICT_KEY_MAX   4096u
#define GATE_DICT_BYTES_MIN (16ull * 1024)
#define GATE_DICT_BYTES_MAX (64ull * 1024 * 1024 * 1024)
/* Longest string of a dictionary that has room for it: a quarter of a shard, at most this. */
#define GATE_DICT_VALUE_MAX (1024u * 1024)

struct gate_dict;

enum gate_dict_kind {
    GATE_DICT_NONE,
    GATE_DICT_NUMBER,
    GATE_DICT_STRING,
    GATE_DICT_FALSE,
    GATE_DICT_TRUE
};

struct gate_dict_value {
    enum gate_dict_kind kind;
    double number;
    struct gate_str text;
};

/* Until when what was read is known to hold: as long as *at is seq, and until until_ns. */
struct gate_dict_seen {
    const uint32_t *at;
    uint32_t seq;
    uint64_t until_ns; /* UINT64_MAX: it never ends */
};

/* Made by gate_dict_key. */
struct gate_dict_key {
    const char *p;
    uint32_t n;
    uint64_t hash;
};

/* Room for strings that are read; one thread's. Zeroed is empty. */
struct gate_dict_buffer {
    char *p;
    uint32_t cap;
};

void gate_dict_buffer_fini(struct gate_dict_buffer *b);

enum gate_dict_mode { GATE_DICT_SET, GATE_DICT_ADD, GATE_DICT_REPLACE, GATE_DICT_CAS };

struct gate_dict_put {
    enum gate_dict_mode mode;
    struct gate_dict_value value;
    struct gate_dict_value old; /* cas: GATE_DICT_NONE: only if there is no such key */
    uint64_t now_ns;
    uint64_t ttl_ns; /* UINT64_MAX: never ends; cas keeps what the key has */
};

struct gate_dict_incr {
    double by;
    double init;
    bool make; /* an absent key begins with init */
    uint64_t now_ns;
    uint64_t ttl_ns; /* of a key that is made */
};

struct gate_dict_numbers {
    uint64_t bytes;     /* budget */
    uint64_t used;      /* bytes of entries */
    uint64_t entries;   /* ended ones included that were not yet taken away */
    uint64_t evictions; /* entries that had to go before their end */
    uint64_t drops;     /* shards that were emptied because a writer died amid a change */
};

/* A new, empty one. GATE_E_SYS: errno says why. */
enum gate_err gate_dict_create(struct gate_str name, uint64_t bytes, struct gate_dict **out);

/* Maps one that exists; `fd` is taken over in any case. Shards that a dead writer left torn are
 * emptied, and counted on *drops. GATE_E_INVALID: it is none of these bytes and this version. */
enum gate_err gate_dict_adopt(int fd, struct gate_str name, uint64_t bytes,
                              struct gate_dict **out, uint64_t *drops);

/* Unmaps it; the memory stays as long as somebody holds its descriptor. Clears the pointer. */
void gate_dict_close(struct gate_dict **d);

int gate_dict_fd(const struct gate_dict *d);
struct gate_str gate_dict_name(const struct gate_dict *d);
uint64_t gate_dict_bytes(const struct gate_dict *d);

/* The longest string that it takes. */
uint32_t gate_dict_value_max(const struct gate_dict *d);

/* n <= GATE_DICT_KEY_MAX; `p` stays the caller's. */
struct gate_dict_key gate_dict_key(const struct gate_dict *d, const char *p, uint32_t n);

/* The value, GATE_DICT_NONE when there is none (then *seen says nothing of its end); a string is
 * in *b until the next call. */
void gate_dict_get(struct gate_dict *d, const struct gate_dict_key *k, uint64_t now_ns,
                   struct gate_dict_buffer *b, struct gate_dict_value *v,
                   struct gate_dict_seen *seen);

/* GATE_E_EXISTS: add; GATE_E_NOTFOUND: replace, or a cas whose old value is another. GATE_E_LIMIT:
 * no room, and nothing left that may go (the key has what it had, unless it went itself), or the
 * string is longer than gate_dict_value_max. GATE_E_AGAIN: some went, not enough yet; call again
 * then. */
enum gate_err gate_dict_put(struct gate_dict *d, const struct gate_dict_key *k,
                            const struct gate_dict_put *put);

/* The same results; GATE_E_INVALID: the value is no number. */
enum gate_err gate_dict_incr(struct gate_dict *d, const struct gate_dict_key *k,
                             const struct gate_dict_incr *i, double *sum);

/* Whether there was one. */
bool gate_dict_delete(struct gate_dict *d, const struct gate_dict_key *k, uint64_t now_ns);

/* Empties the shard *at, and moves on; false: it was the last one. Begin with 0. */
bool gate_dict_flush(struct gate_dict *d, uint32_t *at);

/* Where a walk over all keys is; zeroed: at its begin. What is added or goes meanwhile may be
 * seen or not. */
struct gate_dict_walk {
    uint32_t shard;
    uint32_t bucket;
    uint32_t nth;
};

/* The next key, in *b. GATE_E_AGAIN: call again; GATE_E_EOF: that was all. */
enum gate_err gate_dict_walk(struct gate_dict *d, struct gate_dict_walk *w, uint64_t now_ns,
                             struct gate_dict_buffer *b, struct gate_str *key);

void gate_dict_numbers(const struct gate_dict *d, struct gate_dict_numbers *out);

#endif
