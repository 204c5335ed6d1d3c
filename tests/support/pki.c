/* See pki.h. */
#include "pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "base/mem.h"

void test_pki_open(struct test_pki *p)
{
    memset(p, 0, sizeof(*p));
    strcpy(p->dir, "/tmp/moongate-pki.XXXXXX");
    assert_non_null(mkdtemp(p->dir));
}

void test_pki_close(struct test_pki *p)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", p->dir);
    assert_int_equal(system(command), 0);
}

const char *test_pki_path(struct test_pki *p, const char *file)
{
    char *to = p->path[p->at++ & 15];

    assert_true(strlen(p->dir) + strlen(file) + 2 <= sizeof(p->path[0]));
    strcpy(to, p->dir);
    strcat(to, "/");
    return strcat(to, file);
}

void test_pki_write(struct test_pki *p, const char *file, const char *text)
{
    FILE *f = fopen(test_pki_path(p, file), "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    fclose(f);
}

static FILE *open_file(struct test_pki *p, const char *name, const char *suffix, const char *mode)
{
    char file[64];
    FILE *f;

    snprintf(file, sizeof(file), "%s%s", name, suffix);
    f = fopen(test_pki_path(p, file), mode);
    assert_non_null(f);
    return f;
}

static void add_extension(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(e);
    assert_int_equal(X509_add_ext(x, e, -1), 1);
    X509_EXTENSION_free(e);
}

static void name_it(X509 *x, const char *name, const char *dns)
{
    char list[512] = "", copy[400], *rest = copy;
    X509_NAME *subject = X509_get_subject_name(x);

    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    if (dns == NULL) {
        add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
        return;
    }
    snprintf(copy, sizeof(copy), "%s", dns);
    for (char *one; (one = strsep(&rest, ",")) != NULL;)
        sprintf(list + strlen(list), "%s%s%s", list[0] == '\0' ? "" : ",",
                strncmp(one, "IP:", 3) == 0 ? "" : "DNS:", one);
    if (dns[0] != '\0')
        add_extension(x, NID_subject_alt_name, list);
}

static X509 *make_certificate(const char *name, const char *dns, int days, EVP_PKEY *key)
{
    static int serial = 1;
    X509 *x = X509_new();

    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++ + getpid() * 1000L);
    X509_gmtime_adj(X509_getm_notBefore(x), -86400L * 30);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400L * days);
    X509_set_pubkey(x, key);
    name_it(x, name, dns);
    return x;
}

static void sign(struct test_pki *p, X509 *x, EVP_PKEY *own, const char *issuer)
{
    EVP_PKEY *key = own;
    X509 *by = x;

    if (issuer != NULL) {
        FILE *f = open_file(p, issuer, ".key", "r");

        key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
        fclose(f);
        f = open_file(p, issuer, ".pem", "r");
        by = PEM_read_X509(f, NULL, NULL, NULL);
        fclose(f);
        assert_true(key != NULL && by != NULL);
    }
    X509_set_issuer_name(x, X509_get_subject_name(by));
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    if (issuer != NULL) {
        X509_free(by);
        EVP_PKEY_free(key);
    }
}

void test_pki_make(struct test_pki *p, const char *name, const char *dns, enum test_key kind,
                   int days, const char *issuer)
{
    EVP_PKEY *key = kind == TEST_KEY_RSA ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    X509 *x = make_certificate(name, dns, days, key);
    FILE *f;

    sign(p, x, key, issuer);
    f = open_file(p, name, ".pem", "w");
    assert_int_equal(PEM_write_X509(f, x), 1);
    fclose(f);
    f = open_file(p, name, ".key", "w");
    assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
    X509_free(x);
    EVP_PKEY_free(key);
}

static char *path_of(void *arg, struct gate_str name)
{
    struct test_pki *p = arg;
    char file[200];

    snprintf(file, sizeof(file), "%.*s", (int)name.n, name.p);
    return gate_strdup(name.n > 0 && name.p[0] == '/' ? file : test_pki_path(p, file));
}

struct gate_tls_files test_pki_files(struct test_pki *p)
{
    static char dir[80];

    snprintf(dir, sizeof(dir), "%s/", p->dir);
    return (struct gate_tls_files){path_of, p, gate_str_from_cstr(dir)};
}
