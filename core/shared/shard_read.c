/* Shard: reading without a lock. */
#include "base/assert.h"
#include "base/mem.h"
#include "shared/entry_int.h"

/* Looks of a reader before it asks for the lock. */
#define LOOKS 200
/* A chain that a reader follows so far is none. */
#define CHAIN_MAX 256

/* Whether n bytes behind an entry's head are still inside. */
static bool is_inside(const struct gate_shard_plan *p, uint32_t at, size_t n)
{
    return (size_t)at * GATE_GRANULE + sizeof(struct gate_entry) + n <=
           (size_t)p->end * GATE_GRANULE;
}

static bool copy_string(struct gate_entry *e, const struct gate_shard_plan *p, uint32_t at,
                        uint32_t key_n, struct gate_dict_buffer *b, struct gate_str *out)
{
    uint64_t n = gate_wide_get(&e->bits);
    size_t room = gate_wide_round((size_t)n);

    if (n > GATE_DICT_VALUE_MAX || !is_inside(p, at, gate_wide_round(key_n) + room))
        return false;
    if (b->cap < room) {
        b->p = gate_realloc(b->p, room);
        b->cap = (uint32_t)room;
    }
    gate_bytes_get(b->p, gate_entry_string(e, key_n), (size_t)n);
    *out = gate_str_of(b->p, (size_t)n);
    return true;
}

static bool read_entry(struct gate_entry *e, const struct gate_shard_plan *p, uint32_t at,
                       uint32_t key_n, struct gate_dict_buffer *b, struct gate_dict_value *v)
{
    uint64_t bits;

    v->kind = gate_entry_kind(e);
    if (v->kind == GATE_DICT_STRING)
        return copy_string(e, p, at, key_n, b, &v->text);
    bits = gate_wide_get(&e->bits);
    memcpy(&v->number, &bits, sizeof(bits));
    return true;
}

/* False: what was read cannot be. */
static bool look_up(struct gate_shard *s, const struct gate_shard_plan *p,
                    const struct gate_dict_key *k, uint64_t now_ns, struct gate_dict_buffer *b,
                    struct gate_dict_value *v, uint64_t *until_ns)
{
    uint32_t tag = (uint32_t)k->hash;
    uint32_t at = gate_word_get(gate_bucket_of(s, p, tag));

    v->kind = GATE_DICT_NONE;
    for (int i = 0; at != 0; i++) {
        struct gate_entry *e = gate_shard_entry(s, at);

        if (at < p->first || !is_inside(p, at, 0) || i == CHAIN_MAX)
            return false;
        if (gate_word_get(&e->tag) == tag && gate_entry_key_n(e) == k->n &&
            is_inside(p, at, gate_wide_round(k->n)) && gate_bytes_equal(e->bytes, k->p, k->n)) {
            *until_ns = gate_wide_get(&e->until_ns);
            return *until_ns <= now_ns || read_entry(e, p, at, k->n, b, v);
        }
        at = gate_word_get(&e->next);
    }
    return true;
}

void gate_shard_get(struct gate_shard *s, const struct gate_shard_plan *p,
                    const struct gate_dict_key *k, uint64_t now_ns, struct gate_dict_buffer *b,
                    struct gate_dict_value *v, struct gate_dict_seen *seen)
{
    bool good;

    seen->at = &s->seq;
    for (int i = 0; i < LOOKS; i++) {
        seen->seq = gate_word_get(&s->seq);
        if (seen->seq % 2 == 0 && look_up(s, p, k, now_ns, b, v, &seen->until_ns) &&
            gate_word_get(&s->seq) == seen->seq)
            return;
        gate_rest_a_little();
    }
    gate_shard_lock(s, p);
    seen->seq = gate_word_get(&s->seq);
    good = look_up(s, p, k, now_ns, b, v, &seen->until_ns);
    gate_shard_unlock(s);
    GATE_ASSERT(good);
}
