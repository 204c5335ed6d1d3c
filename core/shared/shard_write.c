/* Shard: the changes. */
#include "shared/entry_int.h"
#include "shared/order_int.h"

/* Entries that one call takes away at most, to make room; and of those that have ended, so that
 * they do not pile up. */
#define EVICT_SLICE 64
#define TIDY_SLICE 2

static uint64_t until_after(uint64_t now_ns, uint64_t ttl_ns)
{
    return ttl_ns >= GATE_NEVER - now_ns ? GATE_NEVER : now_ns + ttl_ns;
}

/* Entries, under the lock */

/* The link to the entry of a key; 0 stands there when there is none. */
static uint32_t *find(struct gate_shard *s, const struct gate_shard_plan *p,
                      const struct gate_dict_key *k)
{
    uint32_t tag = (uint32_t)k->hash;
    uint32_t *link = gate_bucket_of(s, p, tag);
    uint32_t at;

    while ((at = gate_word_get(link)) != 0) {
        struct gate_entry *e = gate_shard_entry(s, at);

        if (gate_word_get(&e->tag) == tag && gate_entry_key_n(e) == k->n &&
            gate_bytes_equal(e->bytes, k->p, k->n))
            break;
        link = &e->next;
    }
    return link;
}

static void drop(struct gate_shard *s, const struct gate_shard_plan *p, uint32_t *link)
{
    uint32_t at = gate_word_get(link);
    struct gate_entry *e = gate_shard_entry(s, at);

    gate_word_put(link, gate_word_get(&e->next));
    if (gate_word_get(&e->place) != 0)
        gate_order_remove(s, p, at);
    s->n--;
    gate_space_give(&s->space, (char *)s, at);
}

static void drop_entry(struct gate_shard *s, const struct gate_shard_plan *p, uint32_t at)
{
    uint32_t *link = gate_bucket_of(s, p, gate_word_get(&gate_shard_entry(s, at)->tag));

    while (gate_word_get(link) != at)
        link = &gate_shard_entry(s, gate_word_get(link))->next;
    drop(s, p, link);
}

static void tidy(struct gate_shard *s, const struct gate_shard_plan *p, uint64_t now_ns)
{
    uint32_t at;

    for (int i = 0; i < TIDY_SLICE && (at = gate_order_first(s, p)) != 0; i++) {
        if (!gate_entry_has_ended(gate_shard_entry(s, at), now_ns))
            return;
        drop_entry(s, p, at);
    }
}

/* Room for n granules; whoever ends first goes. GATE_E_AGAIN, GATE_E_LIMIT as in dict.h. */
static enum gate_err make_room(struct gate_shard *s, const struct gate_shard_plan *p, uint32_t n,
                               uint64_t now_ns, uint32_t *out)
{
    for (int i = 0; (*out = gate_space_take(&s->space, (char *)s, n)) == 0; i++) {
        uint32_t at = gate_order_first(s, p);

        if (at == 0)
            return GATE_E_LIMIT;
        if (i == EVICT_SLICE)
            return GATE_E_AGAIN;
        s->evictions += !gate_entry_has_ended(gate_shard_entry(s, at), now_ns);
        drop_entry(s, p, at);
    }
    return GATE_OK;
}

static void set_until(struct gate_shard *s, const struct gate_shard_plan *p, uint32_t at,
                      uint64_t until)
{
    struct gate_entry *e = gate_shard_entry(s, at);

    if (gate_word_get(&e->place) != 0)
        gate_order_remove(s, p, at);
    gate_wide_put(&e->until_ns, until);
    if (until != GATE_NEVER)
        gate_order_add(s, p, at);
}

static void set_value(struct gate_entry *e, uint32_t key_n, const struct gate_dict_value *v)
{
    uint64_t bits = v->text.n;

    gate_word_put(&e->shape, key_n << GATE_SHAPE_BITS | (uint32_t)v->kind);
    if (v->kind == GATE_DICT_STRING)
        gate_bytes_put(gate_entry_string(e, key_n), v->text.p, v->text.n);
    else
        memcpy(&bits, &v->number, sizeof(bits));
    gate_wide_put(&e->bits, bits);
}

