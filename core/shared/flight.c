#include "shared/flight.h"

#include <pthread.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

#define BUCKETS 256u

struct flight {
    struct flight *next;            /* in its bucket */
    const struct gate_dict *dict;
    uint64_t hash;
    char *key;
    uint32_t key_n;
    uint32_t seats;                 /* that point to it */
    struct gate_list waiting;       /* seats */
    bool landed;
    struct gate_flight_result result;
    char *text;                     /* what the result's strings are in */
};

enum state { SEATED, WAITING, CALLED };

struct gate_flight_seat {
    struct gate_flights *flights;
    struct flight *flight;
    struct gate_list node;          /* flight->waiting */
    struct gate_mailbox *box;
    struct gate_mail mail;
    gate_flight_called *called;
    void *arg;
    enum state state;               /* CALLED: its mail is on the way */
    bool leads;
    bool gone;                      /* left while its mail was on the way */
};

struct gate_flights {
    pthread_mutex_t lock;
    struct flight *buckets[BUCKETS];
    uint32_t n;
};

struct gate_flights *gate_flights_new(void)
{
    struct gate_flights *fs = gate_calloc(1, sizeof(*fs));

    pthread_mutex_init(&fs->lock, NULL);
    return fs;
}

void gate_flights_free(struct gate_flights **flights)
{
    struct gate_flights *fs = *flights;

    *flights = NULL;
    GATE_ASSERT(fs->n == 0);
    pthread_mutex_destroy(&fs->lock);
    gate_free(fs);
}

/* Under the lock */

static struct flight **find(struct gate_flights *fs, const struct gate_dict *d,
                            const struct gate_dict_key *k)
{
    struct flight **at = &fs->buckets[k->hash % BUCKETS];

    while (*at != NULL && ((*at)->dict != d || (*at)->hash != k->hash || (*at)->key_n != k->n ||
                           memcmp((*at)->key, k->p, k->n) != 0))
        at = &(*at)->next;
    return at;
}

/* Nobody joins it any more. */
static void close_flight(struct gate_flights *fs, struct flight *f)
{
    struct flight **at = &fs->buckets[f->hash % BUCKETS];

    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    fs->n--;
}

static struct flight *flight_new(struct gate_flights *fs, const struct gate_dict *d,
                                 const struct gate_dict_key *k)
{
    struct flight *f = gate_calloc(1, sizeof(*f));

    f->dict = d;
    f->hash = k->hash;
    f->key = gate_memdup(k->p, k->n);
    f->key_n = k->n;
    gate_list_init(&f->waiting);
    f->next = fs->buckets[k->hash % BUCKETS];
    fs->buckets[k->hash % BUCKETS] = f;
    fs->n++;
    return f;
}

static void call(struct gate_flight_seat *seat, struct gate_list *calls)
{
    gate_list_remove(&seat->node);
    gate_list_push(calls, &seat->node);
    seat->state = CALLED;
}

static struct gate_flight_seat *first_waiting(struct flight *f)
{
    if (gate_list_empty(&f->waiting))
        return NULL;
    return gate_container_of(f->waiting.next, struct gate_flight_seat, node);
}

/* The leader is gone without a result. */
static void hand_over(struct gate_flights *fs, struct flight *f, struct gate_list *calls)
{
    struct gate_flight_seat *next = first_waiting(f);

    if (next == NULL) {
        close_flight(fs, f);
        return;
    }
    next->leads = true;
    call(next, calls);
}

/* Drops a seat's hold on its flight; the flight that has to be freed, or NULL. */
static struct flight *let_go(struct gate_flight_seat *seat)
{
    struct flight *f = seat->flight;

    return --f->seats == 0 ? f : NULL;
}

/* Outside the lock */

static void on_call(struct gate_mail *m, void *receiver);

/* Who is called stays until its mail has come. */
static void post(struct gate_list *calls)
{
    struct gate_list *n;

    while ((n = gate_list_pop(calls)) != NULL) {
        struct gate_flight_seat *seat = gate_container_of(n, struct gate_flight_seat, node);

        seat->mail.deliver = on_call;
        gate_mailbox_post(seat->box, &seat->mail);
    }
}

static void free_both(struct gate_flight_seat *seat, struct flight *f)
{
    if (f != NULL) {
        gate_free(f->key);
        gate_free(f->text);
        gate_free(f);
    }
    gate_free(seat);
}

