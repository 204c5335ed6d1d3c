/* Known-header ids: one small number for each field name that the core treats specially, shared by
 * parser, serializer and Lua. Immutable. */
#ifndef GATE_HTTP_FIELD_ID_H
#define GATE_HTTP_FIELD_ID_H

#include <stdint.h>

#include "base/str.h"

/* 0 is "not known". Fewer than 64, so that a set of them is one word. */
enum gate_field_id {
    GATE_F_OTHER,
    GATE_F_ACCEPT,
    GATE_F_ACCEPT_ENCODING,
    GATE_F_AGE,
    GATE_F_ALLOW,
    GATE_F_AUTHORIZATION,
    GATE_F_CACHE_CONTROL,
    GATE_F_CONNECTION,
    GATE_F_CONTENT_ENCODING,
    GATE_F_CONTENT_LENGTH,
    GATE_F_CONTENT_RANGE,
    GATE_F_CONTENT_TYPE,
    GATE_F_COOKIE,
    GATE_F_DATE,
    GATE_F_ETAG,
    GATE_F_EXPECT,
    GATE_F_EXPIRES,
    GATE_F_FORWARDED,
    GATE_F_HOST,
    GATE_F_HTTP2_SETTINGS,
    GATE_F_IF_MATCH,
    GATE_F_IF_MODIFIED_SINCE,
    GATE_F_IF_NONE_MATCH,
    GATE_F_IF_RANGE,
    GATE_F_IF_UNMODIFIED_SINCE,
    GATE_F_KEEP_ALIVE,
    GATE_F_LAST_MODIFIED,
    GATE_F_LOCATION,
    GATE_F_MAX_FORWARDS,
    GATE_F_ORIGIN,
    GATE_F_PRAGMA,
    GATE_F_PROXY,
    GATE_F_PROXY_AUTHENTICATE,
    GATE_F_PROXY_AUTHORIZATION,
    GATE_F_PROXY_CONNECTION,
    GATE_F_RANGE,
    GATE_F_REFERER,
    GATE_F_RETRY_AFTER,
    GATE_F_SEC_WEBSOCKET_KEY,
    GATE_F_SERVER,
    GATE_F_SET_COOKIE,
    GATE_F_TE,
    GATE_F_TRAILER,
    GATE_F_TRANSFER_ENCODING,
    GATE_F_UPGRADE,
    GATE_F_USER_AGENT,
    GATE_F_VARY,
    GATE_F_VIA,
    GATE_F_WWW_AUTHENTICATE,
    GATE_F_X_FORWARDED_FOR,
    GATE_F_X_FORWARDED_HOST,
    GATE_F_X_FORWARDED_PORT,
    GATE_F_X_FORWARDED_PROTO,
    GATE_F_X_HTTP_METHOD_OVERRIDE,
    GATE_F_X_ORIGINAL_URL,
    GATE_F_X_REAL_IP,
    GATE_F_X_REQUEST_ID,
    GATE_F_X_REWRITE_URL,
    GATE_F_COUNT
};

_Static_assert(GATE_F_COUNT <= 64, "a set of known fields must fit one word");

#define GATE_F_BIT(id) (1ull << (id))

/* Id of a name in any case; GATE_F_OTHER when it is not known. No allocation, a few ns. */
enum gate_field_id gate_field_id_of(const char *name, size_t n);

/* Canonical spelling ("Content-Length"); empty for GATE_F_OTHER. */
struct gate_str gate_field_id_name(enum gate_field_id id);

#endif
