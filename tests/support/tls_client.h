/* A TLS client for C tests: OpenSSL on a non-blocking descriptor, driven by hand. */
#ifndef GATE_TESTS_TLS_CLIENT_H
#define GATE_TESTS_TLS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

struct test_tls_client {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;             /* owned */
    int error;          /* SSL_get_error of the last call that did not succeed */
    unsigned long reason; /* OpenSSL's, when it failed */
};

/* Verifies nothing. `version`: TLS1_2_VERSION, TLS1_3_VERSION, or 0 for any. */
void test_tls_client_open(struct test_tls_client *c, int fd, int version, const char *sni);
void test_tls_client_close(struct test_tls_client *c);

/* One step of each; true: it is done, or has bytes. False: look at `error`. */
bool test_tls_connect(struct test_tls_client *c);
bool test_tls_write(struct test_tls_client *c, const void *from, size_t n, size_t *put);
bool test_tls_read(struct test_tls_client *c, void *to, size_t cap, size_t *got);

/* Whether the last call failed for good. */
static inline bool test_tls_failed(const struct test_tls_client *c)
{
    return c->error != SSL_ERROR_NONE && c->error != SSL_ERROR_WANT_READ &&
           c->error != SSL_ERROR_WANT_WRITE;
}

#endif
