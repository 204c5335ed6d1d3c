/* OpenSSL's own BIO for sockets would make its own calls, one a record, and die by SIGPIPE. */
#include <openssl/bio.h>

#include "base/assert.h"
#include "tls/tls_int.h"

/* Slices that leave with one call: records are 16 KiB, as blocks are. */
#define FLUSH_IOV 16

/* Nobody looks for it by its type. */
#define BIO_TYPE (BIO_TYPE_SOURCE_SINK | 0x7f)

static int bio_read(BIO *b, char *to, int n)
{
    struct gate_tls *tls = BIO_get_data(b);
    struct iovec iov = {to, n < 0 ? 0 : (size_t)n};
    size_t got = 0;
    enum gate_err err;

    BIO_clear_retry_flags(b);
    if (tls->below != GATE_OK || iov.iov_len == 0)
        return 0;
    err = tls->inner->read(tls->conn, &iov, 1, &got);
    if (err == GATE_E_AGAIN) {
        BIO_set_retry_read(b);
        return -1;
    }
    if (err != GATE_OK) {
        tls->below = (uint8_t)err;
        return err == GATE_E_EOF ? 0 : -1;
    }
    if (!tls->started) {
        tls->started = true;
        tls->first = to[0];
    }
    return (int)got;
}

static int bio_write(BIO *b, const char *from, int n)
{
    struct gate_tls *tls = BIO_get_data(b);

    BIO_clear_retry_flags(b);
    if (n <= 0)
        return 0;
    if (gate_chain_copy(&tls->out, from, (size_t)n) == 0)
        return n;
    tls->below = GATE_E_NOMEM;
    return -1;
}

static long bio_ctrl(BIO *b, int command, long n, void *p)
{
    const struct gate_tls *tls = BIO_get_data(b);

    (void)n, (void)p;
    switch (command) {
    case BIO_CTRL_FLUSH:    /* done by whoever called OpenSSL, once */
    case BIO_CTRL_PUSH:
    case BIO_CTRL_POP:
        return 1;
    case BIO_CTRL_EOF:
        return tls->below == GATE_E_EOF;
    default:
        return 0;
    }
}

static int bio_create(BIO *b)
{
    BIO_set_init(b, 1);
    return 1;
}

BIO_METHOD *gate_tls_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE, "gate conn");

    GATE_ASSERT(method != NULL);
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_ctrl);
    BIO_meth_set_create(method, bio_create);
    return method;
}

BIO *gate_tls_bio_new(struct gate_tls *tls, const BIO_METHOD *method)
{
    BIO *b = BIO_new(method);

    if (b != NULL)
        BIO_set_data(b, tls);
    return b;
}

enum gate_err gate_tls_flush(struct gate_tls *tls, size_t *n)
{
    struct iovec iov[FLUSH_IOV];
    enum gate_err err = GATE_OK;

    *n = 0;
    while (tls->out.bytes > 0 && err == GATE_OK) {
        size_t put = 0;

        err = tls->inner->write(tls->conn, iov, gate_chain_iov(&tls->out, iov, FLUSH_IOV), &put);
        if (err == GATE_OK) {
            gate_chain_drop(&tls->out, put);
            tls->written += put;
            *n += put;
        }
    }
    if (tls->out.bytes == 0)
        gate_loop_untimer(tls->loop, &tls->late);
    return err;
}
