#include <openssl/err.h>

#include "base/assert.h"
#include "base/mem.h"
#include "tls/tls_int.h"

/* After a handshake of TLS 1.3 the ticket is all that waits to be sent. The first answer takes it
 * along; a client that asks for nothing gets it a little later. */
#define LATE_MS 50

static const char *const texts[GATE_CLOSE_COUNT] = {
    [GATE_CLOSE_TLS_GONE] = "the client has gone",
    [GATE_CLOSE_TLS_TIMEOUT] = "it took too long",
    [GATE_CLOSE_TLS_CROWDED] = "there are too many, and it was the oldest",
    [GATE_CLOSE_TLS_PLAIN_HTTP] = "plain HTTP came instead of TLS",
    [GATE_CLOSE_TLS_VERSION] = "no TLS version in common",
    [GATE_CLOSE_TLS_CIPHER] = "no cipher suite, group or signature in common",
    [GATE_CLOSE_TLS_NAME] = "no certificate for the name that was asked for",
    [GATE_CLOSE_TLS_ALPN] = "no protocol in common (ALPN)",
    [GATE_CLOSE_TLS_CLIENT_CERT] = "no good certificate of the client",
    [GATE_CLOSE_TLS_HOOK] = "the certificate hook gave none",
    [GATE_CLOSE_TLS_ALERT] = "the client refused",
    [GATE_CLOSE_TLS_PROTOCOL] = "what came is no TLS",
    [GATE_CLOSE_TLS_SYSTEM] = "a fault of our own",
};

const char *gate_tls_failure_text(enum gate_close_reason why)
{
    return texts[why] == NULL ? gate_close_reason_name(why) : texts[why];
}

enum gate_close_reason gate_tls_failure(const struct gate_tls *tls)
{
    return tls->failure;
}

struct gate_str gate_tls_asked(const struct gate_tls *tls)
{
    return tls->info != NULL ? tls->info->sni : gate_str_from_cstr(tls->sni);
}

struct gate_tls_info *gate_tls_info(const struct gate_tls *tls)
{
    return tls->info;
}

void gate_tls_fresh(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/* Why it failed, from OpenSSL's reason. Alerts that came are reasons over 1000. */
static enum gate_close_reason failure_of(int reason)
{
    switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_INAPPROPRIATE_FALLBACK:
        return GATE_CLOSE_TLS_VERSION;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_GROUPS:
        return GATE_CLOSE_TLS_CIPHER;
    case SSL_R_NO_APPLICATION_PROTOCOL:
        return GATE_CLOSE_TLS_ALPN;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
    case SSL_R_NO_CERTIFICATE_SET:
        return GATE_CLOSE_TLS_CLIENT_CERT;
    default:
        return reason > SSL_AD_REASON_OFFSET ? GATE_CLOSE_TLS_ALERT : GATE_CLOSE_TLS_PROTOCOL;
    }
}

static enum gate_close_reason cause_of(const struct gate_tls *tls)
{
    if (tls->below == GATE_E_EOF || tls->below == GATE_E_RESET)
        return tls->started ? GATE_CLOSE_TLS_GONE : GATE_CLOSE_CLIENT_EOF;
    if (tls->below != GATE_OK)
        return GATE_CLOSE_TLS_SYSTEM;
    if (tls->started && tls->first >= 'A' && tls->first <= 'Z')
        return GATE_CLOSE_TLS_PLAIN_HTTP;
    return failure_of(ERR_GET_REASON(ERR_peek_error()));
}

static enum gate_err fail(struct gate_tls *tls)
{
    size_t n;

    if (tls->client != NULL)
        gate_tls_connect_explain(tls);
    else if (tls->failure == GATE_CLOSE_NONE) /* else whoever refused has said why */
        tls->failure = (uint8_t)cause_of(tls);
    ERR_clear_error();
    tls->broke = GATE_E_RESET;
    if (tls->failure != GATE_CLOSE_TLS_PLAIN_HTTP && tls->below == GATE_OK)
        gate_tls_flush(tls, &n);
    return GATE_E_LIMIT;
}

static struct gate_str version_of(const SSL *ssl)
{
    return SSL_version(ssl) == TLS1_3_VERSION ? GATE_STR("1.3") : GATE_STR("1.2");
}

/* Whether who is at the other end may stay. */
static bool judge(struct gate_tls *tls, struct gate_tls_info *info)
{
    if (tls->client != NULL)
        return gate_tls_connect_judge(tls, info->alpn);
    if (gate_client_auth_judge(tls->ssl, info))
        return true;
    tls->failure = GATE_CLOSE_TLS_CLIENT_CERT;
    return false;
}

static enum gate_err finish(struct gate_tls *tls)
{
    struct gate_tls_info info = {
        .resumed = SSL_session_reused(tls->ssl),
        .version = version_of(tls->ssl),
        .cipher = gate_str_from_cstr(SSL_get_cipher_name(tls->ssl)),
        .sni = gate_str_from_cstr(tls->sni),
    };
    const unsigned char *alpn = NULL;
    unsigned int alpn_n = 0;
    bool good;

    SSL_get0_alpn_selected(tls->ssl, &alpn, &alpn_n);
    info.alpn = gate_str_of((const char *)alpn, alpn_n);
    good = judge(tls, &info);
    if (good) {
        tls->info = gate_tls_info_new(&info);
        gate_free(tls->sni);
        tls->sni = NULL;
        gate_free(tls->offer);
        tls->offer = NULL;
        gate_tls_pair_free(&tls->pair); /* the connection has its parts */
    }
    gate_free((char *)info.subject.p);
    gate_free((char *)info.common_name.p);
    gate_free((char *)info.fingerprint.p);
    if (!good)
        return fail(tls);
    tls->done = true;
    if (tls->out.bytes > 0)
        gate_loop_timer(tls->loop, &tls->late, LATE_MS);
    return GATE_OK;
}

/* What OpenSSL wrote must leave; true: it did. */
static bool flushed(struct gate_tls *tls, enum gate_err *err)
{
    size_t n;

    *err = gate_tls_flush(tls, &n);
    if (*err == GATE_E_AGAIN)
        gate_conn_want_write(tls->conn);
    else if (*err != GATE_OK)
        tls->below = (uint8_t)*err;
    return *err == GATE_OK;
}

enum gate_err gate_tls_handshake(struct gate_tls *tls)
{
    enum gate_err err;
    int result;

    GATE_ASSERT(!tls->done);
    if (tls->waits)
        return GATE_E_AGAIN;
    if (!flushed(tls, &err))
        return err == GATE_E_AGAIN ? err : fail(tls);
    gate_tls_fresh();
    result = SSL_do_handshake(tls->ssl);
    if (result == 1 && SSL_version(tls->ssl) == TLS1_3_VERSION)
        return finish(tls);
    if (result != 1 && tls->waits)
        return GATE_E_AGAIN;
    if (result != 1 && SSL_get_error(tls->ssl, result) != SSL_ERROR_WANT_READ)
        return fail(tls);
    tls->conn->read_wants = GATE_WANT_READ;
    if (!flushed(tls, &err))
        return err == GATE_E_AGAIN ? err : fail(tls);
    return result == 1 ? finish(tls) : GATE_E_AGAIN;
}
