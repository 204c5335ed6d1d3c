/* Configuration: what a gateway file declared, as plain immutable data. Built once, shared by all
 * threads of a generation, which owns it; all memory is its arena's. Ordinals (route, upstream,
 * policy) are indexes into these arrays. */
#ifndef GATE_CONFIG_CONFIG_H
#define GATE_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "base/names.h"
#include "base/str.h"

#define GATE_NO_ORDINAL UINT32_MAX

/* Hooks in the order of a request's life. The set that a policy or route has is a mask of 1 <<
 * hook. */
enum gate_hook {
    GATE_HOOK_CONNECT,
    GATE_HOOK_CERTIFICATE,
    GATE_HOOK_REQUEST,
    GATE_HOOK_ROUTE,
    GATE_HOOK_CACHE,
    GATE_HOOK_BALANCE,
    GATE_HOOK_REQUEST_BODY,
    GATE_HOOK_STORE,
    GATE_HOOK_RESPONSE,
    GATE_HOOK_BODY,
    GATE_HOOK_FAULT,
    GATE_HOOK_LOG,
    GATE_HOOK_COUNT
};

/* "request"; never NULL. */
const char *gate_hook_name(enum gate_hook h);

/* A certificate with its chain, and its key: paths of PEM files, relative ones from the gateway
 * file's folder. */
struct gate_certificate_config {
    struct gate_str cert;
    struct gate_str key;
    struct gate_str ocsp; /* an OCSP response to staple, DER; empty: none */
    const struct gate_str *names; /* lower case; none: those that the certificate has */
    uint32_t n_names;
    bool fallback; /* for clients that ask for no name, or for one that no certificate has */
};

enum gate_tls_version { GATE_TLS_1_2, GATE_TLS_1_3 };

/* Whether clients are asked for a certificate, and may go on without a good one. */
enum gate_client_auth_mode {
    GATE_CLIENT_AUTH_NONE,
    GATE_CLIENT_AUTH_REQUEST,
    GATE_CLIENT_AUTH_REQUIRE
};

/* TLS to the clients of a listener. */
struct gate_tls_config {
    const struct gate_certificate_config *certificates;
    uint32_t n_certificates;
    int min_version; /* enum gate_tls_version */
    int client_auth; /* enum gate_client_auth_mode */
    struct gate_str client_ca; /* path of the authorities, PEM */
};

/* TLS to the servers of an upstream. */
struct gate_tls_client_config {
    bool verify;
    struct gate_str ca;          /* path of the authorities, PEM; empty: the system's */
    struct gate_str server_name; /* asked for and verified; empty: each server's host */
    struct gate_str cert;        /* ours, a path; empty: none */
    struct gate_str key;
    int min_version;             /* enum gate_tls_version */
    const struct gate_str *alpn; /* protocols that are offered, the best first; 1 to 255 bytes */
    uint32_t n_alpn;
};

struct gate_listener_config {
    struct gate_str text; /* as declared */
    struct gate_addr addr;
    struct gate_cidr_set trust;
    int mode;    /* of a Unix socket; -1: none given */
    int backlog; /* 0: the system's */
    bool half_close;
    bool proxy_protocol; /* a PROXY header is required, from `trust` */
    bool http2; /* by ALPN, and by prior knowledge where it is plain */
    const struct gate_tls_config *tls; /* NULL: plain */
    struct gate_str at; /* "gateway.lua:3" */
};

/* A function of the gateway file chooses, or else it is done in turn. */
enum gate_balance {
    GATE_BALANCE_ROUND_ROBIN,
    GATE_BALANCE_LEAST_REQUESTS,
    GATE_BALANCE_FUNCTION
};
/* What is spoken to an upstream. Auto: what TLS agrees on; without it HTTP/1.1. */
enum gate_http2 { GATE_HTTP2_NEVER, GATE_HTTP2_ALWAYS, GATE_HTTP2_AUTO };
enum gate_upstream_host { GATE_HOST_CLIENT, GATE_HOST_PEER, GATE_HOST_NAME };

struct gate_server_config {
    struct gate_str text; /* "host:port" or "unix:/path" */
    struct gate_str host; /* without port; the path of a Unix socket */
    uint16_t port;
    bool numeric; /* addr is set; else the host is a name for DNS */
    struct gate_addr addr;
    uint32_t weight;
    uint32_t max_connections; /* 0: none */
    bool backup;
    bool down;
    struct gate_str zone;
};

#define GATE_TIMEOUT_NOT_GIVEN UINT32_MAX

/* Milliseconds; 0: none. Not given in a route: the upstream's counts. Only first_byte and read may
 * not be given in an upstream: 60 s, and none for gRPC. */
struct gate_timeouts {
    uint32_t connect_ms;
    uint32_t send_ms;
    uint32_t first_byte_ms;
    uint32_t read_ms;
    uint32_t total_ms;
};

enum gate_retry_on { GATE_RETRY_CONNECT = 1, GATE_RETRY_RESET = 2, GATE_RETRY_TIMEOUT = 4 };

struct gate_upstream_config {
    struct gate_str name;
    uint32_t ordinal;
    enum gate_balance balance;
    enum gate_upstream_host host;
    int forwarded; /* enum gate_forwarded_style */
    int proxy_protocol; /* enum gate_proxy_version */
    enum gate_http2 http2;
    const struct gate_tls_client_config *tls; /* NULL: plain */
    const struct gate_server_config *servers;
    uint32_t n_servers;
    uint32_t idle; /* links kept per worker */
    uint32_t idle_timeout_ms;
    uint32_t max_requests; /* of one link; 0: none */
    uint32_t max_age_ms;
    struct gate_timeouts timeouts;
    uint32_t tries;
    uint32_t retry_on; /* mask of enum gate_retry_on */
    const int *retry_statuses;
    uint32_t n_retry_statuses;
    uint32_t budget_percent;
    struct gate_str at;
};

