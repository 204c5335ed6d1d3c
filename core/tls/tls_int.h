/* Private to tls/: a conn's TLS state, certificates, and what its files share of OpenSSL. */
#ifndef GATE_TLS_TLS_INT_H
#define GATE_TLS_TLS_INT_H

#include <openssl/ssl.h>

#include "tls/client.h"
#include "tls/pair.h"
#include "tls/sessions.h"
#include "tls/tls.h"

/* A name of 255 bytes at most (RFC 1035), and a NUL. */
#define GATE_TLS_NAME_CAP 256

struct gate_tls {
    SSL *ssl;
    struct gate_conn *conn;
    struct gate_loop *loop;             /* where `late` runs */
    const struct gate_conn_ops *inner;  /* the kind below */
    struct gate_tls_server *server;     /* a reference; NULL: we are the client: */
    struct gate_tls_client *client;     /* a reference; NULL: we are the server */
    struct gate_tls_sessions *sessions; /* what the server gives; a reference, or NULL */
    struct gate_tls_info *info;         /* a reference; NULL before the handshake is done */
    struct gate_chain out;              /* records that wait to be sent */
    size_t sealed;                      /* content in `out` that its writer does not know of */
    uint64_t written;                   /* bytes that have left for the kind below */
    struct gate_timer late;             /* sends what is held back for the first answer */
    uint8_t below;                      /* enum gate_err that ended the kind below; GATE_OK: none */
    uint8_t broke;                      /* what reads and writes answer from now on */
    uint8_t failure;                    /* enum gate_close_reason of a failed handshake */
    uint8_t key_updates;
    bool started;      /* something came; its first byte: */
    char first;
    bool asks;         /* the certificate is somebody else's choice, */
    bool waits;        /* who is thinking, */
    bool answered;     /* and has chosen: */
    bool refused;      /* none, */
    struct gate_tls_pair *pair; /* this one (owned), or NULL: as configured */
    bool done;         /* the handshake is */
    bool dry;          /* what OpenSSL holds is no whole record */
    bool shut;         /* close_notify was sent */
    bool heard;        /* the server has gone on after the handshake: it has taken ours */
    char *why;         /* of a failure with a server, a sentence part; owned */
    char *offer;       /* ALPN of a client that waits, a line each; owned */
    char *sni;         /* lower case, owned, while the handshake goes on; NULL: none */
};

/* bio.c. The way from OpenSSL to the kind below: reads at once, gathers what is written. */
BIO_METHOD *gate_tls_bio_method(void);
BIO *gate_tls_bio_new(struct gate_tls *tls, const BIO_METHOD *method);

/* Sends from tls->out. GATE_OK: all of it has left, or *n bytes of it. GATE_E_AGAIN: the conn's
 * write_wants says for what. */
enum gate_err gate_tls_flush(struct gate_tls *tls, size_t *n);

/* handshake.c. Errors of earlier calls are not this one's. */
void gate_tls_fresh(void);

