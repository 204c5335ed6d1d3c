#include "shared/shared.h"

#include <pthread.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/mem.h"

struct held {
    struct gate_list node;
    struct gate_dict *dict;
    uint32_t users;
    bool kept;      /* the keeper has it; control's */
};

struct gate_shared {
    pthread_mutex_t lock;
    struct gate_list dicts;
    struct gate_flights *flights;
};

struct gate_shared *gate_shared_new(void)
{
    struct gate_shared *s = gate_calloc(1, sizeof(*s));

    pthread_mutex_init(&s->lock, NULL);
    gate_list_init(&s->dicts);
    s->flights = gate_flights_new();
    return s;
}

static struct held *held_of(struct gate_list *n)
{
    return gate_container_of(n, struct held, node);
}

static void held_free(struct held *h)
{
    GATE_ASSERT(h->users == 0);
    gate_list_remove(&h->node);
    gate_dict_close(&h->dict);
    gate_free(h);
}

void gate_shared_free(struct gate_shared **shared)
{
    struct gate_shared *s = *shared;

    *shared = NULL;
    if (s == NULL)
        return;
    while (!gate_list_empty(&s->dicts))
        held_free(held_of(s->dicts.next));
    gate_flights_free(&s->flights);
    pthread_mutex_destroy(&s->lock);
    gate_free(s);
}

static struct held *add(struct gate_shared *s, struct gate_dict *d)
{
    struct held *h = gate_calloc(1, sizeof(*h));

    h->dict = d;
    gate_list_push(&s->dicts, &h->node);
    return h;
}

static struct held *find(struct gate_shared *s, struct gate_str name, uint64_t bytes)
{
    for (struct gate_list *n = s->dicts.next; n != &s->dicts; n = n->next) {
        struct held *h = held_of(n);

        if (gate_dict_bytes(h->dict) == bytes && gate_str_eq(gate_dict_name(h->dict), name))
            return h;
    }
    return NULL;
}

enum gate_err gate_shared_open(struct gate_shared *s, struct gate_str name, uint64_t bytes,
                               struct gate_dict **out)
{
    struct gate_dict *d;
    struct held *h;
    enum gate_err err = GATE_OK;

    pthread_mutex_lock(&s->lock);
    h = find(s, name, bytes);
    if (h == NULL) {
        err = gate_dict_create(name, bytes, &d);
        h = err == GATE_OK ? add(s, d) : NULL;
    }
    if (h != NULL) {
        h->users++;
        *out = h->dict;
    }
    pthread_mutex_unlock(&s->lock);
    return err;
}

void gate_shared_close(struct gate_shared *s, struct gate_dict **d)
{
    struct held *h;

    pthread_mutex_lock(&s->lock);
    h = find(s, gate_dict_name(*d), gate_dict_bytes(*d));
    GATE_ASSERT(h != NULL && h->dict == *d && h->users > 0);
    h->users--;
    pthread_mutex_unlock(&s->lock);
    *d = NULL;
}

enum gate_err gate_shared_adopt(struct gate_shared *s, int fd, struct gate_str name,
                                uint64_t bytes, uint64_t *drops)
{
    struct gate_dict *d;
    enum gate_err err = gate_dict_adopt(fd, name, bytes, &d, drops);

    if (err != GATE_OK)
        return err;
    pthread_mutex_lock(&s->lock);
    add(s, d)->kept = true;
    pthread_mutex_unlock(&s->lock);
    return GATE_OK;
}

/* One that is used and not yet kept, or NULL. */
static struct held *next_to_keep(struct gate_shared *s)
{
    struct held *found = NULL;

    pthread_mutex_lock(&s->lock);
    for (struct gate_list *n = s->dicts.next; n != &s->dicts && found == NULL; n = n->next) {
        if (held_of(n)->users > 0 && !held_of(n)->kept)
            found = held_of(n);
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

/* Moves what nobody uses to `to`. */
static void take_unused(struct gate_shared *s, struct gate_list *to)
{
    pthread_mutex_lock(&s->lock);
    for (struct gate_list *n = s->dicts.next, *next; n != &s->dicts; n = next) {
        next = n->next;
        if (held_of(n)->users > 0)
            continue;
        gate_list_remove(n);
        gate_list_push(to, n);
    }
    pthread_mutex_unlock(&s->lock);
}

void gate_shared_settle(struct gate_shared *s, const struct gate_shared_keeper *k, void *arg)
{
    struct gate_list unused, *n;
    struct held *h;

    /* Nobody else frees one, nor says of one that it is kept. */
    while ((h = next_to_keep(s)) != NULL) {
        k->keep(arg, gate_dict_name(h->dict), gate_dict_bytes(h->dict), gate_dict_fd(h->dict));
        h->kept = true;
    }
    gate_list_init(&unused);
    take_unused(s, &unused);
    while ((n = gate_list_pop(&unused)) != NULL) {
        h = held_of(n);
        if (h->kept)
            k->drop(arg, gate_dict_name(h->dict), gate_dict_bytes(h->dict));
        held_free(h);
    }
}

uint32_t gate_shared_report(struct gate_shared *s, struct gate_shared_numbers **out)
{
    struct gate_shared_numbers *v = NULL;
    uint32_t n = 0;

    pthread_mutex_lock(&s->lock);
    for (struct gate_list *at = s->dicts.next; at != &s->dicts; at = at->next) {
        struct held *h = held_of(at);

        if (h->users == 0)
            continue;
        v = gate_realloc(v, (n + 1) * sizeof(*v));
        gate_dict_numbers(h->dict, &v[n].numbers);
        v[n].name_n = gate_dict_name(h->dict).n;
        memcpy(v[n++].name, gate_dict_name(h->dict).p, gate_dict_name(h->dict).n);
    }
    pthread_mutex_unlock(&s->lock);
    *out = v;
    return n;
}

struct gate_flights *gate_shared_flights(struct gate_shared *s)
{
    return s->flights;
}
