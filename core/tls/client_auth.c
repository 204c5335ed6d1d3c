/* Client certificates: asked for, demanded, and what is told of them. */
#include <openssl/x509v3.h>

#include "base/assert.h"
#include "base/mem.h"
#include "tls/tls_int.h"

enum gate_err gate_client_auth_load(struct gate_client_auth *a,
                                    const struct gate_tls_config *config,
                                    const struct gate_tls_files *files, char *why, size_t cap)
{
    a->mode = config->client_auth;
    if (a->mode == GATE_CLIENT_AUTH_NONE)
        return GATE_OK;
    return gate_authorities_load(config->client_ca, "authorities of clients", files,
                                 &a->authorities, why, cap);
}

uint64_t gate_client_auth_hash(const struct gate_client_auth *a)
{
    return a->authorities == NULL ? 0 : a->authorities->hash;
}

void gate_client_auth_fini(struct gate_client_auth *a)
{
    gate_authorities_free(&a->authorities);
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
    SSL_CTX_set1_verify_cert_store(ctx, a->authorities->store);
    SSL_CTX_set_client_CA_list(ctx, sk_X509_NAME_deep_copy(a->authorities->names, X509_NAME_dup,
                                                           X509_NAME_free));
    if (a->mode == GATE_CLIENT_AUTH_REQUIRE)
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    else
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, let_pass);
}

static struct gate_str copy_of(const char *p, size_t n)
{
    char *copy = gate_alloc(n);

    memcpy(copy, p, n);
    return gate_str_of(copy, n);
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
    if (n > 0)
        text = copy_of(p, (size_t)n);
    BIO_free(bio);
    return text;
}

/* The last one, which is the most special. */
static struct gate_str common_name_of(X509 *x)
{
    X509_NAME *name = X509_get_subject_name(x);
    struct gate_str text = GATE_STR_NONE;
    unsigned char *utf8 = NULL;
    int at = -1, last = -1;
    int n;

    while ((at = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >= 0)
        last = at;
    if (last < 0)
        return text;
    n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)));
    if (n > 0)
        text = copy_of((const char *)utf8, (size_t)n);
    if (n >= 0)
        OPENSSL_free(utf8);
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
    info->common_name = common_name_of(x);
    info->fingerprint = fingerprint_of(x);
    return info->verified || !must;
}
