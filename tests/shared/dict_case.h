/* One dictionary and a clock by hand, for tests: each operation in one short call. */
#ifndef GATE_TESTS_DICT_CASE_H
#define GATE_TESTS_DICT_CASE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shared/dict.h"

struct dict_case {
    struct gate_dict *d;
    struct gate_dict_buffer b;
    uint64_t now;
    uint64_t random;
};

static inline int dict_case_open(void **state, uint64_t bytes)
{
    struct dict_case *c = calloc(1, sizeof(*c));

    c->now = 1000;
    c->random = 88172645463325252ull;
    *state = c;
    return gate_dict_create(GATE_STR("case"), bytes, &c->d) == GATE_OK ? 0 : -1;
}

static inline int dict_case_close(void **state)
{
    struct dict_case *c = *state;

    gate_dict_close(&c->d);
    gate_dict_buffer_fini(&c->b);
    free(c);
    return 0;
}

static inline uint32_t dict_chance(struct dict_case *c, uint32_t below)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return (uint32_t)(c->random >> 20) % below;
}

static inline struct gate_dict_value dict_number(double v)
{
    return (struct gate_dict_value){ .kind = GATE_DICT_NUMBER, .number = v };
}

static inline struct gate_dict_value dict_text(const char *v)
{
    return (struct gate_dict_value){ .kind = GATE_DICT_STRING, .text = gate_str_from_cstr(v) };
}

static inline struct gate_dict_value dict_bool(bool v)
{
    return (struct gate_dict_value){ .kind = v ? GATE_DICT_TRUE : GATE_DICT_FALSE };
}

static inline struct gate_dict_key dict_key(struct dict_case *c, const char *key)
{
    return gate_dict_key(c->d, key, (uint32_t)strlen(key));
}

static inline struct gate_dict_value dict_get(struct dict_case *c, const char *key)
{
    struct gate_dict_key k = dict_key(c, key);
    struct gate_dict_seen seen;
    struct gate_dict_value v;

    gate_dict_get(c->d, &k, c->now, &c->b, &v, &seen);
    return v;
}

static inline bool dict_is_text(struct dict_case *c, const char *key, const char *text)
{
    struct gate_dict_value v = dict_get(c, key);

    return v.kind == GATE_DICT_STRING && gate_str_eq(v.text, gate_str_from_cstr(text));
}

static inline enum gate_err dict_put(struct dict_case *c, enum gate_dict_mode mode,
                                     const char *key, struct gate_dict_value v, uint64_t ttl)
{
    struct gate_dict_key k = dict_key(c, key);
    struct gate_dict_put put = { .mode = mode, .value = v, .now_ns = c->now, .ttl_ns = ttl };

    return gate_dict_put(c->d, &k, &put);
}

static inline enum gate_err dict_set(struct dict_case *c, const char *key,
                                     struct gate_dict_value v, uint64_t ttl)
{
    return dict_put(c, GATE_DICT_SET, key, v, ttl);
}

static inline enum gate_err dict_cas(struct dict_case *c, const char *key,
                                     struct gate_dict_value old, struct gate_dict_value v)
{
    struct gate_dict_key k = dict_key(c, key);
    struct gate_dict_put put = { .mode = GATE_DICT_CAS, .value = v, .old = old,
                                 .now_ns = c->now, .ttl_ns = UINT64_MAX };

    return gate_dict_put(c->d, &k, &put);
}

/* init NAN: the key is not made. */
static inline enum gate_err dict_incr(struct dict_case *c, const char *key, double by,
                                      double init, uint64_t ttl, double *sum)
{
    struct gate_dict_key k = dict_key(c, key);
    struct gate_dict_incr i = { .by = by, .init = init, .make = !isnan(init),
                                .now_ns = c->now, .ttl_ns = ttl };

    return gate_dict_incr(c->d, &k, &i, sum);
}

static inline bool dict_delete(struct dict_case *c, const char *key)
{
    struct gate_dict_key k = dict_key(c, key);

    return gate_dict_delete(c->d, &k, c->now);
}

/* When it ends; 0: there is no such key. */
static inline uint64_t dict_until(struct dict_case *c, const char *key)
{
    struct gate_dict_key k = dict_key(c, key);
    struct gate_dict_seen seen;
    struct gate_dict_value v;

    gate_dict_get(c->d, &k, c->now, &c->b, &v, &seen);
    return v.kind == GATE_DICT_NONE ? 0 : seen.until_ns;
}

static inline struct gate_dict_numbers dict_numbers(struct dict_case *c)
{
    struct gate_dict_numbers n;

    gate_dict_numbers(c->d, &n);
    return n;
}

#endif
