#include "shared/shard_int.h"

#include "base/mem.h"
#include "shared/entry_int.h"
#include "shared/lock_int.h"

/* Buckets that one step of a walk looks at. */
#define WALK_SLICE 1024
#define BUCKETS_MIN 16u

static void empty(struct gate_shard *s, const struct gate_shard_plan *p)
{
    gate_word_put(&s->buckets, BUCKETS_MIN);
    s->n = 0;
    s->n_order = 0;
    gate_space_reset(&s->space, (char *)s, p->first, p->end);
}

static void clear_table(struct gate_shard *s, const struct gate_shard_plan *p)
{
    for (uint32_t i = 0; i < s->buckets; i++)
        gate_word_put(gate_bucket_at(s, p, i), 0);
}

/* The holder died. What it had begun to change is in no known state. */
static bool mend(struct gate_shard *s, const struct gate_shard_plan *p)
{
    uint32_t seq = gate_word_get(&s->seq);

    if (seq % 2 != 0) {
        gate_word_put(&s->buckets, p->buckets);
        clear_table(s, p);
        empty(s, p);
        s->drops++;
        gate_word_put(&s->seq, seq + 1);
    }
    return seq % 2 != 0;
}

bool gate_shard_lock(struct gate_shard *s, const struct gate_shard_plan *p)
{
    return gate_lock_take(&s->lock) && mend(s, p);
}

void gate_shard_unlock(struct gate_shard *s)
{
    gate_lock_give(&s->lock);
}

void gate_shard_enter(struct gate_shard *s, const struct gate_shard_plan *p)
{
    gate_shard_lock(s, p);
    gate_word_put(&s->seq, s->seq + 1);
}

void gate_shard_leave(struct gate_shard *s)
{
    gate_word_put(&s->seq, s->seq + 1);
    gate_shard_unlock(s);
}

bool gate_shard_plan(uint32_t bytes, struct gate_shard_plan *p)
{
    uint32_t buckets = BUCKETS_MIN;
    uint32_t table = (uint32_t)(sizeof(struct gate_shard) + 63) / 64 * 64;
    uint32_t least = gate_space_granules(sizeof(struct gate_entry)) * GATE_GRANULE;

    while (buckets * 2 <= bytes / 64)
        buckets *= 2;
    p->bytes = bytes;
    p->buckets = buckets;
    p->table = table;
    p->order = table + buckets * 4;
    if (bytes < 4096 || p->order >= bytes)
        return false;
    /* As many places as there can be entries; these begin on a cache line. */
    p->first = (p->order + (bytes - p->order) / least * 4 + 63) / 64 * (64 / GATE_GRANULE);
    p->end = bytes / GATE_GRANULE;
    return p->first + 64 <= p->end;
}

void gate_shard_format(struct gate_shard *s, const struct gate_shard_plan *p)
{
    empty(s, p);
}

bool gate_shard_mend(struct gate_shard *s, const struct gate_shard_plan *p)
{
    bool torn = gate_shard_lock(s, p);

    gate_shard_unlock(s);
    return torn;
}

void gate_shard_flush(struct gate_shard *s, const struct gate_shard_plan *p)
{
    gate_shard_enter(s, p);
    clear_table(s, p);
    empty(s, p);
    gate_shard_leave(s);
}

void gate_shard_count(struct gate_shard *s, const struct gate_shard_plan *p,
                      struct gate_dict_numbers *to)
{
    gate_shard_lock(s, p);
    to->entries += s->n;
    to->used += (uint64_t)s->space.taken * GATE_GRANULE;
    to->evictions += s->evictions;
    to->drops += s->drops;
    gate_shard_unlock(s);
}

/* Walk */

/* The nth entry of a bucket that has not ended; counts on. */
static struct gate_entry *nth_entry(struct gate_shard *s, const struct gate_shard_plan *p,
                                    uint32_t bucket, uint32_t *nth, uint64_t now_ns)
{
    uint32_t at = gate_word_get(gate_bucket_at(s, p, bucket));

    for (uint32_t i = 0; at != 0; i++) {
        struct gate_entry *e = gate_shard_entry(s, at);

        if (i == *nth) {
            (*nth)++;
            if (!gate_entry_has_ended(e, now_ns))
                return e;
        }
        at = gate_word_get(&e->next);
    }
    return NULL;
}

enum gate_err gate_shard_walk(struct gate_shard *s, const struct gate_shard_plan *p,
                              uint32_t *bucket, uint32_t *nth, uint64_t now_ns,
                              struct gate_dict_buffer *b, struct gate_str *key)
{
    struct gate_entry *e = NULL;
    bool at_end;

    if (b->cap < GATE_DICT_KEY_MAX) {
        b->p = gate_realloc(b->p, GATE_DICT_KEY_MAX);
        b->cap = GATE_DICT_KEY_MAX;
    }
    gate_shard_lock(s, p);
    for (int i = 0; i < WALK_SLICE && *bucket < s->buckets; i++) {
        e = nth_entry(s, p, *bucket, nth, now_ns);
        if (e != NULL)
            break;
        (*bucket)++;
        *nth = 0;
    }
    if (e != NULL) {
        *key = gate_str_of(b->p, gate_entry_key_n(e));
        gate_bytes_get(b->p, e->bytes, key->n);
    }
    at_end = *bucket >= s->buckets;
    gate_shard_unlock(s);
    if (e != NULL)
        return GATE_OK;
    return at_end ? GATE_E_EOF : GATE_E_AGAIN;
}