/* Moves half of a bucket to a new one. */
static void split(struct gate_shard *s, const struct gate_shard_plan *p)
{
    uint32_t n = s->buckets, low, at, *upper, *link;

    low = n & UINT32_MAX >> (__builtin_clz(n) + 1);
    upper = gate_bucket_at(s, p, n);
    link = gate_bucket_at(s, p, low);
    gate_word_put(upper, 0);
    gate_word_put(&s->buckets, n + 1);
    while ((at = gate_word_get(link)) != 0) {
        struct gate_entry *e = gate_shard_entry(s, at);

        if (gate_bucket_number(n + 1, gate_word_get(&e->tag)) != n) {
            link = &e->next;
            continue;
        }
        gate_word_put(link, gate_word_get(&e->next));
        gate_word_put(&e->next, gate_word_get(upper));
        gate_word_put(upper, at);
    }
}

/* Two buckets for an entry, as long as there is room: most chains have one. */
static void grow(struct gate_shard *s, const struct gate_shard_plan *p)
{
    for (int i = 0; i < 2 && s->buckets < 2 * s->n && s->buckets < p->buckets; i++)
        split(s, p);
}

static void insert(struct gate_shard *s, const struct gate_shard_plan *p,
                   const struct gate_dict_key *k, uint32_t at, uint64_t until,
                   const struct gate_dict_value *v)
{
    struct gate_entry *e = gate_shard_entry(s, at);
    uint32_t *bucket;

    grow(s, p);
    bucket = gate_bucket_of(s, p, (uint32_t)k->hash);
    gate_word_put(&e->tag, (uint32_t)k->hash);
    gate_word_put(&e->place, 0);
    gate_bytes_put(e->bytes, k->p, k->n);
    set_value(e, k->n, v);
    set_until(s, p, at, until);
    gate_word_put(&e->next, gate_word_get(bucket));
    gate_word_put(bucket, at);
    s->n++;
}

static bool is_value(struct gate_entry *e, const struct gate_dict_value *v)
{
    uint64_t bits = gate_wide_get(&e->bits);
    double number;

    if (gate_entry_kind(e) != v->kind)
        return false;
    if (v->kind == GATE_DICT_STRING)
        return bits == v->text.n &&
               gate_bytes_equal(gate_entry_string(e, gate_entry_key_n(e)), v->text.p, v->text.n);
    memcpy(&number, &bits, sizeof(number));
    return v->kind != GATE_DICT_NUMBER || number == v->number;
}

/* Whether the put may be; `e` NULL: there is no such key. */
static enum gate_err judge(struct gate_entry *e, const struct gate_dict_put *put)
{
    switch (put->mode) {
    case GATE_DICT_ADD:
        return e == NULL ? GATE_OK : GATE_E_EXISTS;
    case GATE_DICT_REPLACE:
        return e == NULL ? GATE_E_NOTFOUND : GATE_OK;
    case GATE_DICT_CAS:
        if (put->old.kind == GATE_DICT_NONE)
            return e == NULL ? GATE_OK : GATE_E_NOTFOUND;
        return e != NULL && is_value(e, &put->old) ? GATE_OK : GATE_E_NOTFOUND;
    default:
        return GATE_OK;
    }
}

static uint32_t granules_of(uint32_t key_n, const struct gate_dict_value *v)
{
    size_t n = sizeof(struct gate_entry) + gate_wide_round(key_n);

    if (v->kind == GATE_DICT_STRING)
        n += gate_wide_round(v->text.n);
    return gate_space_granules((uint32_t)n);
}

/* Over the old entry, when the new one fits. */
static void overwrite(struct gate_shard *s, const struct gate_shard_plan *p, uint32_t at,
                      uint64_t until, const struct gate_dict_value *v)
{
    struct gate_entry *e = gate_shard_entry(s, at);

    set_value(e, gate_entry_key_n(e), v);
    if (gate_wide_get(&e->until_ns) != until)
        set_until(s, p, at, until);
}

static enum gate_err write(struct gate_shard *s, const struct gate_shard_plan *p,
                           const struct gate_dict_key *k, uint64_t now_ns, uint64_t until,
                           const struct gate_dict_value *v)
{
    uint32_t need = granules_of(k->n, v);
    uint32_t old = gate_word_get(find(s, p, k));
    uint32_t at;
    uint32_t *link;
    enum gate_err err;

    if (old != 0 && gate_space_size((char *)s, old) == need) {
        overwrite(s, p, old, until, v);
        return GATE_OK;
    }
    err = make_room(s, p, need, now_ns, &at);
    /* It may be one of those that went. */
    link = find(s, p, k);
    old = gate_word_get(link);
    if (err == GATE_OK) {
        if (old != 0)
            drop(s, p, link);
        insert(s, p, k, at, until, v);
    } else if (err == GATE_E_LIMIT && old != 0 && gate_space_size((char *)s, old) > need) {
        overwrite(s, p, old, until, v);
        err = GATE_OK;
    }
    return err;
}

