/* A TLS server for C tests: OpenSSL on a non-blocking descriptor, driven by hand. */
#ifndef GATE_TESTS_TLS_ORIGIN_H
#define GATE_TESTS_TLS_ORIGIN_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "pki.h"

struct test_tls_origin {
    SSL_CTX *ctx;       /* for tests to change before test_tls_origin_take */
    SSL *ssl;           /* of the connection; NULL: none */
    int fd;             /* owned */
    bool failed;        /* the connection, for good */
};

/* With NAME.pem and NAME.key. `version`: TLS1_2_VERSION, TLS1_3_VERSION, or 0 for any. */
void test_tls_origin_open(struct test_tls_origin *o, struct test_pki *pki, const char *name,
                          int version);
void test_tls_origin_close(struct test_tls_origin *o);

/* Demands a client certificate of this authority. */
void test_tls_origin_demand(struct test_tls_origin *o, struct test_pki *pki, const char *ca);

/* The connection behind the descriptor, in the place of the one before. */
void test_tls_origin_take(struct test_tls_origin *o, int fd);

/* Ends the connection in order. */
void test_tls_origin_drop(struct test_tls_origin *o);

/* One step of each; true: it is done, or has bytes. */
bool test_tls_origin_shake(struct test_tls_origin *o);
bool test_tls_origin_write(struct test_tls_origin *o, const void *from, size_t n, size_t *put);
bool test_tls_origin_read(struct test_tls_origin *o, void *to, size_t cap, size_t *got);

#endif
