#include "tls/pair.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "base/mem.h"
#include "tls/tls_int.h"

struct gate_tls_pair {
    struct gate_certificate *certificate;
};

static char *path_of(void *server, struct gate_str name)
{
    struct gate_str dir = gate_tls_server_dir(server);
    char *path = NULL;

    if (name.n > 0 && name.p[0] == '/')
        dir.n = 0;
    if (asprintf(&path, "%.*s%.*s", (int)dir.n, dir.n > 0 ? dir.p : "", (int)name.n, name.p) < 0)
        return NULL;
    return path;
}

enum gate_err gate_tls_pair_new(const struct gate_tls_server *server, struct gate_str cert,
                                struct gate_str key, struct gate_tls_pair **out, char *why,
                                size_t why_cap)
{
    const struct gate_tls_files files = {.path = path_of, .arg = (void *)server};
    const struct gate_certificate_config config = {.cert = cert, .key = key};
    struct gate_certificate *c;
    enum gate_err err = gate_certificate_load(&config, &files, &c, why, why_cap);

    if (err != GATE_OK)
        return err;
    *out = gate_calloc(1, sizeof(**out));
    (*out)->certificate = c;
    return GATE_OK;
}

void gate_tls_pair_free(struct gate_tls_pair **pair)
{
    struct gate_tls_pair *p = *pair;

    *pair = NULL;
    if (p == NULL)
        return;
    gate_certificate_free(&p->certificate);
    gate_free(p);
}

bool gate_tls_pair_use(const struct gate_tls_pair *p, SSL *ssl, const char *sni)
{
    const struct gate_certificate *c = p->certificate;
    static const char prefix[] = "certificate hook: ";
    unsigned char id[EVP_MAX_MD_SIZE];
    char text[sizeof(prefix) + GATE_TLS_NAME_CAP];
    unsigned int n = 0;
    int len = snprintf(text, sizeof(text), "%s%s", prefix, sni == NULL ? "" : sni);

    SSL_certs_clear(ssl);
    if (SSL_use_cert_and_key(ssl, c->leaf, c->key, c->chain, 1) != 1 ||
        EVP_Digest(text, (size_t)len, id, &n, EVP_sha256(), NULL) != 1) {
        ERR_clear_error();
        return false;
    }
    SSL_set_session_id_context(ssl, id, n);
    return true;
}
