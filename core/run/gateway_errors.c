/* Errors of a load as the program sees them: one block, with its texts behind the list. */
#include <string.h>

#include "base/mem.h"
#include "run/gateway_int.h"

struct gate_errors {
    size_t n;
    struct gate_error v[];
};

static size_t text_size(const struct gate_load_error *e)
{
    return e->file.n + e->pointer.n + e->name.n + e->expected.n + e->nearest.n + e->message.n + 6;
}

static const char *put(char **at, struct gate_str s)
{
    char *to = *at;

    if (s.n > 0)
        memcpy(to, s.p, s.n);
    to[s.n] = '\0';
    *at += s.n + 1;
    return to;
}

struct gate_errors *gate_gateway_errors(const struct gate_load_errors *from)
{
    size_t size = sizeof(struct gate_errors) + from->n * sizeof(struct gate_error);
    size_t texts = 0;
    struct gate_errors *to;
    char *at;

    for (uint32_t i = 0; i < from->n; i++)
        texts += text_size(&from->v[i]);
    to = gate_alloc(size + texts);
    to->n = from->n;
    at = (char *)to + size;
    for (uint32_t i = 0; i < from->n; i++) {
        const struct gate_load_error *e = &from->v[i];

        to->v[i].file = put(&at, e->file);
        to->v[i].line = e->line;
        to->v[i].pointer = put(&at, e->pointer);
        to->v[i].name = put(&at, e->name);
        to->v[i].expected = put(&at, e->expected);
        to->v[i].nearest = put(&at, e->nearest);
        to->v[i].message = put(&at, e->message);
    }
    return to;
}

struct gate_errors *gate_gateway_error(const char *message)
{
    struct gate_load_error one = { .message = gate_str_from_cstr(message) };
    const struct gate_load_errors list = { .v = &one, .n = 1 };

    return gate_gateway_errors(&list);
}

void gate_gateway_give_errors(struct gate_errors *list, struct gate_errors **to)
{
    if (to != NULL)
        *to = list;
    else
        gate_errors_free(&list);
}

size_t gate_errors_count(const struct gate_errors *errors)
{
    return errors == NULL ? 0 : errors->n;
}

const struct gate_error *gate_errors_at(const struct gate_errors *errors, size_t i)
{
    return errors != NULL && i < errors->n ? &errors->v[i] : NULL;
}

void gate_errors_free(struct gate_errors **errors)
{
    gate_free(*errors);
    *errors = NULL;
}
