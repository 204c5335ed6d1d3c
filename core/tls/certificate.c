/* Certificates and their keys, read from PEM files. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "tls/tls_int.h"

/* A chain has a few kilobytes; more is no certificate. */
#define FILE_MAX (1u << 20)

static enum gate_err read_all(int fd, char *to, size_t n)
{
    size_t at = 0;

    while (at < n) {
        ssize_t got = read(fd, to + at, n - at);

        if (got == 0)
            errno = EIO;
        if (got <= 0)
            return GATE_E_SYS;
        at += (size_t)got;
    }
    return GATE_OK;
}

/* The bytes of a file; the caller frees them. */
static enum gate_err read_file(const char *path, char **bytes, size_t *n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    enum gate_err err = GATE_E_SYS;
    struct stat st;
    int e;

    if (fd < 0)
        return GATE_E_SYS;
    *bytes = NULL;
    if (fstat(fd, &st) == 0) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : !S_ISREG(st.st_mode) ? EINVAL : EFBIG;
        if (S_ISREG(st.st_mode) && st.st_size <= (off_t)FILE_MAX) {
            *n = (size_t)st.st_size;
            *bytes = gate_alloc(*n + 1);
            err = read_all(fd, *bytes, *n);
        }
    }
    e = errno;
    close(fd);
    if (err != GATE_OK)
        gate_free(*bytes);
    errno = e;
    return err;
}

/* FNV-1a: tells contents apart, protects nothing. */
static uint64_t hash_more(uint64_t h, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)p[i]) * 0x100000001b3ull;
    return h;
}

/* A file of the configuration as memory that OpenSSL reads; its bytes count for the hash. `wipe`
 * is what the caller must hand to drop_file. */
struct pem {
    char *bytes;
    size_t n;
    BIO *bio;
};

static enum gate_err open_pem(struct pem *f, struct gate_str name, const char *what,
                              const struct gate_tls_files *files, char *why, size_t cap)
{
    char *path = files->path(files->arg, name);
    enum gate_err err = GATE_E_SYS;

    errno = ENAMETOOLONG;
    if (path != NULL)
        err = read_file(path, &f->bytes, &f->n);
    if (err != GATE_OK)
        snprintf(why, cap, "cannot read the %s %.*s: %s", what, (int)name.n, name.p,
                 strerror(errno));
    gate_free(path);
    if (err != GATE_OK)
        return err;
    f->bio = BIO_new_mem_buf(f->bytes, (int)f->n);
    return GATE_OK;
}

static void close_pem(struct pem *f)
{
    BIO_free(f->bio);
    OPENSSL_cleanse(f->bytes, f->n);
    gate_free(f->bytes);
}

/* Keys with a passphrase cannot be asked for one. */
static int no_passphrase(char *to, int cap, int writing, void *asked)
{
    (void)to, (void)cap, (void)writing;
    *(bool *)asked = true;
    return -1;
}

static enum gate_err load_chain(struct gate_certificate *c, const struct pem *f, char *why,
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

static enum gate_err load_key(struct gate_certificate *c, const struct pem *f, struct gate_str name,
                              char *why, size_t cap)
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

/* Seconds of the wall clock. */
static int64_t seconds_of(const ASN1_TIME *t)
{
    struct tm tm;

    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static enum gate_err load_pair(struct gate_certificate *c,
                               const struct gate_certificate_config *config,
                               const struct gate_tls_files *files, char *why, size_t cap)
{
    struct pem cert = {NULL, 0, NULL};
    struct pem key = {NULL, 0, NULL};
    enum gate_err err = open_pem(&cert, config->cert, "certificate", files, why, cap);

    if (err != GATE_OK)
        return err;
    err = load_chain(c, &cert, why, cap);
    c->hash = hash_more(0xcbf29ce484222325ull, cert.bytes, cert.n);
    close_pem(&cert);
    if (err == GATE_OK)
        err = open_pem(&key, config->key, "key", files, why, cap);
    if (err != GATE_OK)
        return err;
    err = load_key(c, &key, config->key, why, cap);
    c->hash = hash_more(c->hash, key.bytes, key.n);
    close_pem(&key);
    return err;
}

enum gate_err gate_certificate_load(const struct gate_certificate_config *config,
                                    const struct gate_tls_files *files,
                                    struct gate_certificate **out, char *why, size_t why_cap)
{
    struct gate_certificate *c = gate_calloc(1, sizeof(*c));

    ERR_clear_error();
    c->file = gate_str_of(gate_strndup(config->cert.p, config->cert.n), config->cert.n);
    if (load_pair(c, config, files, why, why_cap) != GATE_OK) {
        gate_certificate_free(&c);
        return GATE_E_INVALID;
    }
    c->kind = kind_of(c->key);
    c->ends_s = seconds_of(X509_get0_notAfter(c->leaf));
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
