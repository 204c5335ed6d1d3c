/* Members of objects: one reader a type, named by the tables of fields. */
#include "config/config_int.h"

bool gate_field_str(struct reader *r, const struct field *f, void *to)
{
    (void)f;
    return gate_reader_string(r, to);
}

bool gate_field_bool(struct reader *r, const struct field *f, void *to)
{
    bool *b = to;

    (void)f;
    switch (gate_reader_peek(r)) {
    case 't':
        *b = true;
        break;
    case 'f':
        *b = false;
        break;
    default:
        return gate_reader_fail(r, "expected true or false");
    }
    if ((size_t)(r->end - r->p) < 5u - *b || memcmp(r->p, *b ? "true" : "false", 5u - *b) != 0)
        return gate_reader_fail(r, "expected true or false");
    r->p += 5u - *b;
    return true;
}

bool gate_field_int(struct reader *r, const struct field *f, void *to)
{
    int64_t v;

    if (!gate_reader_integer(r, f->min, f->max, &v))
        return false;
    *(int *)to = (int)v;
    return true;
}

bool gate_field_u32(struct reader *r, const struct field *f, void *to)
{
    int64_t v;

    if (!gate_reader_integer(r, f->min, f->max, &v))
        return false;
    *(uint32_t *)to = (uint32_t)v;
    return true;
}

bool gate_field_i64(struct reader *r, const struct field *f, void *to)
{
    return gate_reader_integer(r, f->min, f->max, to);
}

/* Index of the name; -1 with a fault noted. */
static int choose(struct reader *r, const struct field *f)
{
    struct gate_str s;

    if (!gate_reader_string(r, &s))
        return -1;
    for (int i = 0; f->names[i] != NULL; i++) {
        if (gate_str_eq(s, gate_str_from_cstr(f->names[i])))
            return i;
    }
    gate_reader_fail(r, "\"%.*s\" is no choice here", (int)(s.n > 64 ? 64 : s.n), s.p);
    return -1;
}

bool gate_field_choice(struct reader *r, const struct field *f, void *to)
{
    int i = choose(r, f);

    if (i < 0)
        return false;
    *(int *)to = i;
    return true;
}

bool gate_field_choice8(struct reader *r, const struct field *f, void *to)
{
    int i = choose(r, f);

    if (i < 0)
        return false;
    *(uint8_t *)to = (uint8_t)i;
    return true;
}

static bool one_string(struct reader *r, void *to, uint32_t index)
{
    (void)index;
    return gate_reader_string(r, to);
}

bool gate_reader_strings(struct reader *r, const struct gate_str **out, uint32_t *n)
{
    return gate_reader_array(r, sizeof(struct gate_str), one_string, out, n);
}

static bool one_ordinal(struct reader *r, void *to, uint32_t index)
{
    int64_t v;

    (void)index;
    if (!gate_reader_integer(r, 0, GATE_NO_ORDINAL - 1, &v))
        return false;
    *(uint32_t *)to = (uint32_t)v;
    return true;
}

bool gate_reader_ordinals(struct reader *r, const uint32_t **out, uint32_t *n)
{
    return gate_reader_array(r, sizeof(uint32_t), one_ordinal, out, n);
}

static bool one_cidr(struct reader *r, void *to, uint32_t index)
{
    struct gate_str s;

    (void)index;
    if (!gate_reader_string(r, &s))
        return false;
    if (gate_cidr_parse(s, to) != GATE_OK)
        return gate_reader_fail(r, "\"%.*s\" is no network", (int)(s.n > 64 ? 64 : s.n), s.p);
    return true;
}

bool gate_field_cidrs(struct reader *r, const struct field *f, void *to)
{
    struct gate_cidr_set *set = to;
    uint32_t n;

    (void)f;
    if (!gate_reader_array(r, sizeof(struct gate_cidr), one_cidr, &set->v, &n))
        return false;
    set->n = n;
    return true;
}

bool gate_field_timeouts(struct reader *r, const struct field *f, void *to)
{
#define TIMEOUT(name)                                                                              \
    {                                                                                              \
#name, gate_field_u32, offsetof(struct gate_timeouts, name), 0, UINT32_MAX - 1, NULL       \
    }
    static const struct field fields[] = {
        TIMEOUT(connect_ms), TIMEOUT(first_byte_ms), TIMEOUT(read_ms),
        TIMEOUT(send_ms),    TIMEOUT(total_ms),
    };
#undef TIMEOUT
    static const struct field_table table = FIELD_TABLE(fields);

    (void)f;
    return gate_reader_object(r, &table, to);
}

bool gate_field_hooks(struct reader *r, const struct field *f, void *to)
{
    const struct gate_str *names;
    uint32_t *mask = to;
    uint32_t n;

    (void)f;
    if (!gate_reader_strings(r, &names, &n))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        int h = 0;

        while (h < GATE_HOOK_COUNT &&
               !gate_str_eq(names[i], gate_str_from_cstr(gate_hook_name((enum gate_hook)h))))
            h++;
        if (h == GATE_HOOK_COUNT)
            return gate_reader_fail(r, "\"%.*s\" is no hook",
                                    (int)(names[i].n > 64 ? 64 : names[i].n), names[i].p);
        *mask |= 1u << h;
    }
    return true;
}
