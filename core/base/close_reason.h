/* Close reasons: why a client or upstream connection was closed; one value, one name. */
#ifndef GATE_BASE_CLOSE_REASON_H
#define GATE_BASE_CLOSE_REASON_H

enum gate_close_reason {
    GATE_CLOSE_NONE,
    GATE_CLOSE_CLIENT_EOF,          /* the client ended the connection between requests */
    GATE_CLOSE_CLIENT_ABORT,        /* the client went away inside an exchange */
    GATE_CLOSE_CLIENT_RESET,
    GATE_CLOSE_ASKED,               /* Connection: close, HTTP/1.0, a GOAWAY of ours */
    GATE_CLOSE_BAD_REQUEST,         /* refused head or body framing */
    GATE_CLOSE_HEADER_TIMEOUT,
    GATE_CLOSE_BODY_TIMEOUT,        /* below the minimum body rate */
    GATE_CLOSE_IDLE_TIMEOUT,
    GATE_CLOSE_WRITE_STALL,
    GATE_CLOSE_EARLY_ANSWER,        /* answered before the upload ended */
    GATE_CLOSE_UPSTREAM_TRUNCATED,  /* the answer broke off; visible to the client by this close */
    GATE_CLOSE_FAULT,               /* a fault after which the connection cannot go on */
    GATE_CLOSE_HOOK,                /* a connect hook said no */
    GATE_CLOSE_LIMIT,               /* too many connections */
    GATE_CLOSE_PROXY_HEADER,        /* no PROXY header, or from a stranger */
    GATE_CLOSE_DRAIN,
    GATE_CLOSE_TUNNEL_END,
    GATE_CLOSE_HTTP2_ERROR,         /* frames against the protocol */
    GATE_CLOSE_HTTP2_FLOOD,         /* too many frames or resets for what they brought */
    GATE_CLOSE_TLS_GONE,            /* the client went away inside a handshake */
    GATE_CLOSE_TLS_TIMEOUT,         /* a handshake took too long */
    GATE_CLOSE_TLS_CROWDED,         /* too many handshakes: the oldest makes room */
    GATE_CLOSE_TLS_PLAIN_HTTP,      /* answered with a 400 */
    GATE_CLOSE_TLS_VERSION,         /* no version in common */
    GATE_CLOSE_TLS_CIPHER,          /* no cipher suite, group or signature in common */
    GATE_CLOSE_TLS_NAME,            /* no certificate for the name that was asked for */
    GATE_CLOSE_TLS_HOOK,            /* the certificate hook failed, or gave what is none */
    GATE_CLOSE_TLS_ALPN,            /* no protocol in common */
    GATE_CLOSE_TLS_CLIENT_CERT,     /* the client has none, or one that is not good */
    GATE_CLOSE_TLS_ALERT,           /* the client refused (mostly: our certificate) */
    GATE_CLOSE_TLS_PROTOCOL,        /* bytes that are no TLS */
    GATE_CLOSE_TLS_SYSTEM,          /* no memory, or another fault of our own */
    GATE_CLOSE_LINK_IDLE,           /* an upstream link idled out, or the shelf was full */
    GATE_CLOSE_LINK_DIRTY,          /* an upstream link with bytes nobody asked for */
    GATE_CLOSE_LINK_ENDED,          /* the upstream closed it */
    GATE_CLOSE_LINK_ERROR,
    GATE_CLOSE_LINK_TLS_TIMEOUT,    /* a handshake with a server took too long */
    GATE_CLOSE_LINK_TLS_GONE,       /* the server went away inside it */
    GATE_CLOSE_LINK_TLS_VERIFY,     /* the server's certificate is not believed */
    GATE_CLOSE_LINK_TLS_ALERT,      /* the server refused (our certificate, our versions) */
    GATE_CLOSE_LINK_TLS_ALPN,       /* the server chose what was not offered */
    GATE_CLOSE_LINK_TLS_PROTOCOL,   /* no version in common, or bytes that are no TLS */
    GATE_CLOSE_COUNT
};

/* Short stable name ("idle_timeout"), for logs and metrics. Never NULL. */
const char *gate_close_reason_name(enum gate_close_reason why);

#endif
