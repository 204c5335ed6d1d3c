/* A listener's client-facing options, copied so that sessions may outlive the generation that
 * declared them. */
#include "base/mem.h"
#include "session/session.h"

struct gate_listener *gate_listener_new(const struct gate_listener_config *config,
                                        struct gate_tls_server *tls)
{
    struct gate_listener *l = gate_calloc(1, sizeof(*l));
    struct gate_cidr *trust = gate_calloc(config->trust.n + 1, sizeof(*trust));

    if (config->trust.n > 0)
        memcpy(trust, config->trust.v, config->trust.n * sizeof(*trust));
    l->refs = 1;
    l->text = gate_str_of(gate_strndup(config->text.p, config->text.n), config->text.n);
    l->trust = (struct gate_cidr_set){trust, config->trust.n};
    l->half_close = config->half_close;
    l->https = tls != NULL;
    if (tls != NULL)
        l->tls = gate_tls_server_ref(tls);
    l->proxy_protocol = config->proxy_protocol;
    l->http2 = config->http2;
    return l;
}

void gate_listener_unref(struct gate_listener **l)
{
    struct gate_listener *x = *l;

    *l = NULL;
    if (x == NULL || --x->refs > 0)
        return;
    gate_tls_server_unref(&x->tls);
    gate_free((void *)(uintptr_t)x->text.p);
    gate_free((void *)(uintptr_t)x->trust.v);
    gate_free(x);
}
