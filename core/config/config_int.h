/* Config, inside: a strict reader of the canonical JSON, driven by tables of fields, and the
 * sections that use it. One pass, no tree: a document of 10,000 routes costs a general JSON library
 * over 100 ms, and it is read at each reload. */
#ifndef GATE_CONFIG_CONFIG_INT_H
#define GATE_CONFIG_CONFIG_INT_H

#include "config/config.h"

#define READER_DEPTH 12

/* One step of where the reader is, for messages: a key or an index. */
struct reader_step {
    struct gate_str key; /* p NULL: an index */
    uint32_t index;
};

/* Reads one text. The first fault stays; every function answers false from then on. One thread. */
struct reader {
    const char *begin;
    const char *p;
    const char *end;
    struct gate_arena *arena; /* of what is read */
    enum gate_err err;
    char *why; /* the caller's, with where and what */
    size_t why_cap;
    struct reader_step path[READER_DEPTH];
    uint32_t depth;
    struct gate_str *names; /* of the routes' upstreams, till both are read; malloc */
    uint32_t n_names;
};

/* A known key of an object. `offset` is that of the member which `read` fills. */
struct field {
    const char *key;
    bool (*read)(struct reader *r, const struct field *f, void *to);
    size_t offset;
    int64_t min; /* of integers */
    int64_t max;
    const char *const *names; /* of choices: NULL-terminated, the index is the value */
};

struct field_table {
    const struct field *v;
    uint32_t n; /* at most 64 */
};

#define FIELD_TABLE(fields)                                                                        \
    {                                                                                              \
        (fields), sizeof(fields) / sizeof((fields)[0])                                             \
    }

/* Notes a fault at the present place: "/routes/3/priority: expected an integer". Always false. */
bool gate_reader_fail(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* An object whose keys are all in the table, none twice, in any order; absent ones leave `base` as
 * it is. */
bool gate_reader_object(struct reader *r, const struct field_table *t, void *base);

/* An array; `one` reads each element into `size` zeroed bytes. The result is the arena's, NULL when
 * empty. */
bool gate_reader_array(struct reader *r, size_t size,
                       bool (*one)(struct reader *r, void *to, uint32_t index), void *out,
                       uint32_t *n);

/* A view into the text where it has no escapes, else an arena copy. Bytes over 0x7f pass as they
 * are. */
bool gate_reader_string(struct reader *r, struct gate_str *out);
bool gate_reader_integer(struct reader *r, int64_t min, int64_t max, int64_t *out);

/* Skips white space and tells the next byte; 0 at the end. */
char gate_reader_peek(struct reader *r);

/* Takes this byte when it is the next one. */
bool gate_reader_take(struct reader *r, char c);

/* The word `null`; false, with nothing read, when it is not there. */
bool gate_reader_null(struct reader *r);

/* Member readers for tables of fields. Each fits the member's type. */
bool gate_field_str(struct reader *r, const struct field *f, void *to);     /* struct gate_str */
bool gate_field_bool(struct reader *r, const struct field *f, void *to);    /* bool */
bool gate_field_int(struct reader *r, const struct field *f, void *to);     /* int, int32_t */
bool gate_field_u32(struct reader *r, const struct field *f, void *to);     /* uint32_t */
bool gate_field_i64(struct reader *r, const struct field *f, void *to);     /* int64_t, uint64_t */
bool gate_field_choice(struct reader *r, const struct field *f, void *to);  /* int, enum */
bool gate_field_choice8(struct reader *r, const struct field *f, void *to); /* bool, uint8_t */
bool gate_field_cidrs(struct reader *r, const struct field *f, void *to); /* struct gate_cidr_set */
bool gate_field_timeouts(struct reader *r, const struct field *f, void *to);
bool gate_field_hooks(struct reader *r, const struct field *f, void *to); /* mask, uint32_t */

/* A listener's TLS, allocated: const struct gate_tls_config *. */
bool gate_field_tls(struct reader *r, const struct field *f, void *to);

/* An upstream's, allocated: const struct gate_tls_client_config *. */
bool gate_field_tls_client(struct reader *r, const struct field *f, void *to);

/* A list of strings, and of ordinals. */
bool gate_reader_strings(struct reader *r, const struct gate_str **out, uint32_t *n);
bool gate_reader_ordinals(struct reader *r, const uint32_t **out, uint32_t *n);

/* Sections; each reads the value of its key. */
bool gate_config_read_process(struct reader *r, const struct field *f, void *to);
bool gate_config_read_limits(struct reader *r, const struct field *f, void *to);
bool gate_config_read_listeners(struct reader *r, const struct field *f, void *config);
bool gate_config_read_upstreams(struct reader *r, const struct field *f, void *config);
bool gate_config_read_policies(struct reader *r, const struct field *f, void *config);
bool gate_config_read_global(struct reader *r, const struct field *f, void *config);
bool gate_config_read_routes(struct reader *r, const struct field *f, void *config);
bool gate_config_read_timers(struct reader *r, const struct field *f, void *config);
bool gate_config_read_shared(struct reader *r, const struct field *f, void *config);

/* Defaults of what the text leaves out. */
void gate_config_default(struct gate_config *c);

/* Ties routes to upstreams and policies, once all is read. Until then a route's `upstream` is an
 * index into reader->names. */
bool gate_config_tie(struct reader *r, struct gate_config *c);

#endif
