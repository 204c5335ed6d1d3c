/* The operations of the kind. OpenSSL reads through our BIO, with read-ahead: a record costs one
 * call, not two. What it writes is gathered, so that the records of a large write, or a ticket and
 * the first answer, leave with one call. */
#include "tls/tls.h"

#include <openssl/err.h>

#include "base/assert.h"
#include "base/mem.h"
#include "tls/tls_int.h"

#define RECORD SSL3_RT_MAX_PLAIN_LENGTH

/* Content that is sealed for one call. */
#define SEAL_MAX (4u * RECORD)

/* More key updates than anybody needs: each costs us more than the one who asks. */
#define KEY_UPDATES_MAX 16

/* libev leaves a pointer of each watcher to us; the fault kind has the other one. */
struct gate_tls *gate_tls_of(const struct gate_conn *c)
{
    return c->ops == &gate_conn_tls ? c->out.data : NULL;
}

static struct gate_tls *of(const struct gate_conn *c)
{
    return c->out.data;
}

/* Reading */

/* Why a read gave nothing. */
static enum gate_err read_error(struct gate_tls *tls, int result)
{
    size_t n;

    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        tls->dry = true;
        return GATE_E_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return GATE_E_EOF;
    default:
        break;
    }
    tls->broke = GATE_E_RESET; /* also an end that was not announced: it may be somebody's cut */
    if (gate_tls_connect_refused(tls))
        tls->broke = GATE_E_TLS;
    ERR_clear_error();
    if (tls->below == GATE_OK)
        gate_tls_flush(tls, &n); /* the alert */
    else if (tls->below != GATE_E_EOF)
        tls->broke = tls->below;
    return tls->broke;
}

/* What the protocol has to say (an alert, a new key) goes out when it can; else with what is
 * written next. */
static void send_rest(struct gate_tls *tls)
{
    uint8_t wants = tls->conn->write_wants;
    size_t n;

    if (tls->out.bytes == 0 || tls->sealed > 0 || gate_timer_active(&tls->late))
        return;
    gate_tls_flush(tls, &n);
    tls->conn->write_wants = wants;
}

static enum gate_err read_once(struct gate_tls *tls, void *to, size_t cap, size_t *n, bool peek)
{
    int result;

    gate_tls_fresh();
    result = peek ? SSL_peek_ex(tls->ssl, to, cap, n) : SSL_read_ex(tls->ssl, to, cap, n);
    if (tls->out.bytes > 0)
        send_rest(tls);
    if (result == 1 && tls->key_updates <= KEY_UPDATES_MAX) {
        tls->dry = false;
        tls->heard = true;
        return GATE_OK;
    }
    *n = 0;
    if (tls->key_updates > KEY_UPDATES_MAX)
        return tls->broke = GATE_E_RESET;
    return read_error(tls, result);
}

static enum gate_err tls_read(struct gate_conn *c, const struct iovec *iov, int count, size_t *n)
{
    struct gate_tls *tls = of(c);
    enum gate_err err = tls->broke;
    size_t at = 0;

    *n = 0;
    for (int i = 0; i < count && err == GATE_OK;) {
        size_t got = 0;

        if (*n > 0 && SSL_has_pending(tls->ssl) == 0)
            break;
        err = read_once(tls, (char *)iov[i].iov_base + at, iov[i].iov_len - at, &got, false);
        *n += got;
        at += got;
        if (at == iov[i].iov_len) {
            at = 0;
            i++;
        }
    }
    if (err == GATE_E_AGAIN)
        c->read_wants = GATE_WANT_READ;
    return *n > 0 ? GATE_OK : err;
}

static enum gate_err tls_peek(struct gate_conn *c, void *to, size_t cap, size_t *n)
{
    struct gate_tls *tls = of(c);
    enum gate_err err = tls->broke;

    *n = 0;
    if (err == GATE_OK)
        err = read_once(tls, to, cap, n, true);
    if (err == GATE_E_AGAIN)
        c->read_wants = GATE_WANT_READ;
    return err;
}

