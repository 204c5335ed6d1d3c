/* Known-header ids: a perfect hash over the first byte, the last two and the length picks the one
 * candidate, two or three word compares decide. A new name may need a new factor, found by trying
 * random odd ones; tests/http/test_field_id.c tells. */
#include "http/field_id.h"

#include "http/bytes_int.h"

#define LONGEST 24

struct known_name {
    char text[LONGEST];
    size_t n;
};

#define NAME(lit)                                                                                  \
    {                                                                                              \
        (lit), sizeof(lit) - 1                                                                     \
    }

static const struct known_name names[GATE_F_COUNT] = {
    [GATE_F_ACCEPT] = NAME("Accept"),
    [GATE_F_ACCEPT_ENCODING] = NAME("Accept-Encoding"),
    [GATE_F_AGE] = NAME("Age"),
    [GATE_F_ALLOW] = NAME("Allow"),
    [GATE_F_AUTHORIZATION] = NAME("Authorization"),
    [GATE_F_CACHE_CONTROL] = NAME("Cache-Control"),
    [GATE_F_CONNECTION] = NAME("Connection"),
    [GATE_F_CONTENT_ENCODING] = NAME("Content-Encoding"),
    [GATE_F_CONTENT_LENGTH] = NAME("Content-Length"),
    [GATE_F_CONTENT_RANGE] = NAME("Content-Range"),
    [GATE_F_CONTENT_TYPE] = NAME("Content-Type"),
    [GATE_F_COOKIE] = NAME("Cookie"),
    [GATE_F_DATE] = NAME("Date"),
    [GATE_F_ETAG] = NAME("ETag"),
    [GATE_F_EXPECT] = NAME("Expect"),
    [GATE_F_EXPIRES] = NAME("Expires"),
    [GATE_F_FORWARDED] = NAME("Forwarded"),
    [GATE_F_HOST] = NAME("Host"),
    [GATE_F_HTTP2_SETTINGS] = NAME("HTTP2-Settings"),
    [GATE_F_IF_MATCH] = NAME("If-Match"),
    [GATE_F_IF_MODIFIED_SINCE] = NAME("If-Modified-Since"),
    [GATE_F_IF_NONE_MATCH] = NAME("If-None-Match"),
    [GATE_F_IF_RANGE] = NAME("If-Range"),
    [GATE_F_IF_UNMODIFIED_SINCE] = NAME("If-Unmodified-Since"),
    [GATE_F_KEEP_ALIVE] = NAME("Keep-Alive"),
    [GATE_F_LAST_MODIFIED] = NAME("Last-Modified"),
    [GATE_F_LOCATION] = NAME("Location"),
    [GATE_F_MAX_FORWARDS] = NAME("Max-Forwards"),
    [GATE_F_ORIGIN] = NAME("Origin"),
    [GATE_F_PRAGMA] = NAME("Pragma"),
    [GATE_F_PROXY] = NAME("Proxy"),
    [GATE_F_PROXY_AUTHENTICATE] = NAME("Proxy-Authenticate"),
    [GATE_F_PROXY_AUTHORIZATION] = NAME("Proxy-Authorization"),
    [GATE_F_PROXY_CONNECTION] = NAME("Proxy-Connection"),
    [GATE_F_RANGE] = NAME("Range"),
    [GATE_F_REFERER] = NAME("Referer"),
    [GATE_F_RETRY_AFTER] = NAME("Retry-After"),
    [GATE_F_SEC_WEBSOCKET_KEY] = NAME("Sec-WebSocket-Key"),
    [GATE_F_SERVER] = NAME("Server"),
    [GATE_F_SET_COOKIE] = NAME("Set-Cookie"),
    [GATE_F_TE] = NAME("TE"),
    [GATE_F_TRAILER] = NAME("Trailer"),
    [GATE_F_TRANSFER_ENCODING] = NAME("Transfer-Encoding"),
    [GATE_F_UPGRADE] = NAME("Upgrade"),
    [GATE_F_USER_AGENT] = NAME("User-Agent"),
    [GATE_F_VARY] = NAME("Vary"),
    [GATE_F_VIA] = NAME("Via"),
    [GATE_F_WWW_AUTHENTICATE] = NAME("WWW-Authenticate"),
    [GATE_F_X_FORWARDED_FOR] = NAME("X-Forwarded-For"),
    [GATE_F_X_FORWARDED_HOST] = NAME("X-Forwarded-Host"),
    [GATE_F_X_FORWARDED_PORT] = NAME("X-Forwarded-Port"),
    [GATE_F_X_FORWARDED_PROTO] = NAME("X-Forwarded-Proto"),
    [GATE_F_X_HTTP_METHOD_OVERRIDE] = NAME("X-HTTP-Method-Override"),
    [GATE_F_X_ORIGINAL_URL] = NAME("X-Original-URL"),
    [GATE_F_X_REAL_IP] = NAME("X-Real-IP"),
    [GATE_F_X_REQUEST_ID] = NAME("X-Request-ID"),
    [GATE_F_X_REWRITE_URL] = NAME("X-Rewrite-URL"),
};

