#include <string.h>

#include "base/mem.h"
#include "net/dns_int.h"

struct gate_dns_result *gate_dns_result_new(enum gate_err err, const char *why, size_t count)
{
    struct gate_dns_result *r = gate_calloc(1, sizeof(*r) + count * sizeof(r->addrs[0]));

    r->refs = 1;
    r->err = err;
    r->why = why;
    r->count = count;
    return r;
}

struct gate_dns_result *gate_dns_result_ref(struct gate_dns_result *r)
{
    r->refs++;
    return r;
}

void gate_dns_result_unref(struct gate_dns_result **rp)
{
    struct gate_dns_result *r = *rp;

    *rp = NULL;
    if (r != NULL && --r->refs == 0)
        gate_free(r);
}

static void drop(struct gate_dns_entry *e)
{
    gate_free(e->name);
    e->name = NULL;
    gate_dns_result_unref(&e->result);
}

void gate_dns_cache_init(struct gate_dns_cache *c)
{
    memset(c, 0, sizeof(*c));
    gate_sipkey_random(&c->key);
}

void gate_dns_cache_fini(struct gate_dns_cache *c)
{
    for (size_t i = 0; i < GATE_DNS_SETS; i++) {
        for (size_t k = 0; k < GATE_DNS_WAYS; k++)
            drop(&c->sets[i][k]);
    }
}

static struct gate_dns_entry *set_of(struct gate_dns_cache *c, const char *name)
{
    return c->sets[gate_siphash(&c->key, name, strlen(name)) % GATE_DNS_SETS];
}

static struct gate_dns_entry *find(struct gate_dns_entry *set, const char *name)
{
    for (size_t k = 0; k < GATE_DNS_WAYS; k++) {
        if (set[k].name != NULL && strcmp(set[k].name, name) == 0)
            return &set[k];
    }
    return NULL;
}

/* A free entry, or the one that ends first. */
static struct gate_dns_entry *victim(struct gate_dns_entry *set)
{
    struct gate_dns_entry *best = &set[0];

    for (size_t k = 0; k < GATE_DNS_WAYS; k++) {
        if (set[k].name == NULL)
            return &set[k];
        if (set[k].result->until_ms < best->result->until_ms)
            best = &set[k];
    }
    return best;
}

struct gate_dns_result *gate_dns_cache_peek(struct gate_dns_cache *c, const char *name,
                                            uint64_t now_ms)
{
    struct gate_dns_entry *e = find(set_of(c, name), name);

    if (e == NULL)
        return NULL;
    if (e->result->until_ms > now_ms)
        return e->result;
    drop(e);
    return NULL;
}

void gate_dns_cache_put(struct gate_dns_cache *c, const char *name, struct gate_dns_result *r)
{
    struct gate_dns_entry *set = set_of(c, name);
    struct gate_dns_entry *e = find(set, name);

    if (e == NULL)
        e = victim(set);
    drop(e);
    e->name = gate_strdup(name);
    e->result = gate_dns_result_ref(r);
}
