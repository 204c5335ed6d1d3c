#include "tls/tickets.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pthread.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/mem.h"
#include "tls/tickets_int.h"
#include "tls/tls_int.h"

#define SECRETS  GATE_TLS_SECRETS
#define NAME     sizeof(((struct gate_tls_secret *)0)->name)
#define KEY      32
#define MAX_AGE  (GATE_TLS_TICKET_HOURS * 3600ull * GATE_SEC)

/* Under one secret: AES-256-CBC and HMAC-SHA-256, by halves. */
struct keys {
    unsigned char cipher[KEY];
    unsigned char mac[KEY];
};

struct gate_tls_tickets {
    const struct gate_clock *clock;
    EVP_CIPHER *cipher;
    pthread_mutex_t lock;           /* of all below, and of the spaces */
    struct gate_tls_secrets secrets;
    bool news;                      /* nobody has been told of these */
    struct gate_list spaces;
};

struct gate_tls_space {
    struct gate_list node;
    struct gate_tls_tickets *tickets;
    uint32_t refs;
    unsigned char policy[GATE_TLS_POLICY_BYTES];
    struct keys keys[SECRETS];      /* by secret */
};

static void derive(struct gate_tls_space *s, int i)
{
    const struct gate_tls_secret *secret = &s->tickets->secrets.v[i];
    unsigned int n = sizeof(s->keys[i]);

    if (secret->made_ns != 0)
        GATE_ASSERT(HMAC(EVP_sha512(), secret->bytes, KEY, s->policy, sizeof(s->policy),
                         (unsigned char *)&s->keys[i], &n) != NULL);
}

static void derive_all_locked(struct gate_tls_tickets *t)
{
    for (struct gate_list *n = t->spaces.next; n != &t->spaces; n = n->next) {
        for (int i = 0; i < SECRETS; i++)
            derive(gate_container_of(n, struct gate_tls_space, node), i);
    }
}

/* Brings the secrets to the present: a new one when the newest is old, none that is too old. */
static void refresh_locked(struct gate_tls_tickets *t)
{
    uint64_t now = gate_clock_now_ns(t->clock);
    struct gate_tls_secret *s = t->secrets.v;

    if (s[0].made_ns != 0 && now - s[0].made_ns < MAX_AGE)
        return;
    memmove(&s[1], &s[0], (SECRETS - 1) * sizeof(*s));
    s[0] = (struct gate_tls_secret){.made_ns = now};
    t->news = true;
    GATE_ASSERT(RAND_bytes(s[0].name, NAME) == 1 && RAND_priv_bytes(s[0].bytes, KEY) == 1);
    for (int i = 1; i < SECRETS; i++) {
        if (s[i].made_ns != 0 && now - s[i].made_ns >= SECRETS * MAX_AGE)
            OPENSSL_cleanse(&s[i], sizeof(s[i]));
    }
    derive_all_locked(t);
}

struct gate_tls_tickets *gate_tls_tickets_new(const struct gate_clock *clock)
{
    struct gate_tls_tickets *t = gate_calloc(1, sizeof(*t));

    t->clock = clock;
    t->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    GATE_ASSERT(t->cipher != NULL);
    pthread_mutex_init(&t->lock, NULL);
    gate_list_init(&t->spaces);
    return t;
}

void gate_tls_tickets_free(struct gate_tls_tickets **tickets)
{
    struct gate_tls_tickets *t = *tickets;

    *tickets = NULL;
    if (t == NULL)
        return;
    GATE_ASSERT(gate_list_empty(&t->spaces));
    EVP_CIPHER_free(t->cipher);
    pthread_mutex_destroy(&t->lock);
    OPENSSL_cleanse(t, sizeof(*t));
    gate_free(t);
}

void gate_tls_tickets_adopt(struct gate_tls_tickets *t, const struct gate_tls_secrets *secrets)
{
    uint64_t now = gate_clock_now_ns(t->clock);

    pthread_mutex_lock(&t->lock);
    t->secrets = *secrets;
    /* A test clock that was moved has gone with its engine. */
    for (int i = 0; i < SECRETS; i++) {
        if (t->secrets.v[i].made_ns > now)
            t->secrets.v[i].made_ns = now;
    }
    pthread_mutex_unlock(&t->lock);
}

bool gate_tls_tickets_news(struct gate_tls_tickets *t, struct gate_tls_secrets *out)
{
    bool news;

    pthread_mutex_lock(&t->lock);
    news = t->news;
    t->news = false;
    if (news)
        *out = t->secrets;
    pthread_mutex_unlock(&t->lock);
    return news;
}

