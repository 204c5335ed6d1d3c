/* OpenSSL contexts: what is offered and demanded in handshakes: TLS 1.2 and
 * 1.3, ECDHE with AEAD only, no renegotiation, no session cache, one ticket. */
#include <openssl/err.h>

#include "base/assert.h"
#include "base/mem.h"
#include "tls/tickets.h"
#include "tls/tls_int.h"

/* The fastest first where the processor has AES; clients without it say so by their order. */
#define CIPHERS_1_2                                                                                \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"     \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define CIPHERS_1_3                                                                                \
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS "X25519:P-256:P-384"

#define OPTIONS                                                                                    \
    (SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |           \
     SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION)

/* 112 bits: RSA from 2048 bits on, no SHA-1 signatures. */
#define SECURITY_LEVEL 2

/* The name that the client asks for, in lower case and without a dot at its end. False: what stands
 * there is no name. */
static bool read_sni(SSL *ssl, char **to)
{
    const unsigned char *p;
    size_t n;

    gate_free(*to);
    *to = NULL;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &n) != 1)
        return true;
    /* One list with one entry: type 0 (a DNS name), its length, its bytes. */
    if (n < 5 || (size_t)(p[0] << 8 | p[1]) != n - 2 || p[2] != TLSEXT_NAMETYPE_host_name ||
        (size_t)(p[3] << 8 | p[4]) != n - 5)
        return false;
    p += 5;
    n -= 5;
    if (n > 0 && p[n - 1] == '.')
        n--;
    if (n == 0 || n >= GATE_TLS_NAME_CAP)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (p[i] <= ' ' || p[i] > '~')
            return false;
    }
    *to = gate_strndup((const char *)p, n);
    for (size_t i = 0; i < n; i++)
        (*to)[i] = gate_lower((*to)[i]);
    return true;
}

static int refuse(struct gate_tls *tls, enum gate_close_reason why, int *alert, int is)
{
    tls->failure = (uint8_t)why;
    *alert = is;
    return SSL_CLIENT_HELLO_ERROR;
}

/* The protocols that are offered, a line each; odd ones are left out. */
static char *read_offer(SSL *ssl)
{
    const unsigned char *p;
    char *text, *to;
    size_t n;

    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &p,
                                  &n) != 1 || n < 2)
        return gate_strdup("");
    to = text = gate_alloc(n);
    for (size_t at = 2; at < n && p[at] < n - at; at += 1u + p[at]) {
        bool plain = p[at] > 0;

        for (size_t i = 1; i <= p[at]; i++)
            plain = plain && p[at + i] > ' ' && p[at + i] <= '~';
        if (!plain)
            continue;
        if (to > text)
            *to++ = '\n';
        memcpy(to, p + at + 1, p[at]);
        to += p[at];
    }
    *to = '\0';
    return text;
}

/* Before anything is chosen: the certificates for the name. Called again for a client that had to
 * wait. */
static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    struct gate_tls *tls = gate_tls_of_ssl(ssl);
    struct gate_tls_server *server = arg;
    SSL_CTX *ctx;

    if (!read_sni(ssl, &tls->sni))
        return refuse(tls, GATE_CLOSE_TLS_PROTOCOL, alert, SSL_AD_DECODE_ERROR);
    if (tls->asks && !tls->answered) {
        tls->offer = read_offer(ssl);
        tls->waits = true;
        return SSL_CLIENT_HELLO_RETRY;
    }
    if (tls->refused || (tls->pair != NULL && !gate_tls_pair_use(tls->pair, ssl, tls->sni)))
        return refuse(tls, GATE_CLOSE_TLS_HOOK, alert, SSL_AD_INTERNAL_ERROR);
    if (tls->pair != NULL)
        return SSL_CLIENT_HELLO_SUCCESS;
    ctx = gate_tls_server_context(server, gate_str_from_cstr(tls->sni));
    if (ctx == NULL)
        return refuse(tls, GATE_CLOSE_TLS_NAME, alert, SSL_AD_UNRECOGNIZED_NAME);
    if (ctx != SSL_get_SSL_CTX(ssl))
        SSL_set_SSL_CTX(ssl, ctx);
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* A name that was used is acknowledged (RFC 6066 section 3). */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
    (void)alert, (void)arg;
    return gate_tls_of_ssl(ssl)->sni != NULL ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* The first of ours that the client has too. Whoever speaks of protocols must have one of ours. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                   const unsigned char *offered, unsigned int offered_n, void *arg)
{
    struct gate_str ours = gate_tls_server_alpn(arg);
    unsigned char *chosen;

    (void)ssl;
    if (SSL_select_next_proto(&chosen, out_n, (const unsigned char *)ours.p, (unsigned int)ours.n,
                              offered, offered_n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* Called for each message that comes or goes: key updates are counted. */
static void on_message(int sent, int version, int type, const void *bytes, size_t n, SSL *ssl,
                       void *arg)
{
    struct gate_tls *tls;

    (void)version, (void)arg;
    if (type != SSL3_RT_HANDSHAKE || sent || n == 0 ||
        *(const unsigned char *)bytes != SSL3_MT_KEY_UPDATE)
        return;
    tls = gate_tls_of_ssl(ssl);
    if (tls->key_updates < UINT8_MAX)
        tls->key_updates++;
}

bool gate_tls_context_common(SSL_CTX *ctx, int min_version)
{
    int least = min_version == GATE_TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;

    SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
    SSL_CTX_set_options(ctx, OPTIONS);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_msg_callback(ctx, on_message);
    return SSL_CTX_set_min_proto_version(ctx, least) == 1 &&
           SSL_CTX_set_cipher_list(ctx, CIPHERS_1_2) == 1 &&
           SSL_CTX_set_ciphersuites(ctx, CIPHERS_1_3) == 1 &&
           SSL_CTX_set1_groups_list(ctx, GROUPS) == 1;
}

static bool configure(SSL_CTX *ctx, struct gate_tls_server *server,
                      const struct gate_tls_config *config)
{
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_timeout(ctx, GATE_TLS_TICKET_HOURS * 3600);
    SSL_CTX_set_max_early_data(ctx, 0);
    SSL_CTX_set_client_hello_cb(ctx, on_client_hello, server);
    SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, server);
    return gate_tls_context_common(ctx, config->min_version);
}

SSL_CTX *gate_tls_context_new(struct gate_tls_server *server, const struct gate_tls_config *config,
                              struct gate_certificate *const pairs[GATE_TLS_KINDS],
                              const struct gate_client_auth *auth, char *why, size_t why_cap)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    GATE_ASSERT(ctx != NULL);
    if (!configure(ctx, server, config)) {
        gate_tls_explain(why, why_cap, "this OpenSSL does not have what TLS needs here");
        SSL_CTX_free(ctx);
        return NULL;
    }
    gate_client_auth_use(auth, ctx);
    gate_staple_use(ctx, pairs);
    for (int i = 0; i < GATE_TLS_KINDS; i++) {
        const struct gate_certificate *c = pairs[i];

        if (c == NULL || SSL_CTX_use_cert_and_key(ctx, c->leaf, c->key, c->chain, 1) == 1)
            continue;
        gate_tls_explain(why, why_cap, "the certificate %.*s cannot be used", (int)c->file.n,
                         c->file.p);
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}