struct gate_flight_seat *gate_flight_join(struct gate_flights *fs, const struct gate_dict *d,
                                          const struct gate_dict_key *k, struct gate_mailbox *box,
                                          gate_flight_called *called, void *arg)
{
    struct gate_flight_seat *seat = gate_calloc(1, sizeof(*seat));
    struct flight *f;

    seat->flights = fs;
    seat->box = box;
    seat->called = called;
    seat->arg = arg;
    gate_list_init(&seat->node);
    pthread_mutex_lock(&fs->lock);
    f = *find(fs, d, k);
    if (f == NULL) {
        f = flight_new(fs, d, k);
        seat->leads = true;
    } else {
        seat->state = WAITING;
        gate_list_push(&f->waiting, &seat->node);
    }
    seat->flight = f;
    f->seats++;
    pthread_mutex_unlock(&fs->lock);
    return seat;
}

/* On the seat's own loop. */
static void on_call(struct gate_mail *m, void *receiver)
{
    struct gate_flight_seat *seat = gate_container_of(m, struct gate_flight_seat, mail);
    struct gate_flights *fs = seat->flights;
    struct flight *f = NULL;
    bool gone = seat->gone;

    (void)receiver;
    pthread_mutex_lock(&fs->lock);
    seat->state = SEATED;
    if (gone)
        f = let_go(seat);
    pthread_mutex_unlock(&fs->lock);
    if (gone)
        free_both(seat, f);
    else
        seat->called(seat, seat->arg);
}

bool gate_flight_leads(const struct gate_flight_seat *seat)
{
    bool leads;

    pthread_mutex_lock(&seat->flights->lock);
    leads = seat->state == SEATED && seat->leads;
    pthread_mutex_unlock(&seat->flights->lock);
    return leads;
}

const struct gate_flight_result *gate_flight_result(const struct gate_flight_seat *seat)
{
    bool landed;

    pthread_mutex_lock(&seat->flights->lock);
    landed = seat->state == SEATED && seat->flight->landed;
    pthread_mutex_unlock(&seat->flights->lock);
    return landed ? &seat->flight->result : NULL;
}

static struct gate_str append(char **to, struct gate_str s, size_t limit)
{
    struct gate_str copy = gate_str_of(*to, s.n < limit ? s.n : limit);

    if (copy.n > 0)
        memcpy(*to, s.p, copy.n);
    *to += copy.n;
    return copy;
}

/* A copy of the result with strings of its own. */
static char *copy_result(const struct gate_flight_result *r, struct gate_flight_result *to)
{
    char *text = gate_alloc(r->value.text.n + GATE_FLIGHT_CODE + GATE_FLIGHT_WHY);
    char *at = text;

    *to = *r;
    to->value.text = append(&at, r->value.text, r->value.text.n);
    to->code = append(&at, r->code, GATE_FLIGHT_CODE);
    to->why = append(&at, r->why, GATE_FLIGHT_WHY);
    return text;
}

void gate_flight_land(struct gate_flight_seat **seat, const struct gate_flight_result *r)
{
    struct gate_flight_seat *s = *seat, *waiting;
    struct gate_flights *fs = s->flights;
    struct flight *f = s->flight;
    struct gate_flight_result copy;
    struct gate_list calls;
    char *text = copy_result(r, &copy);

    *seat = NULL;
    gate_list_init(&calls);
    pthread_mutex_lock(&fs->lock);
    GATE_ASSERT(s->leads && s->state == SEATED && !f->landed);
    f->result = copy;
    f->text = text;
    f->landed = true;
    close_flight(fs, f);
    while ((waiting = first_waiting(f)) != NULL)
        call(waiting, &calls);
    f = let_go(s);
    pthread_mutex_unlock(&fs->lock);
    post(&calls);
    free_both(s, f);
}

void gate_flight_leave(struct gate_flight_seat **seat)
{
    struct gate_flight_seat *s = *seat;
    struct gate_flights *fs = s->flights;
    struct flight *f = NULL;
    struct gate_list calls;
    bool called;

    *seat = NULL;
    gate_list_init(&calls);
    pthread_mutex_lock(&fs->lock);
    called = s->state == CALLED;
    if (s->leads && !s->flight->landed)
        hand_over(fs, s->flight, &calls);
    if (called) {
        /* Its mail finds it so, and frees it. */
        s->leads = false;
        s->gone = true;
    } else {
        gate_list_remove(&s->node);
        f = let_go(s);
    }
    pthread_mutex_unlock(&fs->lock);
    post(&calls);
    if (!called)
        free_both(s, f);
}
