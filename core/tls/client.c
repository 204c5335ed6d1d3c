#include "tls/client.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "tls/tls_int.h"

#define ID_BYTES 32

struct gate_tls_client {
    _Atomic uint32_t refs;
    SSL_CTX *ctx;
    BIO_METHOD *bio;
    struct gate_certificate *certificate;   /* NULL: none */
    bool verify;
    char *server_name;                      /* owned; "": each server's own */
    struct gate_str alpn;                   /* as on the wire; owned */
    unsigned char id[ID_BYTES];             /* a digest of all that makes the identity */
};

/* Making */

static enum gate_err load_authorities(struct gate_tls_client *c,
                                      const struct gate_tls_client_config *config,
                                      const struct gate_tls_files *files,
                                      struct gate_tls_system *system, uint64_t *hash, char *why,
                                      size_t cap)
{
    struct gate_authorities *own = NULL;
    enum gate_err err;

    if (!config->verify)
        return GATE_OK;
    if (config->ca.n > 0)
        err = gate_authorities_load(config->ca, "authorities of servers", files, &own, why, cap);
    else
        err = gate_authorities_system(system, files, why, cap);
    if (err != GATE_OK)
        return err;
    *hash = own != NULL ? own->hash : system->read->hash;
    SSL_CTX_set1_verify_cert_store(c->ctx, own != NULL ? own->store : system->read->store);
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
    /* Whom a file names is believed, a root or not. */
    if (own != NULL)
        X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(c->ctx), X509_V_FLAG_PARTIAL_CHAIN);
    gate_authorities_free(&own);
    return GATE_OK;
}

static enum gate_err load_certificate(struct gate_tls_client *c,
                                      const struct gate_tls_client_config *config,
                                      const struct gate_tls_files *files, uint64_t *hash, char *why,
                                      size_t cap)
{
    const struct gate_certificate_config pair = {.cert = config->cert, .key = config->key};
    enum gate_err err;

    if (config->cert.n == 0)
        return GATE_OK;
    err = gate_certificate_load(&pair, files, &c->certificate, why, cap);
    if (err != GATE_OK)
        return err;
    *hash = c->certificate->hash;
    if (SSL_CTX_use_cert_and_key(c->ctx, c->certificate->leaf, c->certificate->key,
                                 c->certificate->chain, 1) == 1)
        return GATE_OK;
    gate_tls_explain(why, cap, "the certificate %.*s cannot be used", (int)c->certificate->file.n,
                     c->certificate->file.p);
    return GATE_E_INVALID;
}

/* A list of names, each behind its length (RFC 7301). */
static void offer(struct gate_tls_client *c, const struct gate_tls_client_config *config)
{
    size_t n = 0;
    char *to;

    for (uint32_t i = 0; i < config->n_alpn; i++)
        n += 1 + config->alpn[i].n;
    to = gate_alloc(n + 1);
    c->alpn = gate_str_of(to, n);
    for (uint32_t i = 0; i < config->n_alpn; i++) {
        *to++ = (char)config->alpn[i].n;
        memcpy(to, config->alpn[i].p, config->alpn[i].n);
        to += config->alpn[i].n;
    }
    if (n > 0)
        GATE_ASSERT(SSL_CTX_set_alpn_protos(c->ctx, (const unsigned char *)c->alpn.p,
                                            (unsigned int)n) == 0);
}

/* A session is resumed by the identity that began it, or OpenSSL refuses. */
static void identify(struct gate_tls_client *c, const struct gate_tls_client_config *config,
                     const uint64_t hashes[2])
{
    const uint64_t numbers[] = {config->verify, (uint64_t)config->min_version, hashes[0],
                                hashes[1], config->server_name.n};
    EVP_MD_CTX *digest = EVP_MD_CTX_new();

    GATE_ASSERT(digest != NULL && EVP_DigestInit_ex2(digest, EVP_sha256(), NULL) == 1);
    EVP_DigestUpdate(digest, numbers, sizeof(numbers));
    EVP_DigestUpdate(digest, c->server_name, config->server_name.n);
    EVP_DigestUpdate(digest, c->alpn.p, c->alpn.n);
    EVP_DigestFinal_ex(digest, c->id, NULL);
    EVP_MD_CTX_free(digest);
    SSL_CTX_set_session_id_context(c->ctx, c->id, sizeof(c->id));
}

