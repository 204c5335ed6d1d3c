/* Certificates and their keys, read from PEM files. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/mem.h"
#include "tls/tls_int.h"

/* Keys with a passphrase cannot be asked for one. */
static int no_passphrase(char *to, int cap, int writing, void *asked)
{
    (void)to, (void)cap, (void)writing;
    *(bool *)asked = true;
    return -1;
}

static enum gate_err load_chain(struct gate_certificate *c, const struct gate_pem *f, char *why,
                                size_t cap)
{
    X509 *more;

    c->leaf = PEM_read_bio_X509_AUX(f->bio, NULL, NULL, NULL);
    if (c->leaf == NULL) {
        gate_tls_explain(why, cap, "there is no certificate in %.*s", (int)c->file.n, c->file.p);
        return GATE_E_INVALID;
    }
    c->chain = sk_X509_new_null();
    while ((more = PEM_read_bio_X509(f->bio, NULL, NULL, NULL)) != NULL)
        sk_X509_push(c->chain, more);
    if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) {
        ERR_clear_error();
        return GATE_OK;
    }
    gate_tls_explain(why, cap, "the chain in %.*s is broken", (int)c->file.n, c->file.p);
    return GATE_E_INVALID;
}

static enum gate_err load_key(struct gate_certificate *c, const struct gate_pem *f,
                              struct gate_str name, char *why, size_t cap)
{
    bool asked = false;

    c->key = PEM_read_bio_PrivateKey(f->bio, NULL, no_passphrase, &asked);
    if (c->key == NULL && asked) {
        snprintf(why, cap, "the key %.*s is encrypted: decrypt it, and let only this user read it",
                 (int)name.n, name.p);
        ERR_clear_error();
    } else if (c->key == NULL) {
        gate_tls_explain(why, cap, "there is no private key in %.*s", (int)name.n, name.p);
    } else if (X509_check_private_key(c->leaf, c->key) != 1) {
        snprintf(why, cap, "the key %.*s does not belong to the certificate %.*s", (int)name.n,
                 name.p, (int)c->file.n, c->file.p);
        ERR_clear_error();
    } else {
        return GATE_OK;
    }
    return GATE_E_INVALID;
}

static enum gate_tls_kind kind_of(const EVP_PKEY *key)
{
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
        return GATE_TLS_RSA;
    case EVP_PKEY_EC:
        return GATE_TLS_EC;
    default:
        return GATE_TLS_OTHER;
    }
}

int64_t gate_tls_seconds(const ASN1_TIME *t)
{
    struct tm tm;

    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static enum gate_err load_pair(struct gate_certificate *c,
                               const struct gate_certificate_config *config,
                               const struct gate_tls_files *files, char *why, size_t cap)
{
    struct gate_pem cert = {NULL, 0, 0, NULL};
    struct gate_pem key = {NULL, 0, 0, NULL};
    enum gate_err err = gate_pem_open(&cert, config->cert, "certificate", files, why, cap);

    if (err != GATE_OK)
        return err;
    err = load_chain(c, &cert, why, cap);
    c->hash = cert.hash;
    gate_pem_close(&cert);
    if (err == GATE_OK)
        err = gate_pem_open(&key, config->key, "key", files, why, cap);
    if (err != GATE_OK)
        return err;
    err = load_key(c, &key, gate_pem_label(config->key), why, cap);
    if (err == GATE_OK && config->ocsp.n > 0)
        err = gate_staple_load(c, config->ocsp, files, why, cap);
    c->hash = c->hash * 31 + key.hash;
    gate_pem_close(&key);
    return err;
}

enum gate_err gate_certificate_load(const struct gate_certificate_config *config,
                                    const struct gate_tls_files *files,
                                    struct gate_certificate **out, char *why, size_t why_cap)
{
    struct gate_certificate *c = gate_calloc(1, sizeof(*c));
    struct gate_str file = gate_pem_label(config->cert);

    ERR_clear_error();
    c->file = gate_str_of(gate_strndup(file.p, file.n), file.n);
    if (load_pair(c, config, files, why, why_cap) != GATE_OK) {
        gate_certificate_free(&c);
        return GATE_E_INVALID;
    }
    c->kind = kind_of(c->key);
    c->ends_s = gate_tls_seconds(X509_get0_notAfter(c->leaf));
    *out = c;
    return GATE_OK;
}

void gate_certificate_free(struct gate_certificate **certificate)
{
    struct gate_certificate *c = *certificate;

    *certificate = NULL;
    if (c == NULL)
        return;
    X509_free(c->leaf);
    sk_X509_pop_free(c->chain, X509_free);
    EVP_PKEY_free(c->key);
    gate_free(c->staple);
    gate_free((char *)c->file.p);
    gate_free(c);
}

void gate_certificate_each_name(const struct gate_certificate *c,
                                void (*fn)(void *arg, struct gate_str name), void *arg)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(c->leaf, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        char lower[GATE_TLS_NAME_CAP];
        const unsigned char *text;
        int n;

        if (name->type != GEN_DNS)
            continue;
        text = ASN1_STRING_get0_data(name->d.dNSName);
        n = ASN1_STRING_length(name->d.dNSName);
        if (n <= 0 || n >= GATE_TLS_NAME_CAP || memchr(text, '\0', (size_t)n) != NULL)
            continue;
        for (int k = 0; k < n; k++)
            lower[k] = gate_lower((char)text[k]);
        fn(arg, gate_str_of(lower, (size_t)n));
    }
    GENERAL_NAMES_free(names);
}
