#include "tls/sessions.h"

#include <time.h>

#include "base/mem.h"
#include "tls/tls_int.h"

struct gate_tls_sessions {
    uint32_t refs;
    struct gate_tls_client *client;            /* a reference: the identity */
    SSL_SESSION *v[GATE_TLS_SESSIONS_MAX];     /* the newest first; NULL: none */
};

struct gate_tls_sessions *gate_tls_sessions_of(struct gate_tls_sessions **s,
                                               struct gate_tls_client *client)
{
    if (*s != NULL && gate_tls_client_same((*s)->client, client))
        return *s;
    gate_tls_sessions_unref(s);
    *s = gate_calloc(1, sizeof(**s));
    (*s)->refs = 1;
    (*s)->client = gate_tls_client_ref(client);
    return *s;
}

struct gate_tls_sessions *gate_tls_sessions_ref(struct gate_tls_sessions *s)
{
    if (s != NULL)
        s->refs++;
    return s;
}

void gate_tls_sessions_unref(struct gate_tls_sessions **sessions)
{
    struct gate_tls_sessions *s = *sessions;

    *sessions = NULL;
    if (s == NULL || --s->refs > 0)
        return;
    for (int i = 0; i < GATE_TLS_SESSIONS_MAX; i++)
        SSL_SESSION_free(s->v[i]);
    gate_tls_client_unref(&s->client);
    gate_free(s);
}

int gate_tls_sessions_count(const struct gate_tls_sessions *s)
{
    int n = 0;

    while (n < GATE_TLS_SESSIONS_MAX && s->v[n] != NULL)
        n++;
    return n;
}

void gate_tls_sessions_keep(struct gate_tls_sessions *s, SSL_SESSION *session)
{
    int last = GATE_TLS_SESSIONS_MAX - 1;

    SSL_SESSION_free(s->v[last]);
    memmove(&s->v[1], &s->v[0], (size_t)last * sizeof(s->v[0]));
    s->v[0] = session;
}

static void drop_first(struct gate_tls_sessions *s)
{
    int last = GATE_TLS_SESSIONS_MAX - 1;

    SSL_SESSION_free(s->v[0]);
    memmove(&s->v[0], &s->v[1], (size_t)last * sizeof(s->v[0]));
    s->v[last] = NULL;
}

/* A session ends with its certificate: nobody looks at that one again when it is resumed. */
static bool is_good(const SSL_SESSION *session)
{
    const X509 *peer = SSL_SESSION_get0_peer((SSL_SESSION *)session);
    long age = (long)time(NULL) - SSL_SESSION_get_time(session);

    return SSL_SESSION_is_resumable(session) && age < SSL_SESSION_get_timeout(session) &&
           (peer == NULL || X509_cmp_current_time(X509_get0_notAfter(peer)) > 0);
}

void gate_tls_sessions_use(struct gate_tls_sessions *s, SSL *ssl)
{
    bool good = false;

    while (!good && s->v[0] != NULL) {
        good = is_good(s->v[0]);
        if (good)
            SSL_set_session(ssl, s->v[0]);
        /* In TLS 1.3 each is used once (RFC 8446 appendix C.4). */
        if (!good || SSL_SESSION_get_protocol_version(s->v[0]) == TLS1_3_VERSION)
            drop_first(s);
    }
}