/* OpenSSL keeps none by itself: they would be anybody's. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct gate_tls *tls = gate_tls_of_ssl(ssl);

    tls->heard = true;
    if (tls->sessions == NULL)
        return 0;
    gate_tls_sessions_keep(tls->sessions, session);
    return 1;
}

static enum gate_err configure(struct gate_tls_client *c, int min_version, char *why, size_t cap)
{
    if (!gate_tls_context_common(c->ctx, min_version)) {
        gate_tls_explain(why, cap, "this OpenSSL does not have what TLS needs here");
        return GATE_E_INVALID;
    }
    SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c->ctx, on_session);
    /* Names are those of the extension, as whole labels (RFC 9525 section 6). */
    X509_VERIFY_PARAM_set_hostflags(
        SSL_CTX_get0_param(c->ctx),
        X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return GATE_OK;
}

enum gate_err gate_tls_client_new(const struct gate_tls_client_config *config,
                                  const struct gate_tls_files *files,
                                  struct gate_tls_system *system, struct gate_tls_client **out,
                                  char *why, size_t why_cap)
{
    struct gate_tls_client *c = gate_calloc(1, sizeof(*c));
    uint64_t hashes[2] = {0, 0};
    enum gate_err err;

    atomic_init(&c->refs, 1);
    ERR_clear_error();
    c->ctx = SSL_CTX_new(TLS_client_method());
    GATE_ASSERT(c->ctx != NULL);
    c->bio = gate_tls_bio_method();
    c->verify = config->verify;
    c->server_name = config->server_name.n == 0
                         ? gate_strdup("")
                         : gate_strndup(config->server_name.p, config->server_name.n);
    err = configure(c, config->min_version, why, why_cap);
    if (err == GATE_OK)
        err = load_authorities(c, config, files, system, &hashes[0], why, why_cap);
    if (err == GATE_OK)
        err = load_certificate(c, config, files, &hashes[1], why, why_cap);
    if (err != GATE_OK) {
        gate_tls_client_unref(&c);
        return err;
    }
    offer(c, config);
    identify(c, config, hashes);
    *out = c;
    return GATE_OK;
}

struct gate_tls_client *gate_tls_client_ref(struct gate_tls_client *c)
{
    if (c != NULL)
        atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void gate_tls_client_unref(struct gate_tls_client **client)
{
    struct gate_tls_client *c = *client;

    *client = NULL;
    if (c == NULL || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) > 1)
        return;
    SSL_CTX_free(c->ctx);
    gate_certificate_free(&c->certificate);
    gate_free(c->server_name);
    gate_free((char *)c->alpn.p);
    BIO_meth_free(c->bio);
    gate_free(c);
}

/* Asking */

bool gate_tls_client_same(const struct gate_tls_client *a, const struct gate_tls_client *b)
{
    if (a == b || a == NULL || b == NULL)
        return a == b;
    return memcmp(a->id, b->id, sizeof(a->id)) == 0;
}

uint64_t gate_tls_client_hash(const struct gate_tls_client *c)
{
    uint64_t hash;

    memcpy(&hash, c->id, sizeof(hash));
    return hash;
}

void gate_tls_client_each(const struct gate_tls_client *c,
                          void (*fn)(void *arg, const struct gate_tls_term *term), void *arg)
{
    if (c->certificate != NULL)
        fn(arg, &(struct gate_tls_term){c->certificate->file, c->certificate->ends_s, 0});
}

SSL_CTX *gate_tls_client_context(const struct gate_tls_client *c)
{
    return c->ctx;
}

const BIO_METHOD *gate_tls_client_bio(const struct gate_tls_client *c)
{
    return c->bio;
}

bool gate_tls_client_verifies(const struct gate_tls_client *c)
{
    return c->verify;
}

const char *gate_tls_client_name(const struct gate_tls_client *c)
{
    return c->server_name;
}

bool gate_tls_client_offers(const struct gate_tls_client *c, struct gate_str protocol)
{
    for (size_t at = 0; at < c->alpn.n; at += 1 + (unsigned char)c->alpn.p[at]) {
        if (gate_str_eq(gate_str_of(c->alpn.p + at + 1, (unsigned char)c->alpn.p[at]), protocol))
            return true;
    }
    return false;
}
