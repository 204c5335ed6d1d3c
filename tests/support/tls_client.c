/* See tls_client.h. */
#include "tls_client.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>

void test_tls_client_open(struct test_tls_client *c, int fd, int version, const char *sni)
{
    memset(c, 0, sizeof(*c));
    signal(SIGPIPE, SIG_IGN); /* OpenSSL's own sockets raise it; the gateway's conns do not */
    c->ctx = SSL_CTX_new(TLS_client_method());
    assert_non_null(c->ctx);
    SSL_CTX_set_mode(c->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (version != 0) {
        SSL_CTX_set_min_proto_version(c->ctx, version);
        SSL_CTX_set_max_proto_version(c->ctx, version);
    }
    c->ssl = SSL_new(c->ctx);
    c->fd = fd;
    SSL_set_fd(c->ssl, fd);
    if (sni != NULL)
        SSL_set_tlsext_host_name(c->ssl, sni);
    SSL_set_connect_state(c->ssl);
}

void test_tls_client_close(struct test_tls_client *c)
{
    SSL_shutdown(c->ssl); /* or its session could not be resumed */
    ERR_clear_error();
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    if (c->fd >= 0)
        close(c->fd);
    memset(c, 0, sizeof(*c));
    c->fd = -1;
}

static bool judge(struct test_tls_client *c, int result)
{
    c->error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(c->ssl, result);
    c->reason = (unsigned long)ERR_GET_REASON(ERR_peek_error());
    ERR_clear_error();
    return result == 1;
}

bool test_tls_connect(struct test_tls_client *c)
{
    ERR_clear_error();
    return judge(c, SSL_connect(c->ssl));
}

bool test_tls_write(struct test_tls_client *c, const void *from, size_t n, size_t *put)
{
    *put = 0;
    ERR_clear_error();
    return judge(c, SSL_write_ex(c->ssl, from, n, put));
}

bool test_tls_read(struct test_tls_client *c, void *to, size_t cap, size_t *got)
{
    *got = 0;
    ERR_clear_error();
    return judge(c, SSL_read_ex(c->ssl, to, cap, got));
}