/* The entry of a key that has not ended; NULL: there is none. */
static struct gate_entry *find_live(struct gate_shard *s, const struct gate_shard_plan *p,
                                    const struct gate_dict_key *k, uint64_t now_ns)
{
    uint32_t at = gate_word_get(find(s, p, k));
    struct gate_entry *e = gate_shard_entry(s, at);

    return at == 0 || gate_entry_has_ended(e, now_ns) ? NULL : e;
}

enum gate_err gate_shard_put(struct gate_shard *s, const struct gate_shard_plan *p,
                             const struct gate_dict_key *k, const struct gate_dict_put *put)
{
    uint64_t until = until_after(put->now_ns, put->ttl_ns);
    struct gate_entry *e;
    enum gate_err err;

    gate_shard_enter(s, p);
    tidy(s, p, put->now_ns);
    e = find_live(s, p, k, put->now_ns);
    err = judge(e, put);
    if (put->mode == GATE_DICT_CAS && e != NULL)
        until = gate_wide_get(&e->until_ns);
    if (err == GATE_OK)
        err = write(s, p, k, put->now_ns, until, &put->value);
    gate_shard_leave(s);
    return err;
}

static enum gate_err incr(struct gate_shard *s, const struct gate_shard_plan *p,
                          const struct gate_dict_key *k, const struct gate_dict_incr *i,
                          double *sum)
{
    struct gate_entry *e = find_live(s, p, k, i->now_ns);
    struct gate_dict_value v = { .kind = GATE_DICT_NUMBER };
    uint64_t bits;

    if (e == NULL) {
        if (!i->make)
            return GATE_E_NOTFOUND;
        tidy(s, p, i->now_ns);
        v.number = *sum = i->init + i->by;
        return write(s, p, k, i->now_ns, until_after(i->now_ns, i->ttl_ns), &v);
    }
    if (gate_entry_kind(e) != GATE_DICT_NUMBER)
        return GATE_E_INVALID;
    bits = gate_wide_get(&e->bits);
    memcpy(sum, &bits, sizeof(bits));
    *sum += i->by;
    memcpy(&bits, sum, sizeof(bits));
    gate_wide_put(&e->bits, bits);
    return GATE_OK;
}

/* The line of an entry was most likely written by another worker, as that of the lock was: it is on
 * its way while the lock is taken. Only a hint: without the lock nothing here is sure. */
static inline void fetch_entry(struct gate_shard *s, const struct gate_shard_plan *p,
                               const struct gate_dict_key *k)
{
    uint32_t at = gate_word_get(gate_bucket_of(s, p, (uint32_t)k->hash));
    const char *bits = (const char *)&gate_shard_entry(s, at)->bits;

#if defined(__x86_64__)
    /* The builtin asks for a line to read, unless the compiler knows the processor. */
    __asm__ volatile("prefetchw %0" : : "m"(*bits));
#else
    __builtin_prefetch(bits, 1);
#endif
}

enum gate_err gate_shard_incr(struct gate_shard *s, const struct gate_shard_plan *p,
                              const struct gate_dict_key *k, const struct gate_dict_incr *i,
                              double *sum)
{
    enum gate_err err;

    fetch_entry(s, p, k);
    gate_shard_enter(s, p);
    err = incr(s, p, k, i, sum);
    gate_shard_leave(s);
    return err;
}

bool gate_shard_delete(struct gate_shard *s, const struct gate_shard_plan *p,
                       const struct gate_dict_key *k, uint64_t now_ns)
{
    uint32_t *link, at;
    bool found = false;

    gate_shard_enter(s, p);
    link = find(s, p, k);
    at = gate_word_get(link);
    if (at != 0) {
        found = !gate_entry_has_ended(gate_shard_entry(s, at), now_ns);
        drop(s, p, link);
    }
    gate_shard_leave(s);
    return found;
}
