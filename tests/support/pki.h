/* Certificates made by the tests: a folder of PEM files, gone at the end. */
#ifndef GATE_TESTS_PKI_H
#define GATE_TESTS_PKI_H

#include "base/str.h"
#include "tls/server.h"

enum test_key { TEST_KEY_EC, TEST_KEY_RSA };

struct test_pki {
    char dir[64];
    char path[16][96]; /* what test_pki_path gave last */
    int at;
};

void test_pki_open(struct test_pki *p);
void test_pki_close(struct test_pki *p);

/* Makes NAME.pem and NAME.key. `dns`: names ("IP:…" for an address), comma-separated; NULL: an
 * authority. `issuer`: the
 * name of the authority that signs; NULL: itself. `days` until it ends (less than 0: it has). */
void test_pki_make(struct test_pki *p, const char *name, const char *dns, enum test_key key,
                   int days, const char *issuer);

/* The path of a file there; valid for the next 15 calls. */
const char *test_pki_path(struct test_pki *p, const char *file);
void test_pki_write(struct test_pki *p, const char *file, const char *text);

/* Files that a configuration names lie in the folder. */
struct gate_tls_files test_pki_files(struct test_pki *p);

#endif
