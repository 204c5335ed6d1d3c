/* Heads: what a request head and a response head say, once they are strictly valid. */
#ifndef GATE_HTTP_HEAD_H
#define GATE_HTTP_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "http/fields.h"

/* Methods by llhttp's numbers are not exposed; these are ours. */
enum gate_method {
    GATE_M_OTHER, /* on llhttp's list but of no special meaning here; text says which */
    GATE_M_GET,
    GATE_M_HEAD,
    GATE_M_POST,
    GATE_M_PUT,
    GATE_M_DELETE,
    GATE_M_OPTIONS,
    GATE_M_PATCH,
    GATE_M_TRACE,
    GATE_M_CONNECT,
    GATE_M_COUNT
};

enum gate_method gate_method_of(struct gate_str text);

/* RFC 9110 section 9.2.2. */
bool gate_method_idempotent(enum gate_method m);

enum gate_framing {
    GATE_BODY_NONE,
    GATE_BODY_LENGTH, /* Content-Length */
    GATE_BODY_CHUNKED,
    GATE_BODY_EOF /* responses only: until the connection ends */
};

/* Why a message was refused: a status for the client and a sentence for the log. status 0: not
 * refused. */
struct gate_refusal {
    int status;
    const char *why;
};

/* Limits that the parsers hold, from the configuration. */
struct gate_head_limits {
    uint32_t header_bytes; /* whole head */
    uint32_t header_count;
    uint32_t target_bytes;
    uint8_t underscores; /* enum gate_underscores */
    bool encoded_slash_reject;
    bool merge_slashes;
};

enum gate_underscores { GATE_UNDERSCORE_DROP, GATE_UNDERSCORE_REJECT, GATE_UNDERSCORE_KEEP };

struct gate_request_head {
    enum gate_method method;
    struct gate_str method_text;
    struct gate_str target; /* as received */
    struct gate_str path;   /* canonical, encoded: what goes up */
    struct gate_str
        path_text;         /* canonical, decoded except %2F and %25: what routes and scripts see */
    struct gate_str query; /* without '?' */
    bool has_query;
    struct gate_str host;      /* lower case, without port; empty for HTTP/1.0 without Host */
    struct gate_str authority; /* Host as it goes up: host[:port] */
    uint16_t port;             /* 0: none given */
    uint8_t minor;             /* HTTP/1.minor */
    bool h2;                   /* over HTTP/2: minor is 1, what is written here stands for it */
    bool connect;              /* an extended CONNECT of HTTP/2: a 2xx would be a tunnel */
    bool keep_alive;           /* what the client wants */
    bool expect_continue;
    bool options_star;             /* OPTIONS * */
    bool upgrade;                  /* Connection: upgrade and an Upgrade field that is not h2c */
    struct gate_str upgrade_token; /* first protocol of Upgrade, as received */
    enum gate_framing framing;
    uint64_t content_length; /* with GATE_BODY_LENGTH */
    int32_t max_forwards;    /* -1: none */
    uint32_t dropped_underscores;
    struct gate_fields fields; /* all fields, including those that are not relayed */
};

/* "1.0", "1.1" or "2.0". */
static inline struct gate_str gate_request_version(const struct gate_request_head *h)
{
    if (h->h2)
        return GATE_STR("2.0");
    return h->minor == 0 ? GATE_STR("1.0") : GATE_STR("1.1");
}

struct gate_response_head {
    int status;
    uint8_t minor;
    bool keep_alive; /* whether the upstream connection may be used again */
    bool upgrade;    /* 101 with Connection: upgrade */
    struct gate_str upgrade_token;
    enum gate_framing framing;
    uint64_t content_length;
    struct gate_fields fields;
};

/* Standard reason phrase; "Unknown" when there is none. Never NULL. */
struct gate_str gate_status_reason(int status);

#endif
