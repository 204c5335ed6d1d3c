/* Our half of a handshake with a server: what is asked for and demanded, and what is told of one
 * that failed. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/mem.h"
#include "tls/tls_int.h"

/* SNI is for names only (RFC 6066 section 3); a numeric address is just verified. */
static bool name_server(SSL *ssl, const char *name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    struct gate_addr ignored;

    if (gate_addr_parse_ip(gate_str_from_cstr(name), &ignored) == GATE_OK)
        return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
    return SSL_set_tlsext_host_name(ssl, name) == 1 &&
           X509_VERIFY_PARAM_set1_host(param, name, 0) == 1;
}

/* The name to ask for; empty: none. */
static void choose_name(const struct gate_tls_client *client, struct gate_str host,
                        char to[GATE_TLS_NAME_CAP])
{
    const char *given = gate_tls_client_name(client);

    if (given[0] != '\0')
        host = gate_str_from_cstr(given);
    if (host.n > 0 && host.p[host.n - 1] == '.')
        host.n--;
    snprintf(to, GATE_TLS_NAME_CAP, "%.*s", (int)host.n, host.n > 0 ? host.p : "");
}

enum gate_err gate_tls_connect(struct gate_conn *c, struct gate_tls_client *client,
                               struct gate_str host, struct gate_tls_sessions *sessions,
                               struct gate_chain *first)
{
    struct gate_tls *tls;
    char name[GATE_TLS_NAME_CAP];

    choose_name(client, host, name);
    if (name[0] == '\0' && gate_tls_client_verifies(client))
        return GATE_E_INVALID;
    tls = gate_calloc(1, sizeof(*tls));
    if (!gate_tls_lay(tls, c, gate_tls_client_context(client), gate_tls_client_bio(client))) {
        gate_free(tls);
        return GATE_E_NOMEM;
    }
    tls->client = gate_tls_client_ref(client);
    tls->sessions = gate_tls_sessions_ref(sessions);
    SSL_set_connect_state(tls->ssl);
    gate_chain_move(&tls->out, first);
    if (name[0] != '\0' && !name_server(tls->ssl, name)) {
        gate_tls_unwrap(c);
        return GATE_E_INVALID;
    }
    if (sessions != NULL)
        gate_tls_sessions_use(sessions, tls->ssl);
    return GATE_OK;
}

void gate_tls_no_http2(struct gate_tls *tls)
{
    static const unsigned char http1[] = "\x08http/1.1";

    if (gate_tls_client_offers(tls->client, GATE_STR("h2")))
        SSL_set_alpn_protos(tls->ssl, http1, sizeof(http1) - 1);
}

const char *gate_tls_why(const struct gate_tls *tls)
{
    return tls->why;
}

uint64_t gate_tls_written(const struct gate_tls *tls)
{
    return tls->written;
}

/* A session that is resumed has the verdict of the handshake that began it. */
static bool is_trusted(const struct gate_tls *tls)
{
    return !gate_tls_client_verifies(tls->client) ||
           SSL_get_verify_result(tls->ssl) == X509_V_OK;
}

bool gate_tls_connect_judge(const struct gate_tls *tls, struct gate_str alpn)
{
    return is_trusted(tls) && (alpn.n == 0 || gate_tls_client_offers(tls->client, alpn));
}

static bool is_refusal(unsigned long error)
{
    return ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) > SSL_AD_REASON_OFFSET;
}

static void note(struct gate_tls *tls, enum gate_close_reason failure, const char *what,
                 const char *more)
{
    char text[160];

    snprintf(text, sizeof(text), "%s%s%s", what, more == NULL ? "" : ": ",
             more == NULL ? "" : more);
    tls->failure = (uint8_t)failure;
    gate_free(tls->why);
    tls->why = gate_strdup(text);
}

/* OpenSSL has a word for most; the alerts of a server among them. */
static void note_error(struct gate_tls *tls, unsigned long error)
{
    const char *reason = ERR_reason_error_string(error);

    if (is_refusal(error))
        note(tls, GATE_CLOSE_LINK_TLS_ALERT, "the server refused", reason);
    else
        note(tls, GATE_CLOSE_LINK_TLS_PROTOCOL, "no TLS with the server", reason);
}

void gate_tls_connect_explain(struct gate_tls *tls)
{
    if (tls->below == GATE_E_EOF || tls->below == GATE_E_RESET)
        note(tls, GATE_CLOSE_LINK_TLS_GONE, "the server closed in the handshake", NULL);
    else if (tls->below != GATE_OK)
        note(tls, GATE_CLOSE_LINK_ERROR, gate_err_text(tls->below), NULL);
    else if (!is_trusted(tls))
        note(tls, GATE_CLOSE_LINK_TLS_VERIFY, "certificate verify failed",
             X509_verify_cert_error_string(SSL_get_verify_result(tls->ssl)));
    else if (tls->started && tls->first == 'H')
        note(tls, GATE_CLOSE_LINK_TLS_PROTOCOL, "the server speaks plain HTTP", NULL);
    else if (SSL_is_init_finished(tls->ssl))
        note(tls, GATE_CLOSE_LINK_TLS_ALPN, "the server chose a protocol that was not offered",
             NULL);
    else
        note_error(tls, ERR_peek_error());
}

/* An alert that is about our part of a handshake and nothing else: others may come from a server
 * that has read a request. */
static bool is_about_us(unsigned long error)
{
    switch (ERR_GET_REASON(error) - SSL_AD_REASON_OFFSET) {
    case SSL_AD_HANDSHAKE_FAILURE:
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_DECRYPT_ERROR:
    case SSL_AD_CERTIFICATE_REQUIRED:
        return true;
    default:
        return false;
    }
}

bool gate_tls_connect_refused(struct gate_tls *tls)
{
    unsigned long error = ERR_peek_error();

    if (tls->client == NULL || tls->heard || !is_refusal(error) || !is_about_us(error))
        return false;
    note_error(tls, error);
    return true;
}