static struct gate_tls_space *find_locked(struct gate_tls_tickets *t,
                                          const unsigned char policy[GATE_TLS_POLICY_BYTES])
{
    for (struct gate_list *n = t->spaces.next; n != &t->spaces; n = n->next) {
        struct gate_tls_space *s = gate_container_of(n, struct gate_tls_space, node);

        if (memcmp(s->policy, policy, sizeof(s->policy)) == 0)
            return s;
    }
    return NULL;
}

struct gate_tls_space *gate_tls_space_take(struct gate_tls_tickets *t,
                                           const unsigned char policy[GATE_TLS_POLICY_BYTES])
{
    struct gate_tls_space *s;

    pthread_mutex_lock(&t->lock);
    refresh_locked(t);
    s = find_locked(t, policy);
    if (s == NULL) {
        s = gate_calloc(1, sizeof(*s));
        s->tickets = t;
        memcpy(s->policy, policy, sizeof(s->policy));
        gate_list_push(&t->spaces, &s->node);
        for (int i = 0; i < SECRETS; i++)
            derive(s, i);
    }
    s->refs++;
    pthread_mutex_unlock(&t->lock);
    return s;
}

void gate_tls_space_unref(struct gate_tls_space **space)
{
    struct gate_tls_space *s = *space;
    struct gate_tls_tickets *t;

    *space = NULL;
    if (s == NULL)
        return;
    t = s->tickets;
    pthread_mutex_lock(&t->lock);
    if (--s->refs == 0)
        gate_list_remove(&s->node);
    else
        s = NULL;
    pthread_mutex_unlock(&t->lock);
    if (s != NULL) {
        OPENSSL_cleanse(s, sizeof(*s));
        gate_free(s);
    }
}

/* The keys of a name; without one, those that seal, and their name. False: nobody's. */
static bool keys_of(struct gate_tls_space *s, const unsigned char *wanted,
                    unsigned char name[NAME], struct keys *out, bool *newest)
{
    struct gate_tls_tickets *t = s->tickets;
    bool found = false;

    pthread_mutex_lock(&t->lock);
    refresh_locked(t);
    for (int i = 0; i < SECRETS && !found; i++) {
        found = t->secrets.v[i].made_ns != 0 &&
                (wanted == NULL || memcmp(wanted, t->secrets.v[i].name, NAME) == 0);
        if (found) {
            *out = s->keys[i];
            *newest = i == 0;
            memcpy(name, t->secrets.v[i].name, NAME);
        }
    }
    pthread_mutex_unlock(&t->lock);
    return found;
}

static bool use_keys(const EVP_CIPHER *cipher, struct keys *keys, const unsigned char *iv,
                     EVP_CIPHER_CTX *ctx, EVP_MAC_CTX *mac, int seal)
{
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, keys->mac, KEY),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_CipherInit_ex2(ctx, cipher, keys->cipher, iv, seal, NULL) == 1 &&
           EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* As OpenSSL asks: 1 it can be done, 2 so too, but a new ticket is due, 0 it cannot, -1 a fault. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *ctx,
                     EVP_MAC_CTX *mac, int seal)
{
    struct gate_tls_space *s = gate_tls_server_space(gate_tls_of_ssl(ssl)->server);
    struct keys keys;
    bool newest;
    bool ok;

    if (seal && RAND_bytes(iv, EVP_CIPHER_get_iv_length(s->tickets->cipher)) != 1)
        return -1;
    if (!keys_of(s, seal ? NULL : name, name, &keys, &newest))
        return 0;
    ok = use_keys(s->tickets->cipher, &keys, iv, ctx, mac, seal);
    OPENSSL_cleanse(&keys, sizeof(keys));
    if (!ok)
        return -1;
    /* In TLS 1.3 clients use a ticket once (RFC 8446 appendix C.4). */
    return seal || (newest && SSL_version(ssl) != TLS1_3_VERSION) ? 1 : 2;
}

static bool is_of_this_name(const SSL_SESSION *session, const SSL *ssl)
{
    struct gate_str name = gate_str_from_cstr(SSL_SESSION_get0_hostname(session));

    if (name.n > 0 && name.p[name.n - 1] == '.')
        name.n--;
    return gate_str_ieq(name, gate_str_from_cstr(gate_tls_of_ssl(ssl)->sni));
}

/* A ticket was read, or not. In TLS 1.2 a session is of one name (RFC 6066 section 3); in TLS 1.3
 * it is of all names of its certificate (RFC 8446 section 4.6.1). */
static SSL_TICKET_RETURN on_read(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
                                 size_t n, SSL_TICKET_STATUS status, void *arg)
{
    (void)name, (void)n, (void)arg;
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    if (SSL_version(ssl) != TLS1_3_VERSION && !is_of_this_name(session, ssl))
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

void gate_tls_tickets_use(SSL_CTX *ctx)
{
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
    GATE_ASSERT(SSL_CTX_set_session_ticket_cb(ctx, NULL, on_read, NULL) == 1);
}
