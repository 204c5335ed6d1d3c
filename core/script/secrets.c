#include "script/secrets.h"

#include <string.h>

#include "base/mem.h"

#define SHORT_VALUE 6

void gate_secrets_add(struct gate_secrets *s, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    for (uint32_t i = 0; i < s->n; i++) {
        if (strcmp(s->v[i].name, name) == 0)
            return;
    }
    s->v = gate_realloc(s->v, (s->n + 1) * sizeof(*s->v));
    s->v[s->n++] = (struct gate_secret){gate_strndup(name, strlen(name)),
                                        gate_strndup(value, strlen(value))};
}

static bool is_quoted(struct gate_str text, size_t at, size_t n)
{
    if (at == 0 && n == text.n)
        return true;
    return at > 0 && at + n < text.n && text.p[at - 1] == '\'' && text.p[at + n] == '\'';
}

/* The longest value that stands at this place, or NULL. */
static const struct gate_secret *secret_at(const struct gate_secrets *s, struct gate_str text,
                                           size_t at)
{
    const struct gate_secret *found = NULL;
    size_t longest = 0;

    for (uint32_t i = 0; i < s->n; i++) {
        size_t n = strlen(s->v[i].value);

        if (n <= longest || n > text.n - at || memcmp(text.p + at, s->v[i].value, n) != 0)
            continue;
        if (n < SHORT_VALUE && !is_quoted(text, at, n))
            continue;
        found = &s->v[i];
        longest = n;
    }
    return found;
}

void gate_secrets_hide(const struct gate_secrets *s, struct gate_str text, struct gate_out *to)
{
    size_t at = 0;

    while (at < text.n && !to->full) {
        const struct gate_secret *found = secret_at(s, text, at);

        if (found == NULL) {
            gate_out_char(to, text.p[at++]);
            continue;
        }
        GATE_OUT_LIT(to, "[env ");
        gate_out_str(to, gate_str_from_cstr(found->name));
        GATE_OUT_LIT(to, "]");
        at += strlen(found->value);
    }
}

void gate_secrets_fini(struct gate_secrets *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        gate_free(s->v[i].name);
        gate_free(s->v[i].value);
    }
    gate_free(s->v);
    *s = (struct gate_secrets){NULL, 0};
}
