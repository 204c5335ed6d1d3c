/* Client certificates: asked for, demanded, and what is told of them. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "tls/tls_int.h"

static enum gate_err add_authorities(struct gate_client_auth *a, BIO *bio)
{
    X509 *x;
    int n = 0;

    while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        n++;
        X509_STORE_add_cert(a->store, x);
        sk_X509_NAME_push(a->names, X509_NAME_dup(X509_get_subject_name(x)));
        X509_free(x);
    }
    return n > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ? GATE_OK
                                                                                 : GATE_E_INVALID;
}

enum gate_err gate_client_auth_load(struct gate_client_auth *a,
                                    const struct gate_tls_config *config,
                                    const struct gate_tls_files *files, char *why, size_t cap)
{
    struct gate_pem f;
    enum gate_err err;

    a->mode = config->client_auth;
    if (a->mode == GATE_CLIENT_AUTH_NONE)
        return GATE_OK;
    err = gate_pem_open(&f, config->client_ca, "authorities of clients", files, why, cap);
    if (err != GATE_OK)
        return GATE_E_INVALID;
    a->hash = f.hash;
    a->store = X509_STORE_new();
    a->names = sk_X509_NAME_new_null();
    GATE_ASSERT(a->store != NULL && a->names != NULL);
    err = add_authorities(a, f.bio);
    gate_pem_close(&f);
    if (err != GATE_OK)
        gate_tls_explain(why, cap, "there is no whole list of certificates in %.*s",
                         (int)config->client_ca.n, config->client_ca.p);
    ERR_clear_error();
    return err;
}

void gate_client_auth_fini(struct gate_client_auth *a)
{
    X509_STORE_free(a->store);
    sk_X509_NAME_pop_free(a->names, X509_NAME_free);
}

/* Who is only asked may go on with a bad one; what it is worth is told afterwards. */
static int let_pass(int good, X509_STORE_CTX *x)
{
    (void)good, (void)x;
    return 1;
}

void gate_client_auth_use(const struct gate_client_auth *a, SSL_CTX *ctx)
{
    if (a->mode == GATE_CLIENT_AUTH_NONE)
        return;
    SSL_CTX_set1_verify_cert_store(ctx, a->store);
    SSL_CTX_set_client_CA_list(ctx, sk_X509_NAME_deep_copy(a->names, X509_NAME_dup,
                                                           X509_NAME_free));
    if (a->mode == GATE_CLIENT_AUTH_REQUIRE)
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    else
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, let_pass);
}

/* "CN=x,O=y": what is not printable is escaped. */
static struct gate_str subject_of(X509 *x)
{
    BIO *bio = BIO_new(BIO_s_mem());
    struct gate_str text = GATE_STR_NONE;
    char *p;
    long n;

    GATE_ASSERT(bio != NULL);
    X509_NAME_print_ex(bio, X509_get_subject_name(x), 0, XN_FLAG_RFC2253);
    n = BIO_get_mem_data(bio, &p);
    if (n > 0) {
        char *copy = gate_alloc((size_t)n);

        memcpy(copy, p, (size_t)n);
        text = gate_str_of(copy, (size_t)n);
    }
    BIO_free(bio);
    return text;
}

static struct gate_str fingerprint_of(X509 *x)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    char *text;

    GATE_ASSERT(X509_digest(x, EVP_sha256(), digest, &n) == 1);
    text = gate_alloc(n * 2);
    for (unsigned int i = 0; i < n; i++) {
        text[2 * i] = hex[digest[i] >> 4];
        text[2 * i + 1] = hex[digest[i] & 15];
    }
    return gate_str_of(text, n * 2);
}

bool gate_client_auth_judge(SSL *ssl, struct gate_tls_info *info)
{
    X509 *x = SSL_get0_peer_certificate(ssl);
    bool must = (SSL_get_verify_mode(ssl) & SSL_VERIFY_FAIL_IF_NO_PEER_CERT) != 0;

    if (x == NULL)
        return !must;
    info->verified = SSL_get_verify_result(ssl) == X509_V_OK &&
                     X509_cmp_current_time(X509_get0_notAfter(x)) > 0;
    info->subject = subject_of(x);
    info->fingerprint = fingerprint_of(x);
    return info->verified || !must;
}
