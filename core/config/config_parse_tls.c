/* TLS: what listeners and upstreams say of it. */
#include "config/config_int.h"

static const char *const versions[] = {"1.2", "1.3", NULL};

static bool read_names(struct reader *r, const struct field *f, void *to)
{
    struct gate_certificate_config *c = to;

    (void)f;
    return gate_reader_strings(r, &c->names, &c->n_names);
}

static bool one_certificate(struct reader *r, void *to, uint32_t index)
{
#define MEMBER(key, read, member)                                                                  \
    {                                                                                              \
        key, read, offsetof(struct gate_certificate_config, member), 0, 0, NULL                    \
    }
    static const struct field fields[] = {
        MEMBER("cert", gate_field_str, cert),
        MEMBER("fallback", gate_field_bool, fallback),
        MEMBER("key", gate_field_str, key),
        {"names", read_names, 0, 0, 0, NULL},
        MEMBER("ocsp", gate_field_str, ocsp),
    };
#undef MEMBER
    static const struct field_table table = FIELD_TABLE(fields);
    const struct gate_certificate_config *c = to;

    (void)index;
    if (!gate_reader_object(r, &table, to))
        return false;
    return (c->cert.n > 0 && c->key.n > 0) ||
           gate_reader_fail(r, "a certificate without file or key");
}

static bool read_certificates(struct reader *r, const struct field *f, void *to)
{
    struct gate_tls_config *t = to;

    (void)f;
    return gate_reader_array(r, sizeof(*t->certificates), one_certificate, &t->certificates,
                             &t->n_certificates);
}

bool gate_field_tls(struct reader *r, const struct field *f, void *to)
{
#define MEMBER(key, read, member, names)                                                           \
    {                                                                                              \
        key, read, offsetof(struct gate_tls_config, member), 0, 0, names                           \
    }
    static const char *const modes[] = {"none", "request", "require", NULL};
    static const struct field fields[] = {
        {"certificates", read_certificates, 0, 0, 0, NULL},
        MEMBER("client_auth", gate_field_choice, client_auth, modes),
        MEMBER("client_ca", gate_field_str, client_ca, NULL),
        MEMBER("min_version", gate_field_choice, min_version, versions),
    };
#undef MEMBER
    static const struct field_table table = FIELD_TABLE(fields);
    struct gate_tls_config *t = gate_arena_zalloc(r->arena, sizeof(*t));

    (void)f;
    if (!gate_reader_object(r, &table, t))
        return false;
    *(const struct gate_tls_config **)to = t;
    return t->n_certificates > 0 || gate_reader_fail(r, "TLS without a certificate");
}

static bool read_alpn(struct reader *r, const struct field *f, void *to)
{
    struct gate_tls_client_config *t = to;

    (void)f;
    if (!gate_reader_strings(r, &t->alpn, &t->n_alpn))
        return false;
    for (uint32_t i = 0; i < t->n_alpn; i++) {
        if (t->alpn[i].n == 0 || t->alpn[i].n > UINT8_MAX)
            return gate_reader_fail(r, "a protocol has 1 to 255 bytes");
    }
    return true;
}

bool gate_field_tls_client(struct reader *r, const struct field *f, void *to)
{
#define MEMBER(key, read, member, names)                                                           \
    {                                                                                              \
        key, read, offsetof(struct gate_tls_client_config, member), 0, 0, names                    \
    }
    static const struct field fields[] = {
        {"alpn", read_alpn, 0, 0, 0, NULL},
        MEMBER("ca", gate_field_str, ca, NULL),
        MEMBER("cert", gate_field_str, cert, NULL),
        MEMBER("key", gate_field_str, key, NULL),
        MEMBER("min_version", gate_field_choice, min_version, versions),
        MEMBER("server_name", gate_field_str, server_name, NULL),
        MEMBER("verify", gate_field_bool, verify, NULL),
    };
#undef MEMBER
    static const struct field_table table = FIELD_TABLE(fields);
    struct gate_tls_client_config *t = gate_arena_zalloc(r->arena, sizeof(*t));

    (void)f;
    t->verify = true;
    if (!gate_reader_object(r, &table, t))
        return false;
    *(const struct gate_tls_client_config **)to = t;
    return (t->cert.n > 0) == (t->key.n > 0) ||
           gate_reader_fail(r, "a certificate without key, or a key without certificate");
}