static size_t tls_pending(const struct gate_conn *c)
{
    const struct gate_tls *tls = of(c);

    return tls->done && tls->broke == GATE_OK && !tls->dry ? (size_t)SSL_has_pending(tls->ssl) : 0;
}

/* Writing. What is sealed cannot be taken back: a writer that has to wait comes again with the same
 * bytes first, and is told of them as they leave. */

static enum gate_err seal_record(struct gate_tls *tls, const void *from, size_t n)
{
    size_t done;
    int result;

    gate_tls_fresh();
    result = SSL_write_ex(tls->ssl, from, n, &done);
    if (result == 1) {
        tls->sealed += n;
        return GATE_OK;
    }
    ERR_clear_error();
    return tls->broke = tls->below == GATE_E_NOMEM ? GATE_E_NOMEM : GATE_E_RESET;
}

/* Fills a record from several pieces; moves on in them. */
static size_t gather(struct iovec *piece, const struct iovec **iov, const struct iovec *end,
                     char *to)
{
    size_t n = 0;

    while (n < RECORD) {
        size_t take = piece->iov_len < RECORD - n ? piece->iov_len : RECORD - n;

        memcpy(to + n, piece->iov_base, take);
        n += take;
        piece->iov_base = (char *)piece->iov_base + take;
        piece->iov_len -= take;
        if (piece->iov_len > 0)
            break;
        if (++*iov == end)
            break;
        *piece = **iov;
    }
    return n;
}

static enum gate_err seal(struct gate_tls *tls, const struct iovec *iov, int count)
{
    const struct iovec *end = iov + count;
    struct iovec piece = *iov;
    struct gate_block *b = NULL;
    enum gate_err err = GATE_OK;

    while (iov < end && tls->sealed < SEAL_MAX && err == GATE_OK) {
        size_t n = piece.iov_len < RECORD ? piece.iov_len : RECORD;

        if (n == RECORD || iov + 1 == end) {
            err = seal_record(tls, piece.iov_base, n);
            piece.iov_base = (char *)piece.iov_base + n;
            piece.iov_len -= n;
            if (piece.iov_len == 0 && ++iov < end)
                piece = *iov;
            continue;
        }
        if (b == NULL)
            b = gate_block_take(tls->out.pool);
        err = b == NULL ? GATE_E_NOMEM
                        : seal_record(tls, b->data, gather(&piece, &iov, end, b->data));
    }
    gate_block_unref(&b);
    return tls->sealed > 0 && tls->broke == GATE_OK ? GATE_OK : err;
}

static enum gate_err tls_write(struct gate_conn *c, const struct iovec *iov, int count, size_t *n)
{
    struct gate_tls *tls = of(c);
    enum gate_err err = tls->broke;
    size_t left;

    *n = 0;
    if (err == GATE_OK && tls->sealed == 0)
        err = seal(tls, iov, count);
    if (err != GATE_OK)
        return err;
    err = gate_tls_flush(tls, &left);
    if (tls->out.bytes == 0)
        *n = tls->sealed;
    else if (err == GATE_E_AGAIN)
        *n = left < tls->sealed ? left : tls->sealed - 1;
    tls->sealed -= *n;
    if (*n > 0)
        return GATE_OK;
    if (err != GATE_E_AGAIN)
        tls->broke = (uint8_t)err;
    return err;
}

/* The end */

static void say_goodbye(struct gate_tls *tls)
{
    gate_tls_fresh();
    SSL_shutdown(tls->ssl);
    ERR_clear_error();
    tls->shut = true;
}

static enum gate_err tls_shut(struct gate_conn *c)
{
    struct gate_tls *tls = of(c);
    enum gate_err err = tls->broke;
    size_t n;

    if (err != GATE_OK)
        return err;
    if (!tls->shut && tls->done)
        say_goodbye(tls);
    err = gate_tls_flush(tls, &n);
    if (err != GATE_OK)
        return err;
    return tls->inner->shut(c);
}

