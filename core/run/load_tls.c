/* The TLS of a load's listeners. */
#include "base/mem.h"
#include "run/load.h"

static char *tls_path(void *bundle, struct gate_str name)
{
    return gate_bundle_beside(bundle, name);
}

/* "gateway.lua:3" to the file and the line. */
static uint32_t split_place(struct gate_str at, struct gate_str *file)
{
    size_t n = at.n;
    uint64_t line = 0;

    while (n > 0 && at.p[n - 1] != ':')
        n--;
    *file = at;
    if (n > 1 && gate_str_to_u64(gate_str_of(at.p + n, at.n - n), &line))
        file->n = n - 1;
    return (uint32_t)line;
}

static void note_tls_fault(struct gate_load_errors *errors, struct gate_str at, const char *why)
{
    char text[600];
    struct gate_str file;
    uint32_t line = split_place(at, &file);

    snprintf(text, sizeof(text), "'tls': %s", why);
    gate_load_errors_add(errors, file, line, text);
}

/* Takes over those that serve, when the listeners are the same. */
static bool keep_tls(const struct gate_load_tools *t, struct gate_loaded *l)
{
    if (t->renews == NULL || !gate_str_eq(t->renews->config->text, l->config->text))
        return false;
    for (uint32_t i = 0; i < l->config->n_listeners; i++)
        l->tls[i] = t->tls[i] == NULL ? NULL : gate_tls_server_ref(t->tls[i]);
    return true;
}

enum gate_err gate_load_tls(const struct gate_load_tools *t, struct gate_loaded *l,
                            struct gate_load_errors *errors)
{
    const struct gate_tls_files files = {tls_path, t->bundle, gate_bundle_dir(t->bundle)};
    const struct gate_config *c = l->config;
    enum gate_err result = GATE_OK;
    char why[512];

    l->tls = gate_calloc(c->n_listeners + 1, sizeof(struct gate_tls_server *));
    if (keep_tls(t, l))
        return GATE_OK;
    for (uint32_t i = 0; i < c->n_listeners; i++) {
        enum gate_err err;

        if (c->listeners[i].tls == NULL)
            continue;
        err = gate_tls_server_new(c->listeners[i].tls, &files, t->tickets, &l->tls[i], why,
                                  sizeof(why));
        if (err == GATE_OK && c->listeners[i].http2)
            gate_tls_server_offer_http2(l->tls[i]);
        if (err != GATE_OK) {
            note_tls_fault(errors, c->listeners[i].at, why);
            result = err;
        }
    }
    return result;
}

void gate_load_tls_free(struct gate_tls_server ***tls, const struct gate_config *config)
{
    struct gate_tls_server **v = *tls;

    *tls = NULL;
    if (v == NULL)
        return;
    for (uint32_t i = 0; i < config->n_listeners; i++)
        gate_tls_server_unref(&v[i]);
    gate_free(v);
}

uint64_t gate_load_tls_hash(struct gate_tls_server *const *tls, const struct gate_config *config)
{
    uint64_t hash = 0;

    for (uint32_t i = 0; i < config->n_listeners; i++)
        hash = hash * 31 + (tls[i] == NULL ? 1 : gate_tls_server_hash(tls[i]));
    return hash;
}