static inline struct gate_tls *gate_tls_of_ssl(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

/* pem.c. A file's bytes (secrets among them: closing wipes them), and a BIO that reads them. */
struct gate_pem {
    char *bytes;
    size_t n;
    uint64_t hash;
    BIO *bio;
};

/* What messages call a file: its name; never the text itself that stands in the place of one. */
struct gate_str gate_pem_label(struct gate_str name);

/* The file of that name, or the name itself when it is PEM text. `what` it is, for `why`. */
enum gate_err gate_pem_open(struct gate_pem *f, struct gate_str name, const char *what,
                            const struct gate_tls_files *files, char *why, size_t cap);
void gate_pem_close(struct gate_pem *f);

/* authorities.c. Whom to believe; `what` they are, for `why`. */
struct gate_authorities {
    STACK_OF(X509_NAME) *names;
    X509_STORE *store;
    uint64_t hash;                  /* of what the file holds */
};

enum gate_err gate_authorities_load(struct gate_str name, const char *what,
                                    const struct gate_tls_files *files,
                                    struct gate_authorities **out, char *why, size_t cap);
void gate_authorities_free(struct gate_authorities **a);

/* Those that the system believes: s->read from here on. */
enum gate_err gate_authorities_system(struct gate_tls_system *s,
                                      const struct gate_tls_files *files, char *why, size_t cap);

/* client_auth.c. What is demanded of clients. */
struct gate_client_auth {
    int mode;                               /* enum gate_client_auth_mode */
    struct gate_authorities *authorities;   /* their names are told to clients */
};

enum gate_err gate_client_auth_load(struct gate_client_auth *a,
                                    const struct gate_tls_config *config,
                                    const struct gate_tls_files *files, char *why, size_t cap);
void gate_client_auth_fini(struct gate_client_auth *a);
uint64_t gate_client_auth_hash(const struct gate_client_auth *a);
void gate_client_auth_use(const struct gate_client_auth *a, SSL_CTX *ctx);

/* Fills in what the client has proved; the texts are the caller's to free (gate_free). False: its
 * certificate does not do any more (a resumed session's may have ended). */
bool gate_client_auth_judge(SSL *ssl, struct gate_tls_info *info);

/* certificate.c. A chain and its key, and the names it has. */
enum gate_tls_kind { GATE_TLS_RSA, GATE_TLS_EC, GATE_TLS_OTHER, GATE_TLS_KINDS };

struct gate_certificate {
    X509 *leaf;
    STACK_OF(X509) *chain;
    EVP_PKEY *key;
    struct gate_str file;   /* as declared; owned */
    int64_t ends_s;
    unsigned char *staple;  /* an OCSP response, DER; NULL: none */
    size_t staple_n;
    int64_t staple_ends_s;
    enum gate_tls_kind kind;
    uint64_t hash;          /* of what the files hold */
};

enum gate_err gate_certificate_load(const struct gate_certificate_config *config,
                                    const struct gate_tls_files *files,
                                    struct gate_certificate **out, char *why, size_t why_cap);
void gate_certificate_free(struct gate_certificate **c);

/* The DNS names that it is for, in lower case. */
void gate_certificate_each_name(const struct gate_certificate *c,
                                void (*fn)(void *arg, struct gate_str name), void *arg);

/* Seconds of the wall clock. */
int64_t gate_tls_seconds(const ASN1_TIME *t);

/* staple.c. The OCSP response for a certificate that is loaded; its bytes count for the hash. */
enum gate_err gate_staple_load(struct gate_certificate *c, struct gate_str name,
                               const struct gate_tls_files *files, char *why, size_t cap);

/* Gives clients who ask for it the response for the certificate that they are shown, one of
 * `pairs`, which outlive the context. */
void gate_staple_use(SSL_CTX *ctx, struct gate_certificate *const pairs[GATE_TLS_KINDS]);

/* context.c. What all contexts have: versions, ciphers, groups, modes. False: OpenSSL says why. */
bool gate_tls_context_common(SSL_CTX *ctx, int min_version);

/* A context for these certificates (at most one of a kind; none: for handshakes that choose later),
 * which outlive it as `pairs` does. NULL: why. */
SSL_CTX *gate_tls_context_new(struct gate_tls_server *server, const struct gate_tls_config *config,
                              struct gate_certificate *const pairs[GATE_TLS_KINDS],
                              const struct gate_client_auth *auth, char *why, size_t why_cap);

/* server.c. The context for a name; NULL: there is none, and none for others. */
SSL_CTX *gate_tls_server_context(const struct gate_tls_server *s, struct gate_str sni);

/* Where its tickets are sealed. */
struct gate_tls_space *gate_tls_server_space(const struct gate_tls_server *s);

/* client.c */
SSL_CTX *gate_tls_client_context(const struct gate_tls_client *c);
const BIO_METHOD *gate_tls_client_bio(const struct gate_tls_client *c);
bool gate_tls_client_verifies(const struct gate_tls_client *c);

/* The name that its servers must have; "": each its own. */
const char *gate_tls_client_name(const struct gate_tls_client *c);
bool gate_tls_client_offers(const struct gate_tls_client *c, struct gate_str protocol);

/* sessions.c. Takes one more reference; NULL is fine. */
struct gate_tls_sessions *gate_tls_sessions_ref(struct gate_tls_sessions *s);

/* Takes a session over. */
void gate_tls_sessions_keep(struct gate_tls_sessions *s, SSL_SESSION *session);

/* Has a handshake resume the newest that will do, if there is one. */
void gate_tls_sessions_use(struct gate_tls_sessions *s, SSL *ssl);

/* tls.c. Lays TLS over a conn, for either side. False: OpenSSL has no memory; nothing was done. */
bool gate_tls_lay(struct gate_tls *tls, struct gate_conn *c, SSL_CTX *ctx,
                  const BIO_METHOD *method);

/* connect.c. Our half of the end of a handshake with a server: whether all is as it has to be; and
 * why it failed. */
bool gate_tls_connect_judge(const struct gate_tls *tls, struct gate_str alpn);
void gate_tls_connect_explain(struct gate_tls *tls);

/* A server that refuses us after our half of the handshake is done (TLS 1.3: it looks at our
 * certificate then). False: this is none. */
bool gate_tls_connect_refused(struct gate_tls *tls);

/* pair.c. Puts it in the place of all certificates that the connection has. */
bool gate_tls_pair_use(const struct gate_tls_pair *p, SSL *ssl, const char *sni);

/* Its connections' BIOs have this method, which lives as long as the server. */
const BIO_METHOD *gate_tls_server_bio(const struct gate_tls_server *s);

/* Where relative paths begin: "" or with a '/' at its end. */
struct gate_str gate_tls_server_dir(const struct gate_tls_server *s);

/* Where new handshakes begin. */
SSL_CTX *gate_tls_server_base(const struct gate_tls_server *s);

/* The protocols that are offered, as ALPN has them on the wire, the first the best. */
struct gate_str gate_tls_server_alpn(const struct gate_tls_server *s);

/* errors.c. Puts the newest error of this thread's queue behind what `why` says, and empties the
 * queue. */
void gate_tls_explain(char *why, size_t why_cap, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
