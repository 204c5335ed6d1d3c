#include "tls/server.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "tls/names_int.h"
#include "tls/tickets_int.h"
#include "tls/tls_int.h"

static const char http_1_1[] = "\x08http/1.1";
static const char http_2[] = "\x02h2\x08http/1.1";

/* A context, and the certificates that it has. */
struct context {
    struct gate_certificate *pairs[GATE_TLS_KINDS];
    SSL_CTX *ctx;
};

struct gate_tls_server {
    _Atomic uint32_t refs;
    uint64_t hash;
    struct gate_certificate **certificates;
    uint32_t n_certificates;
    struct context *contexts; /* the first one is that of the fallback, or has no certificates */
    uint32_t n_contexts;
    bool has_fallback;
    bool http2;
    struct gate_str dir; /* owned */
    BIO_METHOD *bio;
    struct gate_tls_names names;
    struct gate_client_auth auth;
    struct gate_tls_space *space; /* NULL: tickets are OpenSSL's own */
};

/* Making */

static enum gate_err load_certificates(struct gate_tls_server *s,
                                       const struct gate_tls_config *config,
                                       const struct gate_tls_files *files, char *why, size_t cap)
{
    s->certificates = gate_calloc(config->n_certificates + 1, sizeof(*s->certificates));
    s->hash = (uint64_t)config->min_version;
    while (s->n_certificates < config->n_certificates) {
        struct gate_certificate **c = &s->certificates[s->n_certificates];
        enum gate_err err =
            gate_certificate_load(&config->certificates[s->n_certificates], files, c, why, cap);

        if (err != GATE_OK)
            return err;
        s->hash = s->hash * 31 + (*c)->hash;
        s->n_certificates++;
    }
    return GATE_OK;
}

struct claimant {
    struct gate_tls_names *names;
    struct gate_certificate *certificate;
    enum gate_tls_rank rank;
};

static void claim_name(void *arg, struct gate_str name)
{
    const struct claimant *c = arg;

    gate_tls_names_claim(c->names, name, c->certificate, c->rank);
}

static enum gate_err build_names(struct gate_tls_server *s, const struct gate_tls_config *config,
                                 char *why, size_t cap)
{
    const struct gate_tls_claim *a, *b;
    uint32_t before;

    for (uint32_t i = 0; i < s->n_certificates; i++) {
        const struct gate_certificate_config *c = &config->certificates[i];
        struct claimant claimant = {
            .names = &s->names,
            .certificate = s->certificates[i],
            .rank = c->n_names > 0 ? GATE_TLS_RANK_GIVEN
                    : c->fallback  ? GATE_TLS_RANK_FALLBACK
                                   : GATE_TLS_RANK_OWN,
        };

        for (uint32_t k = 0; k < c->n_names; k++)
            claim_name(&claimant, c->names[k]);
        before = s->names.n_claims;
        if (c->n_names == 0)
            gate_certificate_each_name(s->certificates[i], claim_name, &claimant);
        if (claimant.rank == GATE_TLS_RANK_OWN && s->names.n_claims == before) {
            snprintf(why, cap, "%.*s has no DNS name (subjectAltName), so no client would get it: "
                     "give names = { ... }", (int)s->certificates[i]->file.n,
                     s->certificates[i]->file.p);
            return GATE_E_INVALID;
        }
    }
    if (gate_tls_names_build(&s->names, &a, &b))
        return GATE_OK;
    snprintf(why, cap, "%.*s and %.*s are both for \"%.*s\", and of one kind",
             (int)a->certificate->file.n, a->certificate->file.p, (int)b->certificate->file.n,
             b->certificate->file.p, (int)a->text.n, a->text.p);
    return GATE_E_INVALID;
}

