/* OCSP responses from files, stapled to handshakes. Whoever keeps the files fetches them. */
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"
#include "tls/tls_int.h"

/* What the response says of the certificate; NULL: nothing. */
static OCSP_SINGLERESP *find_single(OCSP_BASICRESP *basic, X509 *leaf)
{
    for (int i = 0; i < OCSP_resp_count(basic); i++) {
        OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);
        ASN1_INTEGER *serial;

        OCSP_id_get0_info(NULL, NULL, NULL, &serial,
                          (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single));
        if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) == 0)
            return single;
    }
    return NULL;
}

/* What is wrong with a response; NULL: nothing. Its signature is the client's to check. */
static const char *judge(struct gate_certificate *c, OCSP_RESPONSE *response)
{
    OCSP_BASICRESP *basic = NULL;
    OCSP_SINGLERESP *single = NULL;
    ASN1_GENERALIZEDTIME *next = NULL;
    const char *fault = NULL;
    int status = 0;

    if (response == NULL)
        return "is no OCSP response in DER";
    if (OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
        basic = OCSP_response_get1_basic(response);
    if (basic != NULL)
        single = find_single(basic, c->leaf);
    if (basic == NULL)
        fault = "says only that the responder could not answer";
    else if (single == NULL)
        fault = "says nothing of this certificate";
    else
        status = OCSP_single_get0_status(single, NULL, NULL, NULL, &next);
    if (fault == NULL && status != V_OCSP_CERTSTATUS_GOOD)
        fault = "does not say that the certificate is good";
    c->staple_ends_s = next == NULL ? 0 : gate_tls_seconds(next);
    OCSP_BASICRESP_free(basic);
    return fault;
}

enum gate_err gate_staple_load(struct gate_certificate *c, struct gate_str name,
                               const struct gate_tls_files *files, char *why, size_t cap)
{
    struct gate_pem f;
    OCSP_RESPONSE *response;
    const char *fault;

    if (gate_pem_open(&f, name, "OCSP response", files, why, cap) != GATE_OK)
        return GATE_E_INVALID;
    response = d2i_OCSP_RESPONSE_bio(f.bio, NULL);
    fault = judge(c, response);
    if (fault == NULL && BIO_pending(f.bio) > 0)
        fault = "has bytes behind its end";
    if (fault == NULL) {
        c->staple = gate_alloc(f.n);
        memcpy(c->staple, f.bytes, f.n);
        c->staple_n = f.n;
        c->hash = c->hash * 31 + f.hash;
    } else {
        snprintf(why, cap, "the OCSP response %.*s for %.*s %s", (int)name.n, name.p,
                 (int)c->file.n, c->file.p, fault);
    }
    OCSP_RESPONSE_free(response);
    gate_pem_close(&f);
    ERR_clear_error();
    return fault == NULL ? GATE_OK : GATE_E_INVALID;
}

/* The one that the client is shown; NULL: a hook has chosen another. */
static const struct gate_certificate *shown(SSL *ssl, struct gate_certificate *const *pairs)
{
    const X509 *leaf = SSL_get_certificate(ssl);

    for (int i = 0; i < GATE_TLS_KINDS; i++) {
        if (pairs[i] != NULL && pairs[i]->leaf == leaf)
            return pairs[i];
    }
    return NULL;
}

/* One that has ended would only make clients suspicious. */
static int on_status(SSL *ssl, void *pairs)
{
    const struct gate_certificate *c = shown(ssl, pairs);
    unsigned char *copy;

    if (c == NULL || c->staple == NULL ||
        (c->staple_ends_s != 0 && c->staple_ends_s <= (int64_t)time(NULL)))
        return SSL_TLSEXT_ERR_NOACK;
    copy = OPENSSL_memdup(c->staple, c->staple_n);
    if (copy == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)c->staple_n);
    return SSL_TLSEXT_ERR_OK;
}

void gate_staple_use(SSL_CTX *ctx, struct gate_certificate *const pairs[GATE_TLS_KINDS])
{
    SSL_CTX_set_tlsext_status_cb(ctx, on_status);
    SSL_CTX_set_tlsext_status_arg(ctx, (void *)pairs);
}
