#include "base/close_reason.h"

#include <stddef.h>

static const char *const names[GATE_CLOSE_COUNT] = {
    [GATE_CLOSE_NONE] = "none",
    [GATE_CLOSE_CLIENT_EOF] = "client_eof",
    [GATE_CLOSE_CLIENT_ABORT] = "client_abort",
    [GATE_CLOSE_CLIENT_RESET] = "client_reset",
    [GATE_CLOSE_ASKED] = "asked",
    [GATE_CLOSE_BAD_REQUEST] = "bad_request",
    [GATE_CLOSE_HEADER_TIMEOUT] = "header_timeout",
    [GATE_CLOSE_BODY_TIMEOUT] = "body_timeout",
    [GATE_CLOSE_IDLE_TIMEOUT] = "idle_timeout",
    [GATE_CLOSE_WRITE_STALL] = "write_stall",
    [GATE_CLOSE_EARLY_ANSWER] = "early_answer",
    [GATE_CLOSE_UPSTREAM_TRUNCATED] = "upstream_truncated",
    [GATE_CLOSE_FAULT] = "fault",
    [GATE_CLOSE_HOOK] = "hook",
    [GATE_CLOSE_LIMIT] = "limit",
    [GATE_CLOSE_PROXY_HEADER] = "proxy_header",
    [GATE_CLOSE_DRAIN] = "drain",
    [GATE_CLOSE_TUNNEL_END] = "tunnel_end",
    [GATE_CLOSE_HTTP2_ERROR] = "http2_error",
    [GATE_CLOSE_HTTP2_FLOOD] = "http2_flood",
    [GATE_CLOSE_TLS_GONE] = "tls_gone",
    [GATE_CLOSE_TLS_TIMEOUT] = "tls_timeout",
    [GATE_CLOSE_TLS_CROWDED] = "tls_crowded",
    [GATE_CLOSE_TLS_PLAIN_HTTP] = "tls_plain_http",
    [GATE_CLOSE_TLS_VERSION] = "tls_version",
    [GATE_CLOSE_TLS_CIPHER] = "tls_cipher",
    [GATE_CLOSE_TLS_NAME] = "tls_name",
    [GATE_CLOSE_TLS_HOOK] = "tls_hook",
    [GATE_CLOSE_TLS_ALPN] = "tls_alpn",
    [GATE_CLOSE_TLS_CLIENT_CERT] = "tls_client_cert",
    [GATE_CLOSE_TLS_ALERT] = "tls_alert",
    [GATE_CLOSE_TLS_PROTOCOL] = "tls_protocol",
    [GATE_CLOSE_TLS_SYSTEM] = "tls_system",
    [GATE_CLOSE_LINK_IDLE] = "link_idle",
    [GATE_CLOSE_LINK_DIRTY] = "link_dirty",
    [GATE_CLOSE_LINK_ENDED] = "link_ended",
    [GATE_CLOSE_LINK_ERROR] = "link_error",
    [GATE_CLOSE_LINK_TLS_TIMEOUT] = "link_tls_timeout",
    [GATE_CLOSE_LINK_TLS_GONE] = "link_tls_gone",
    [GATE_CLOSE_LINK_TLS_VERIFY] = "link_tls_verify",
    [GATE_CLOSE_LINK_TLS_ALERT] = "link_tls_alert",
    [GATE_CLOSE_LINK_TLS_ALPN] = "link_tls_alpn",
    [GATE_CLOSE_LINK_TLS_PROTOCOL] = "link_tls_protocol",
};

const char *gate_close_reason_name(enum gate_close_reason why)
{
    if ((unsigned)why >= GATE_CLOSE_COUNT || names[why] == NULL)
        return "unknown";
    return names[why];
}