/* The context with exactly these certificates, made when there is none; false: why. */
static bool context_of(struct gate_tls_server *s, const struct gate_tls_config *config,
                       struct gate_certificate *const pairs[GATE_TLS_KINDS], uint32_t *out,
                       char *why, size_t cap)
{
    struct context *c;

    for (*out = 0; *out < s->n_contexts; ++*out) {
        if (memcmp(s->contexts[*out].pairs, pairs, sizeof(c->pairs)) == 0)
            return true;
    }
    c = &s->contexts[s->n_contexts];
    memcpy(c->pairs, pairs, sizeof(c->pairs));
    c->ctx = gate_tls_context_new(s, config, c->pairs, &s->auth, why, cap);
    s->n_contexts += c->ctx != NULL;
    return c->ctx != NULL;
}

static enum gate_err build_contexts(struct gate_tls_server *s,
                                    const struct gate_tls_config *config, char *why, size_t cap)
{
    struct gate_certificate *fallback[GATE_TLS_KINDS] = {NULL};
    uint32_t first;

    for (uint32_t i = 0; i < s->n_certificates; i++) {
        struct gate_certificate **of_kind = &fallback[s->certificates[i]->kind];

        if (!config->certificates[i].fallback)
            continue;
        s->has_fallback = true;
        if (*of_kind != NULL && *of_kind != s->certificates[i]) {
            snprintf(why, cap, "%.*s and %.*s are both of one kind: cert takes one RSA and one "
                     "ECDSA certificate", (int)(*of_kind)->file.n, (*of_kind)->file.p,
                     (int)s->certificates[i]->file.n, s->certificates[i]->file.p);
            return GATE_E_INVALID;
        }
        *of_kind = s->certificates[i];
    }
    s->contexts = gate_calloc(s->names.n + 1, sizeof(*s->contexts));
    if (!context_of(s, config, fallback, &first, why, cap))
        return GATE_E_INVALID;
    for (uint32_t i = 0; i < s->names.n; i++) {
        struct gate_tls_name *name = &s->names.v[i];

        if (!context_of(s, config, name->pairs, &name->context, why, cap))
            return GATE_E_INVALID;
    }
    return GATE_OK;
}

/* Sessions are resumed only for the same names under the same demands: both make the session id
 * context, and the demands choose the keys of tickets. New certificates change neither. */
static void bind_sessions(struct gate_tls_server *s, struct gate_tls_tickets *tickets)
{
    const uint64_t demands[] = {(uint64_t)s->auth.mode, gate_client_auth_hash(&s->auth)};
    unsigned char policy[EVP_MAX_MD_SIZE];
    unsigned char id[EVP_MAX_MD_SIZE];
    EVP_MD_CTX **digests = gate_calloc(s->n_contexts, sizeof(*digests));
    unsigned int n;

    GATE_ASSERT(EVP_Digest(demands, sizeof(demands), policy, &n, EVP_sha256(), NULL) == 1);
    for (uint32_t i = 0; i < s->n_contexts; i++) {
        digests[i] = EVP_MD_CTX_new();
        GATE_ASSERT(EVP_DigestInit_ex2(digests[i], EVP_sha256(), NULL) == 1);
        EVP_DigestUpdate(digests[i], policy, GATE_TLS_POLICY_BYTES);
    }
    for (uint32_t i = 0; i < s->names.n; i++) {
        EVP_MD_CTX *digest = digests[s->names.v[i].context];

        EVP_DigestUpdate(digest, s->names.v[i].text.p, s->names.v[i].text.n);
        EVP_DigestUpdate(digest, "", 1);
    }
    for (uint32_t i = 0; i < s->n_contexts; i++) {
        EVP_DigestFinal_ex(digests[i], id, &n);
        EVP_MD_CTX_free(digests[i]);
        SSL_CTX_set_session_id_context(s->contexts[i].ctx, id, n);
        if (tickets != NULL)
            gate_tls_tickets_use(s->contexts[i].ctx);
    }
    gate_free(digests);
    if (tickets != NULL)
        s->space = gate_tls_space_take(tickets, policy);
}

