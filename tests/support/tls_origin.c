/* See tls_origin.h. */
#include "tls_origin.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "net/socket.h"

static const char *file_of(struct test_pki *pki, const char *name, const char *suffix)
{
    char file[64];

    snprintf(file, sizeof(file), "%s%s", name, suffix);
    return test_pki_path(pki, file);
}

void test_tls_origin_open(struct test_tls_origin *o, struct test_pki *pki, const char *name,
                          int version)
{
    memset(o, 0, sizeof(*o));
    signal(SIGPIPE, SIG_IGN);
    o->fd = -1;
    o->ctx = SSL_CTX_new(TLS_server_method());
    assert_non_null(o->ctx);
    SSL_CTX_set_mode(o->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (version != 0) {
        SSL_CTX_set_min_proto_version(o->ctx, version);
        SSL_CTX_set_max_proto_version(o->ctx, version);
    }
    assert_int_equal(
        SSL_CTX_use_certificate_chain_file(o->ctx, file_of(pki, name, ".pem")), 1);
    assert_int_equal(
        SSL_CTX_use_PrivateKey_file(o->ctx, file_of(pki, name, ".key"), SSL_FILETYPE_PEM), 1);
    SSL_CTX_set_session_id_context(o->ctx, (const unsigned char *)"test", 4);
}

void test_tls_origin_demand(struct test_tls_origin *o, struct test_pki *pki, const char *ca)
{
    assert_int_equal(SSL_CTX_load_verify_file(o->ctx, file_of(pki, ca, ".pem")), 1);
    SSL_CTX_set_verify(o->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

void test_tls_origin_take(struct test_tls_origin *o, int fd)
{
    test_tls_origin_drop(o);
    o->fd = fd;
    gate_socket_nodelay(fd);
    o->failed = false;
    o->ssl = SSL_new(o->ctx);
    assert_non_null(o->ssl);
    SSL_set_fd(o->ssl, fd);
    SSL_set_accept_state(o->ssl);
}

void test_tls_origin_drop(struct test_tls_origin *o)
{
    if (o->ssl == NULL)
        return;
    SSL_shutdown(o->ssl);
    ERR_clear_error();
    SSL_free(o->ssl);
    close(o->fd);
    o->ssl = NULL;
    o->fd = -1;
}

void test_tls_origin_close(struct test_tls_origin *o)
{
    test_tls_origin_drop(o);
    SSL_CTX_free(o->ctx);
    o->ctx = NULL;
}

static bool judge(struct test_tls_origin *o, int result)
{
    int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(o->ssl, result);

    o->failed = error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ &&
                error != SSL_ERROR_WANT_WRITE;
    ERR_clear_error();
    return result == 1;
}

bool test_tls_origin_shake(struct test_tls_origin *o)
{
    ERR_clear_error();
    return judge(o, SSL_do_handshake(o->ssl));
}

bool test_tls_origin_write(struct test_tls_origin *o, const void *from, size_t n, size_t *put)
{
    *put = 0;
    ERR_clear_error();
    return judge(o, SSL_write_ex(o->ssl, from, n, put));
}

bool test_tls_origin_read(struct test_tls_origin *o, void *to, size_t cap, size_t *got)
{
    *got = 0;
    ERR_clear_error();
    return judge(o, SSL_read_ex(o->ssl, to, cap, got));
}
