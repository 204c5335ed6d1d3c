/* The TLS of a load: to the clients of its listeners, and to the servers of its upstreams. */
#include "base/mem.h"
#include "run/load.h"

static char *tls_path(void *bundle, struct gate_str name)
{
    return gate_bundle_beside(bundle, name);
}

static void tls_keep(void *bundle, struct gate_str name, struct gate_str bytes)
{
    gate_bundle_keep_beside(bundle, name, bytes);
}

static bool tls_kept(void *bundle, struct gate_str name, struct gate_str *bytes)
{
    return gate_bundle_kept_beside(bundle, name, bytes);
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

static enum gate_err load_servers(const struct gate_load_tools *t, struct gate_loaded *l,
                                  const struct gate_tls_files *files,
                                  struct gate_load_errors *errors)
{
    const struct gate_config *c = l->config;
    enum gate_err result = GATE_OK;
    char why[512];

    for (uint32_t i = 0; i < c->n_listeners; i++) {
        enum gate_err err;

        if (c->listeners[i].tls == NULL)
            continue;
        err = gate_tls_server_new(c->listeners[i].tls, files, t->tickets, &l->tls[i], why,
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

static bool same_client(const struct gate_tls_client_config *a,
                        const struct gate_tls_client_config *b)
{
    if (a->verify != b->verify || a->min_version != b->min_version || a->n_alpn != b->n_alpn ||
        !gate_str_eq(a->ca, b->ca) || !gate_str_eq(a->cert, b->cert) ||
        !gate_str_eq(a->key, b->key) || !gate_str_eq(a->server_name, b->server_name))
        return false;
    for (uint32_t i = 0; i < a->n_alpn; i++) {
        if (!gate_str_eq(a->alpn[i], b->alpn[i]))
            return false;
    }
    return true;
}

/* Many upstreams say the same of TLS: they share what is made of it. NULL: nobody said this yet. */
static struct gate_tls_client *find_client(const struct gate_loaded *l, uint32_t upstream)
{
    const struct gate_upstream_config *v = l->config->upstreams;

    for (uint32_t i = 0; i < upstream; i++) {
        if (l->clients[i] != NULL && same_client(v[i].tls, v[upstream].tls))
            return gate_tls_client_ref(l->clients[i]);
    }
    return NULL;
}

static enum gate_err load_clients(struct gate_loaded *l, const struct gate_tls_files *files,
                                  struct gate_load_errors *errors)
{
    const struct gate_config *c = l->config;
    struct gate_tls_system system = {NULL};
    enum gate_err result = GATE_OK;
    char why[512];

    for (uint32_t i = 0; i < c->n_upstreams; i++) {
        enum gate_err err = GATE_OK;

        if (c->upstreams[i].tls == NULL)
            continue;
        l->clients[i] = find_client(l, i);
        if (l->clients[i] == NULL)
            err = gate_tls_client_new(c->upstreams[i].tls, files, &system, &l->clients[i], why,
                                      sizeof(why));
        if (err != GATE_OK) {
            note_tls_fault(errors, c->upstreams[i].at, why);
            result = err;
        }
    }
    gate_tls_system_fini(&system);
    return result;
}

/* Takes over those that serve, when what asks for them is the same. */
static bool keep(const struct gate_load_tools *t, struct gate_loaded *l)
{
    const struct gate_config *c = l->config;

    if (t->renews == NULL || !gate_str_eq(t->renews->config->text, c->text))
        return false;
    for (uint32_t i = 0; i < c->n_listeners; i++)
        l->tls[i] = t->tls[i] == NULL ? NULL : gate_tls_server_ref(t->tls[i]);
    for (uint32_t i = 0; t->renews->clients != NULL && i < c->n_upstreams; i++)
        l->clients[i] = gate_tls_client_ref(t->renews->clients[i]);
    return true;
}

enum gate_err gate_load_tls(const struct gate_load_tools *t, struct gate_loaded *l,
                            struct gate_load_errors *errors)
{
    const struct gate_tls_files files = {
        .path = tls_path,
        .arg = t->bundle,
        .dir = gate_bundle_dir(t->bundle),
        .keep = t->keep ? tls_keep : NULL,
        .kept = t->kept ? tls_kept : NULL,
    };
    enum gate_err servers, clients;

    l->tls = gate_calloc(l->config->n_listeners + 1, sizeof(struct gate_tls_server *));
    l->clients = gate_calloc(l->config->n_upstreams + 1, sizeof(struct gate_tls_client *));
    if (keep(t, l))
        return GATE_OK;
    servers = load_servers(t, l, &files, errors);
    clients = load_clients(l, &files, errors);
    return servers != GATE_OK ? servers : clients;
}

void gate_load_tls_free(struct gate_tls_server ***tls, struct gate_tls_client ***clients,
                        const struct gate_config *config)
{
    for (uint32_t i = 0; *tls != NULL && i < config->n_listeners; i++)
        gate_tls_server_unref(&(*tls)[i]);
    for (uint32_t i = 0; *clients != NULL && i < config->n_upstreams; i++)
        gate_tls_client_unref(&(*clients)[i]);
    gate_free(*tls);
    gate_free(*clients);
    *tls = NULL;
    *clients = NULL;
}

uint64_t gate_load_tls_hash(struct gate_tls_server *const *tls,
                            struct gate_tls_client *const *clients,
                            const struct gate_config *config)
{
    uint64_t hash = 0;

    for (uint32_t i = 0; i < config->n_listeners; i++)
        hash = hash * 31 + (tls[i] == NULL ? 1 : gate_tls_server_hash(tls[i]));
    for (uint32_t i = 0; i < config->n_upstreams; i++)
        hash = hash * 31 + (clients[i] == NULL ? 1 : gate_tls_client_hash(clients[i]));
    return hash;
}
