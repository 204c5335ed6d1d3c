/* Open addressing with linear probing and a random SipHash key per table: clients choose their
 * addresses. An entry that falls to zero is taken out by moving the rest of its run back, so there
 * are no tombstones. */
#include "session/ip_counts.h"

#include <pthread.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/siphash.h"

#define SHARDS 16

struct entry {
    uint64_t key[2];
    uint32_t count; /* 0: free */
};

struct shard {
    pthread_mutex_t lock;
    struct entry *v; /* guarded by lock */
    uint32_t cap;
    uint32_t n;
} __attribute__((aligned(64)));

struct gate_ip_counts {
    struct gate_sipkey key;
    struct shard shards[SHARDS];
};

struct gate_ip_counts *gate_ip_counts_new(void)
{
    struct gate_ip_counts *c = gate_calloc(1, sizeof(*c));

    gate_sipkey_random(&c->key);
    for (int i = 0; i < SHARDS; i++)
        GATE_ASSERT(pthread_mutex_init(&c->shards[i].lock, NULL) == 0);
    return c;
}

void gate_ip_counts_free(struct gate_ip_counts **counts)
{
    struct gate_ip_counts *c = *counts;

    *counts = NULL;
    if (c == NULL)
        return;
    for (int i = 0; i < SHARDS; i++) {
        pthread_mutex_destroy(&c->shards[i].lock);
        gate_free(c->shards[i].v);
    }
    gate_free(c);
}

/* False for clients that are not counted. */
static bool key_of(const struct gate_addr *ip, uint64_t key[2])
{
    key[0] = key[1] = 0;
    if (ip->u.sa.sa_family == AF_INET) {
        key[1] = 1;
        memcpy(&key[0], &ip->u.in4.sin_addr, sizeof(ip->u.in4.sin_addr));
        return true;
    }
    if (ip->u.sa.sa_family != AF_INET6)
        return false;
    if (IN6_IS_ADDR_V4MAPPED(&ip->u.in6.sin6_addr)) {
        key[1] = 1;
        memcpy(&key[0], ip->u.in6.sin6_addr.s6_addr + 12, 4);
        return true;
    }
    key[1] = 2;
    memcpy(&key[0], ip->u.in6.sin6_addr.s6_addr, 8);
    return true;
}

static uint64_t hash_of(const struct gate_ip_counts *c, const uint64_t key[2])
{
    return gate_siphash(&c->key, key, 2 * sizeof(key[0]));
}

/* The entry of a key, or the free one where it would go. */
static uint32_t find_locked(const struct shard *s, const uint64_t key[2], uint64_t h)
{
    uint32_t i = (uint32_t)(h >> 8) & (s->cap - 1);

    while (s->v[i].count > 0 && (s->v[i].key[0] != key[0] || s->v[i].key[1] != key[1]))
        i = (i + 1) & (s->cap - 1);
    return i;
}

static void grow_locked(const struct gate_ip_counts *c, struct shard *s)
{
    struct entry *old = s->v;
    uint32_t cap = s->cap;

    s->cap = cap == 0 ? 64 : cap * 2;
    s->v = gate_calloc(s->cap, sizeof(*s->v));
    for (uint32_t i = 0; i < cap; i++) {
        if (old[i].count > 0)
            s->v[find_locked(s, old[i].key, hash_of(c, old[i].key))] = old[i];
    }
    gate_free(old);
}

bool gate_ip_counts_take(struct gate_ip_counts *c, const struct gate_addr *ip, uint32_t max)
{
    uint64_t key[2];
    uint64_t h;
    struct shard *s;
    struct entry *e;
    bool ok;

    if (!key_of(ip, key))
        return true;
    h = hash_of(c, key);
    s = &c->shards[h % SHARDS];
    pthread_mutex_lock(&s->lock);
    if ((s->n + 1) * 2 > s->cap)
        grow_locked(c, s);
    e = &s->v[find_locked(s, key, h)];
    ok = e->count < max;
    if (ok && e->count == 0) {
        memcpy(e->key, key, sizeof(e->key));
        s->n++;
    }
    if (ok)
        e->count++;
    pthread_mutex_unlock(&s->lock);
    return ok;
}

/* Closes the gap at i, so that every key is still found from its own slot. */
static void remove_locked(const struct gate_ip_counts *c, struct shard *s, uint32_t i)
{
    uint32_t mask = s->cap - 1;

    s->v[i].count = 0;
    s->n--;
    for (uint32_t j = (i + 1) & mask; s->v[j].count > 0; j = (j + 1) & mask) {
        uint32_t home = (uint32_t)(hash_of(c, s->v[j].key) >> 8) & mask;

        if (((j - home) & mask) < ((j - i) & mask))
            continue;
        s->v[i] = s->v[j];
        s->v[j].count = 0;
        i = j;
    }
}

void gate_ip_counts_give(struct gate_ip_counts *c, const struct gate_addr *ip)
{
    uint64_t key[2];
    uint64_t h;
    struct shard *s;
    uint32_t i;

    if (!key_of(ip, key))
        return;
    h = hash_of(c, key);
    s = &c->shards[h % SHARDS];
    pthread_mutex_lock(&s->lock);
    GATE_ASSERT(s->cap > 0);
    i = find_locked(s, key, h);
    GATE_ASSERT(s->v[i].count > 0);
    if (--s->v[i].count == 0)
        remove_locked(c, s, i);
    pthread_mutex_unlock(&s->lock);
}
