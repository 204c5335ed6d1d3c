#include "admin/members.h"

struct reader {
    const char *p;
    const char *end;
};

static void skip_space(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
        r->p++;
}

static bool take(struct reader *r, char c)
{
    skip_space(r);
    if (r->p == r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

/* What \u stands for; of ASCII alone, which names, URLs and conditions are made of. 0: nothing. */
static char unicode(struct reader *r)
{
    static const char digits[] = "0123456789abcdef";
    unsigned v = 0;

    if (r->end - r->p < 4)
        return '\0';
    for (int i = 0; i < 4; i++) {
        char c = gate_lower(*r->p++);
        const char *at = c == '\0' ? NULL : strchr(digits, c);

        if (at == NULL)
            return '\0';
        v = v * 16 + (unsigned)(at - digits);
    }
    return v < 0x80 ? (char)v : '\0';
}

/* The character behind a backslash; 0: there is no such escape. */
static char escaped(struct reader *r)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    const char *at;
    char c;

    if (r->p == r->end)
        return '\0';
    c = *r->p++;
    if (c == 'u')
        return unicode(r);
    at = c == '\0' ? NULL : strchr(from, c);
    return at == NULL ? '\0' : to[at - from];
}

static bool read_string(struct reader *r, char *to, size_t cap)
{
    size_t n = 0;

    if (!take(r, '"'))
        return false;
    while (r->p < r->end && *r->p != '"') {
        char c = *r->p++;

        if (c >= 0 && c < ' ')
            return false;
        if (c == '\\')
            c = escaped(r);
        if (c == '\0' || n + 1 >= cap)
            return false;
        to[n++] = c;
    }
    to[n] = '\0';
    return take(r, '"');
}

static bool read_number(struct reader *r, uint64_t *to)
{
    const char *begin;

    skip_space(r);
    begin = r->p;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
        r->p++;
    return gate_str_to_u64(gate_str_of(begin, (size_t)(r->p - begin)), to);
}

static bool read_member(struct reader *r, struct gate_member *list, size_t n)
{
    struct gate_member *m = NULL;
    char name[32];

    if (!read_string(r, name, sizeof(name)) || !take(r, ':'))
        return false;
    for (size_t i = 0; i < n && m == NULL; i++) {
        if (strcmp(list[i].name, name) == 0)
            m = &list[i];
    }
    if (m == NULL || m->given)
        return false;
    m->given = true;
    return m->text == NULL ? read_number(r, &m->number) : read_string(r, m->text, m->cap);
}

bool gate_members_read(struct gate_str json, struct gate_member *list, size_t n)
{
    struct reader r = { json.p, json.p + json.n };

    if (!take(&r, '{'))
        return false;
    if (!take(&r, '}')) {
        do {
            if (!read_member(&r, list, n))
                return false;
        } while (take(&r, ','));
        if (!take(&r, '}'))
            return false;
    }
    skip_space(&r);
    return r.p == r.end;
}