static void tls_free(struct gate_tls *tls)
{
    gate_loop_untimer(tls->loop, &tls->late);
    /* However a connection to a server ends, what it gave us to resume by stays good. */
    if (tls->client != NULL)
        SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(tls->ssl);
    gate_chain_clear(&tls->out);
    gate_free(tls->sni);
    gate_free(tls->offer);
    gate_tls_pair_free(&tls->pair);
    gate_tls_info_unref(&tls->info);
    gate_tls_server_unref(&tls->server);
    gate_tls_sessions_unref(&tls->sessions);
    gate_tls_client_unref(&tls->client);
    gate_free(tls->why);
    gate_free(tls);
}

/* An end in order, unless the peer must see that something is cut. */
static void tls_fini(struct gate_conn *c)
{
    struct gate_tls *tls = of(c);
    size_t n;

    if (tls->done && !c->cut && tls->broke == GATE_OK && tls->sealed == 0) {
        if (!tls->shut)
            say_goodbye(tls);
        gate_tls_flush(tls, &n);
    }
    c->out.data = NULL;
    c->ops = tls->inner;
    tls_free(tls);
    c->ops->fini(c);
}

const struct gate_conn_ops gate_conn_tls = {
    .name = "tls",
    .read = tls_read,
    .write = tls_write,
    .peek = tls_peek,
    .pending = tls_pending,
    .shut = tls_shut,
    .fini = tls_fini,
};

/* The beginning */

static void on_late(struct gate_timer *t)
{
    struct gate_tls *tls = gate_container_of(t, struct gate_tls, late);

    send_rest(tls);
}

bool gate_tls_lay(struct gate_tls *tls, struct gate_conn *c, SSL_CTX *ctx,
                  const BIO_METHOD *method)
{
    BIO *bio = gate_tls_bio_new(tls, method);

    tls->ssl = SSL_new(ctx);
    if (bio == NULL || tls->ssl == NULL) {
        ERR_clear_error();
        BIO_free(bio);
        SSL_free(tls->ssl);
        return false;
    }
    tls->conn = c;
    tls->loop = c->loop;
    tls->inner = c->ops;
    gate_chain_init(&tls->out, &c->loop->blocks);
    gate_timer_init(&tls->late, on_late);
    SSL_set_app_data(tls->ssl, tls);
    SSL_set_bio(tls->ssl, bio, bio);
    c->out.data = tls;
    c->ops = &gate_conn_tls;
    return true;
}

enum gate_err gate_tls_accept(struct gate_conn *c, struct gate_tls_server *server)
{
    struct gate_tls *tls = gate_calloc(1, sizeof(*tls));

    if (!gate_tls_lay(tls, c, gate_tls_server_base(server), gate_tls_server_bio(server))) {
        gate_free(tls);
        return GATE_E_NOMEM;
    }
    tls->server = gate_tls_server_ref(server);
    SSL_set_accept_state(tls->ssl);
    return GATE_OK;
}

void gate_tls_ask(struct gate_tls *tls)
{
    tls->asks = true;
}

bool gate_tls_waits(const struct gate_tls *tls)
{
    return tls->waits;
}

struct gate_str gate_tls_offer(const struct gate_tls *tls)
{
    return gate_str_from_cstr(tls->offer);
}

void gate_tls_answer(struct gate_tls *tls, struct gate_tls_pair **pair, bool good)
{
    GATE_ASSERT(tls->waits);
    tls->waits = false;
    tls->answered = true;
    tls->refused = !good;
    tls->pair = *pair;
    *pair = NULL;
}

void gate_tls_unwrap(struct gate_conn *c)
{
    struct gate_tls *tls = of(c);

    GATE_ASSERT(c->ops == &gate_conn_tls && !tls->done);
    c->out.data = NULL;
    c->ops = tls->inner;
    tls_free(tls);
}
