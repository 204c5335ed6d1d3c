/* Authorities: who is believed when a certificate comes, read from a PEM file. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "tls/tls_int.h"

static enum gate_err add_all(struct gate_authorities *a, BIO *bio)
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

enum gate_err gate_authorities_load(struct gate_str name, const char *what,
                                    const struct gate_tls_files *files,
                                    struct gate_authorities **out, char *why, size_t cap)
{
    struct gate_str label = gate_pem_label(name);
    struct gate_authorities *a;
    struct gate_pem f;
    enum gate_err err = gate_pem_open(&f, name, what, files, why, cap);

    if (err != GATE_OK)
        return GATE_E_INVALID;
    a = gate_calloc(1, sizeof(*a));
    a->hash = f.hash;
    a->store = X509_STORE_new();
    a->names = sk_X509_NAME_new_null();
    GATE_ASSERT(a->store != NULL && a->names != NULL);
    err = add_all(a, f.bio);
    gate_pem_close(&f);
    if (err == GATE_OK) {
        *out = a;
    } else {
        gate_tls_explain(why, cap, "there is no whole list of certificates in %.*s", (int)label.n,
                         label.p);
        gate_authorities_free(&a);
    }
    ERR_clear_error();
    return err;
}

void gate_authorities_free(struct gate_authorities **authorities)
{
    struct gate_authorities *a = *authorities;

    *authorities = NULL;
    if (a == NULL)
        return;
    X509_STORE_free(a->store);
    sk_X509_NAME_pop_free(a->names, X509_NAME_free);
    gate_free(a);
}

/* Where systems keep theirs. SSL_CERT_FILE goes before all, as for every program with OpenSSL. */
static const char *find_system(void)
{
    static const char *const usual[] = {
        "/etc/ssl/certs/ca-certificates.crt",   /* Debian, Alpine, Arch */
        "/etc/pki/tls/certs/ca-bundle.crt",     /* Fedora, RHEL */
        "/etc/ssl/ca-bundle.pem",               /* SUSE */
        "/etc/ssl/cert.pem",                    /* BSD */
    };
    const char *path = getenv(X509_get_default_cert_file_env());

    if (path != NULL && path[0] != '\0')
        return path;
    path = X509_get_default_cert_file();
    for (size_t i = 0; access(path, R_OK) != 0; i++) {
        if (i == GATE_COUNT_OF(usual))
            return NULL;
        path = usual[i];
    }
    return path;
}

enum gate_err gate_authorities_system(struct gate_tls_system *s,
                                      const struct gate_tls_files *files, char *why, size_t cap)
{
    const char *path;

    if (s->read != NULL)
        return GATE_OK;
    path = find_system();
    if (path != NULL)
        return gate_authorities_load(gate_str_from_cstr(path), "authorities of the system", files,
                                     &s->read, why, cap);
    snprintf(why, cap, "the system has no list of authorities (package ca-certificates); "
                       "name one in 'ca'");
    return GATE_E_INVALID;
}

void gate_tls_system_fini(struct gate_tls_system *s)
{
    gate_authorities_free(&s->read);
}