enum gate_err gate_tls_server_new(const struct gate_tls_config *config,
                                  const struct gate_tls_files *files,
                                  struct gate_tls_tickets *tickets, struct gate_tls_server **out,
                                  char *why, size_t why_cap)
{
    struct gate_tls_server *s = gate_calloc(1, sizeof(*s));
    enum gate_err err;

    atomic_init(&s->refs, 1);
    s->bio = gate_tls_bio_method();
    s->dir = gate_str_of(gate_strndup(files->dir.p, files->dir.n), files->dir.n);
    err = load_certificates(s, config, files, why, why_cap);
    if (err == GATE_OK)
        err = gate_client_auth_load(&s->auth, config, files, why, why_cap);
    if (err == GATE_OK)
        err = build_names(s, config, why, why_cap);
    if (err == GATE_OK)
        err = build_contexts(s, config, why, why_cap);
    if (err == GATE_OK)
        bind_sessions(s, tickets);
    if (err == GATE_OK)
        *out = s;
    else
        gate_tls_server_unref(&s);
    return err;
}

struct gate_tls_server *gate_tls_server_ref(struct gate_tls_server *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void gate_tls_server_unref(struct gate_tls_server **server)
{
    struct gate_tls_server *s = *server;

    *server = NULL;
    if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (uint32_t i = 0; i < s->n_contexts; i++)
        SSL_CTX_free(s->contexts[i].ctx);
    gate_free(s->contexts);
    gate_client_auth_fini(&s->auth);
    gate_tls_space_unref(&s->space);
    gate_tls_names_fini(&s->names);
    for (uint32_t i = 0; i < s->n_certificates; i++)
        gate_certificate_free(&s->certificates[i]);
    gate_free(s->certificates);
    gate_free((char *)s->dir.p);
    BIO_meth_free(s->bio);
    gate_free(s);
}

/* Asking */

uint64_t gate_tls_server_hash(const struct gate_tls_server *s)
{
    return s->hash * 31 + gate_client_auth_hash(&s->auth) * 3 + (uint64_t)s->auth.mode;
}

const BIO_METHOD *gate_tls_server_bio(const struct gate_tls_server *s)
{
    return s->bio;
}

struct gate_str gate_tls_server_dir(const struct gate_tls_server *s)
{
    return s->dir;
}

struct gate_tls_space *gate_tls_server_space(const struct gate_tls_server *s)
{
    return s->space;
}

SSL_CTX *gate_tls_server_base(const struct gate_tls_server *s)
{
    return s->contexts[0].ctx;
}

struct gate_str gate_tls_server_alpn(const struct gate_tls_server *s)
{
    return s->http2 ? gate_str_of(http_2, sizeof(http_2) - 1)
                    : gate_str_of(http_1_1, sizeof(http_1_1) - 1);
}

void gate_tls_server_offer_http2(struct gate_tls_server *s)
{
    s->http2 = true;
    s->hash ^= 0x6832; /* "h2" */
}

SSL_CTX *gate_tls_server_context(const struct gate_tls_server *s, struct gate_str sni)
{
    const struct gate_tls_name *name = sni.n == 0 ? NULL : gate_tls_names_find(&s->names, sni);

    if (name != NULL)
        return s->contexts[name->context].ctx;
    return s->has_fallback ? s->contexts[0].ctx : NULL;
}

bool gate_tls_server_covers(const struct gate_tls_server *s, struct gate_str sni,
                            struct gate_str host)
{
    const struct gate_tls_name *asked, *meant;

    if (sni.n == 0 || gate_str_eq(sni, host))
        return true;
    asked = gate_tls_names_find(&s->names, sni);
    meant = gate_tls_names_find(&s->names, host);
    return meant == NULL || meant->context == (asked == NULL ? 0 : asked->context);
}

void gate_tls_server_each(const struct gate_tls_server *s,
                          void (*fn)(void *arg, const struct gate_tls_term *term), void *arg)
{
    for (uint32_t i = 0; i < s->n_certificates; i++) {
        const struct gate_certificate *c = s->certificates[i];

        fn(arg, &(struct gate_tls_term){c->file, c->ends_s, c->staple_ends_s});
    }
}