struct gate_policy_config {
    struct gate_str name;
    uint32_t hooks; /* mask */
    bool open;      /* on_error = "open" */
    bool guards;
    bool decode; /* body hooks get plain bytes */
    uint32_t cpu_us; /* 0: limits.hook_cpu_us */
};

/* name must be present (value.p NULL) or have this value. */
struct gate_match {
    struct gate_str name;
    struct gate_str value;
};

enum gate_action {
    GATE_ACTION_UPSTREAM,
    GATE_ACTION_REPLY,
    GATE_ACTION_HANDLER,
    GATE_ACTION_REDIRECT,
    GATE_ACTION_NONE
};

struct gate_reply_config {
    int status;
    struct gate_str body;
    const struct gate_match *headers; /* name, value */
    uint32_t n_headers;
};

struct gate_route_config {
    uint32_t ordinal;
    struct gate_str name;           /* given, or host and path */
    struct gate_str host;           /* lower case; "" any; "*.x" suffix */
    struct gate_str path;           /* "" any */
    const struct gate_str *methods; /* none: any */
    uint32_t n_methods;
    const struct gate_match *headers;
    uint32_t n_headers;
    const struct gate_match *query;
    uint32_t n_query;
    bool when; /* a function decides too */
    int32_t priority;
    enum gate_action action;
    uint32_t upstream; /* ordinal */
    struct gate_reply_config reply;
    struct gate_str redirect_to;
    int redirect_status;
    struct gate_str rewrite;
    const uint32_t *use; /* policy ordinals in the order of use */
    uint32_t n_use;
    uint32_t hooks; /* mask of these policies' hooks */
    struct gate_timeouts timeouts;
    bool timed;                     /* one of them is given */
    bool client_cert;               /* the client must have shown a good one */
    int64_t max_body;               /* -1: the limits' */
    const struct gate_str *upgrade; /* protocols that may pass */
    uint32_t n_upgrade;
    struct gate_str at;
};

enum { GATE_UNDERSCORES_DROP, GATE_UNDERSCORES_REJECT, GATE_UNDERSCORES_KEEP };

struct gate_limits {
    uint32_t header_bytes;
    uint32_t header_count;
    uint32_t target_bytes;
    int64_t body_bytes;          /* -1: none */
    uint32_t connections;        /* 0: from the descriptor limit */
    uint32_t connections_per_ip; /* 0: none */
    uint32_t handshakes; /* TLS handshakes that may be under way */
    uint32_t handshake_timeout_ms;
    uint32_t header_timeout_ms;
    uint32_t idle_timeout_ms;
    uint32_t body_rate; /* bytes a second after 10 s */
    uint32_t write_stall_ms;
    uint32_t hook_cpu_us;
    uint32_t task_time_ms;
    uint64_t vm_memory;
    uint32_t load_time_ms;
    uint8_t underscores; /* numbers of enum gate_underscores (http/head.h) */
    bool encoded_slash_reject;
    bool merge_slashes;
    struct gate_cidr_set outbound_allow;
    struct gate_cidr_set outbound_deny;
};

struct gate_process_config {
    uint32_t workers;    /* 0: one per CPU */
    struct gate_str log; /* "stderr" or a path */
    enum gate_log_level log_level;
    struct gate_str access_log; /* "stdout", a path, or "" for off */
    bool access_json;
    struct gate_str control; /* "" default */
    uint32_t drain_ms;
};

/* gate.every. */
struct gate_timer_config {
    uint32_t period_ms;
    bool on_all; /* workers; false: one of them */
    struct gate_str at;
};

struct gate_shared_config {
    struct gate_str name;
    uint64_t bytes;
    struct gate_str at;
};

struct gate_config {
    struct gate_arena arena; /* of all the rest */
    struct gate_str text;    /* the canonical JSON */
    uint64_t hash;           /* of text, for comparing workers */
    struct gate_process_config process;
    struct gate_limits limits;
    const struct gate_listener_config *listeners;
    uint32_t n_listeners;
    const struct gate_upstream_config *upstreams;
    uint32_t n_upstreams;
    const struct gate_policy_config *policies;
    uint32_t n_policies;
    const uint32_t *global; /* policy ordinals */
    uint32_t n_global;
    uint32_t global_hooks; /* mask */
    const struct gate_route_config *routes;
    uint32_t n_routes;
    const struct gate_timer_config *timers;
    uint32_t n_timers;
    const struct gate_shared_config *shared;
    uint32_t n_shared;
    struct gate_names upstream_names; /* ordinals */
    struct gate_names route_names;    /* ordinals */
};

/* Reads the canonical JSON that the Lua library emits. The text is our own: a fault in it is a bug
 * and says where (`why`, in a caller's buffer). The result is freed by gate_config_free. Any
 * thread. */
enum gate_err gate_config_parse(struct gate_str json, struct gate_config **out, char *why,
                                size_t why_cap);
void gate_config_free(struct gate_config **config);

/* The address of a listener. It binds at start, before DNS: a host is numeric, or localhost. */
enum gate_err gate_config_listen_addr(struct gate_str text, struct gate_addr *out);

#endif