#define FACTOR    0x4ce0271u
#define SLOT_BITS 7

static const uint8_t slots[1 << SLOT_BITS] = {
    [1] = GATE_F_X_HTTP_METHOD_OVERRIDE,
    [3] = GATE_F_ACCEPT,
    [7] = GATE_F_PROXY_AUTHORIZATION,
    [10] = GATE_F_IF_MATCH,
    [17] = GATE_F_LAST_MODIFIED,
    [19] = GATE_F_X_FORWARDED_PROTO,
    [21] = GATE_F_LOCATION,
    [22] = GATE_F_DATE,
    [25] = GATE_F_ORIGIN,
    [27] = GATE_F_X_REAL_IP,
    [33] = GATE_F_HOST,
    [34] = GATE_F_AUTHORIZATION,
    [37] = GATE_F_IF_NONE_MATCH,
    [40] = GATE_F_FORWARDED,
    [46] = GATE_F_UPGRADE,
    [47] = GATE_F_X_ORIGINAL_URL,
    [48] = GATE_F_SERVER,
    [51] = GATE_F_VARY,
    [55] = GATE_F_ETAG,
    [56] = GATE_F_TE,
    [58] = GATE_F_AGE,
    [59] = GATE_F_PROXY_AUTHENTICATE,
    [61] = GATE_F_VIA,
    [62] = GATE_F_EXPIRES,
    [63] = GATE_F_ACCEPT_ENCODING,
    [64] = GATE_F_RANGE,
    [66] = GATE_F_IF_UNMODIFIED_SINCE,
    [71] = GATE_F_TRANSFER_ENCODING,
    [73] = GATE_F_RETRY_AFTER,
    [75] = GATE_F_X_FORWARDED_FOR,
    [79] = GATE_F_CONTENT_TYPE,
    [81] = GATE_F_IF_MODIFIED_SINCE,
    [82] = GATE_F_HTTP2_SETTINGS,
    [83] = GATE_F_WWW_AUTHENTICATE,
    [86] = GATE_F_CACHE_CONTROL,
    [88] = GATE_F_X_FORWARDED_PORT,
    [91] = GATE_F_X_FORWARDED_HOST,
    [93] = GATE_F_PROXY_CONNECTION,
    [95] = GATE_F_IF_RANGE,
    [96] = GATE_F_MAX_FORWARDS,
    [97] = GATE_F_SET_COOKIE,
    [103] = GATE_F_REFERER,
    [104] = GATE_F_EXPECT,
    [105] = GATE_F_PRAGMA,
    [106] = GATE_F_TRAILER,
    [107] = GATE_F_COOKIE,
    [111] = GATE_F_SEC_WEBSOCKET_KEY,
    [113] = GATE_F_X_REQUEST_ID,
    [114] = GATE_F_CONTENT_RANGE,
    [115] = GATE_F_PROXY,
    [118] = GATE_F_KEEP_ALIVE,
    [119] = GATE_F_X_REWRITE_URL,
    [120] = GATE_F_USER_AGENT,
    [122] = GATE_F_CONTENT_ENCODING,
    [123] = GATE_F_CONNECTION,
    [125] = GATE_F_ALLOW,
    [127] = GATE_F_CONTENT_LENGTH,
};

enum gate_field_id gate_field_id_of(const char *name, size_t n)
{
    uint32_t key;
    unsigned id;

    if (n < 2 || n > LONGEST)
        return GATE_F_OTHER;
    key = (gate_bytes_load2(name + n - 2) | (uint32_t)(uint8_t)name[0] << 16 | 0x202020u) +
          ((uint32_t)n << 24);
    id = slots[key * FACTOR >> (32 - SLOT_BITS)];
    if (names[id].n != n || !gate_bytes_same_word(name, names[id].text, n))
        return GATE_F_OTHER;
    return (enum gate_field_id)id;
}

struct gate_str gate_field_id_name(enum gate_field_id id)
{
    return (struct gate_str){names[id].text, names[id].n};
}
