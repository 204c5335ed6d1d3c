#include "base/counters.h"

#include <stddef.h>

struct wording {
    const char *name;
    const char *help;
};

static const struct wording words[GATE_C_COUNT] = {
    [GATE_C_CLIENT_ACCEPTED] = {"moongate_client_connections_accepted_total",
                                "Client connections accepted."},
    [GATE_C_CLIENT_CLOSED] = {"moongate_client_connections_closed_total",
                              "Client connections closed."},
    [GATE_C_CLIENT_REFUSED] = {"moongate_client_connections_refused_total",
                               "Client connections refused over the connection limits."},
    [GATE_C_REQUESTS] = {"moongate_requests_total", "Requests begun."},
    [GATE_C_REQUESTS_DONE] = {"moongate_requests_done_total", "Requests ended."},
    [GATE_C_REQUESTS_BAD] = {"moongate_requests_bad_total",
                             "Request heads refused before a request began."},
    [GATE_C_FAULTS] = {"moongate_faults_total", "Requests answered with a fault."},
    [GATE_C_BYTES_IN] = {"moongate_client_received_bytes_total",
                         "Bytes of heads and bodies received from clients."},
    [GATE_C_BYTES_OUT] = {"moongate_client_sent_bytes_total",
                          "Bytes of heads and bodies sent to clients."},
    [GATE_C_LINKS_OPENED] = {"moongate_upstream_connections_opened_total",
                             "Upstream connections opened."},
    [GATE_C_LINKS_CLOSED] = {"moongate_upstream_connections_closed_total",
                             "Upstream connections closed."},
    [GATE_C_LINKS_REUSED] = {"moongate_upstream_connections_reused_total",
                             "Attempts that took an upstream connection used before."},
    [GATE_C_LINKS_HTTP2] = {"moongate_upstream_http2_connections_total",
                            "Upstream connections that speak HTTP/2."},
    [GATE_C_LINK_STREAMS] = {"moongate_upstream_http2_streams_total",
                             "Requests sent over HTTP/2."},
    [GATE_C_CONNECT_FAILURES] = {"moongate_upstream_connect_failures_total",
                                 "Upstream connections that could not be opened."},
    [GATE_C_RETRIES] = {"moongate_upstream_retries_total",
                        "Tries at another peer after one that failed."},
    [GATE_C_TUNNELS] = {"moongate_tunnels_total", "Requests that became tunnels."},
    [GATE_C_TUNNELS_DONE] = {"moongate_tunnels_done_total", "Tunnels that have ended."},
    [GATE_C_TUNNEL_BYTES_IN] = {"moongate_tunnel_received_bytes_total",
                                "Bytes from clients in tunnels that have ended."},
    [GATE_C_TUNNEL_BYTES_OUT] = {"moongate_tunnel_sent_bytes_total",
                                 "Bytes to clients in tunnels that have ended."},
    [GATE_C_UNDERSCORES_DROPPED] = {"moongate_header_underscores_dropped_total",
                                    "Request fields dropped for an underscore in the name."},
    [GATE_C_HOOK_ERRORS] = {"moongate_hook_errors_total", "Script hooks that raised an error."},
    [GATE_C_HOOK_KILLS] = {"moongate_hook_kills_total",
                           "Script hooks stopped for their time budget."},
    [GATE_C_HOOK_NOMEM] = {"moongate_hook_nomem_total",
                           "Script hooks stopped for their memory limit."},
    [GATE_C_LOG_DROPPED] = {"moongate_log_lines_dropped_total",
                            "Access and error lines dropped by a stuck sink."},
    [GATE_C_ACCEPT_FAILURES] = {"moongate_accept_failures_total",
                                "Failed calls of accept."},
    [GATE_C_H2_CONNECTIONS] = {"moongate_http2_connections_total",
                               "Client connections that speak HTTP/2."},
    [GATE_C_H2_STREAMS_REFUSED] = {"moongate_http2_streams_refused_total",
                                   "HTTP/2 streams refused over the limit of open streams."},
    [GATE_C_H2_RESETS_RECEIVED] = {"moongate_http2_resets_received_total",
                                   "HTTP/2 streams reset by the other side."},
    [GATE_C_H2_RESETS_SENT] = {"moongate_http2_resets_sent_total",
                               "HTTP/2 streams reset with an error."},
    [GATE_C_H2_ERRORS] = {"moongate_http2_errors_total",
                          "HTTP/2 frames and messages that break the protocol."},
    [GATE_C_H2_FLOODS] = {"moongate_http2_floods_total",
                          "HTTP/2 connections ended for a flood of frames or resets."},
    [GATE_C_TLS_HANDSHAKES] = {"moongate_tls_handshakes_total",
                               "TLS handshakes with clients that ended well."},
    [GATE_C_TLS_RESUMED] = {"moongate_tls_resumed_total",
                            "Of these, resumptions of an earlier session."},
    [GATE_C_TLS_FAILED] = {"moongate_tls_handshake_failures_total",
                           "TLS handshakes with clients that failed; why: "
                           "moongate_connections_closed_total, reasons tls_*."},
    [GATE_C_LINK_TLS_HANDSHAKES] = {"moongate_upstream_tls_handshakes_total",
                                    "TLS handshakes with servers that ended well."},
    [GATE_C_LINK_TLS_RESUMED] = {"moongate_upstream_tls_resumed_total",
                                 "Of these, resumptions of an earlier session."},
    [GATE_C_LINK_TLS_FAILED] = {"moongate_upstream_tls_handshake_failures_total",
                                "TLS handshakes with servers that failed; why: "
                                "moongate_connections_closed_total, reasons link_tls_*."},
};

const char *gate_counter_name(enum gate_counter which)
{
    if ((unsigned)which >= GATE_C_COUNT || words[which].name == NULL)
        return "unknown";
    return words[which].name;
}

const char *gate_counter_help(enum gate_counter which)
{
    if ((unsigned)which >= GATE_C_COUNT || words[which].help == NULL)
        return "Unknown.";
    return words[which].help;
}
