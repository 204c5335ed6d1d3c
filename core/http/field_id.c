/* Known-header ids: a perfect hash over the first, the last two bytes and the length picks the
 * one candidate, two or three word compares decide. A new name may need new factors;
 * tests/http/test_field_id.c tells. */
#include "http/field_id.h"

#define LONGEST 24

struct known_name {
    char text[LONGEST];
    uint8_t n;
};

#define NAME(lit) { (lit), sizeof(lit) - 1 }

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

#define SLOTS 128

static const uint8_t slots[SLOTS] = {
    [2] = GATE_F_LOCATION,
    [3] = GATE_F_LAST_MODIFIED,
    [8] = GATE_F_UPGRADE,
    [9] = GATE_F_X_REWRITE_URL,
    [10] = GATE_F_X_ORIGINAL_URL,
    [11] = GATE_F_WWW_AUTHENTICATE,
    [13] = GATE_F_KEEP_ALIVE,
    [14] = GATE_F_VARY,
    [18] = GATE_F_PROXY_AUTHENTICATE,
    [21] = GATE_F_MAX_FORWARDS,
    [24] = GATE_F_ALLOW,
    [29] = GATE_F_CONTENT_LENGTH,
    [30] = GATE_F_X_FORWARDED_HOST,
    [34] = GATE_F_CACHE_CONTROL,
    [36] = GATE_F_IF_MODIFIED_SINCE,
    [38] = GATE_F_IF_UNMODIFIED_SINCE,
    [40] = GATE_F_PRAGMA,
    [42] = GATE_F_SEC_WEBSOCKET_KEY,
    [43] = GATE_F_CONTENT_ENCODING,
    [47] = GATE_F_CONNECTION,
    [51] = GATE_F_IF_MATCH,
    [53] = GATE_F_RANGE,
    [54] = GATE_F_TE,
    [55] = GATE_F_USER_AGENT,
    [56] = GATE_F_IF_NONE_MATCH,
    [59] = GATE_F_CONTENT_TYPE,
    [62] = GATE_F_PROXY_CONNECTION,
    [65] = GATE_F_PROXY_AUTHORIZATION,
    [66] = GATE_F_HOST,
    [67] = GATE_F_X_REAL_IP,
    [69] = GATE_F_X_FORWARDED_FOR,
    [73] = GATE_F_X_FORWARDED_PROTO,
    [75] = GATE_F_SET_COOKIE,
    [76] = GATE_F_X_FORWARDED_PORT,
    [79] = GATE_F_ETAG,
    [80] = GATE_F_ACCEPT_ENCODING,
    [83] = GATE_F_ACCEPT,
    [85] = GATE_F_TRAILER,
    [88] = GATE_F_AUTHORIZATION,
    [90] = GATE_F_CONTENT_RANGE,
    [91] = GATE_F_ORIGIN,
    [93] = GATE_F_EXPECT,
    [94] = GATE_F_X_HTTP_METHOD_OVERRIDE,
    [99] = GATE_F_IF_RANGE,
    [102] = GATE_F_X_REQUEST_ID,
    [103] = GATE_F_SERVER,
    [104] = GATE_F_DATE,
    [105] = GATE_F_TRANSFER_ENCODING,
    [107] = GATE_F_VIA,
    [108] = GATE_F_HTTP2_SETTINGS,
    [109] = GATE_F_PROXY,
    [113] = GATE_F_FORWARDED,
    [118] = GATE_F_AGE,
    [119] = GATE_F_COOKIE,
    [122] = GATE_F_EXPIRES,
    [123] = GATE_F_REFERER,
    [127] = GATE_F_RETRY_AFTER,
};

static uint64_t load8(const char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static uint32_t load4(const char *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static uint32_t load2(const char *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

/* Bits in which two names of n bytes differ, n in 2..24. Loads overlap rather than run over the
 * end. */
static uint64_t difference(const char *a, const char *b, size_t n)
{
    if (n >= 8) {
        uint64_t d = (load8(a) ^ load8(b)) | (load8(a + n - 8) ^ load8(b + n - 8));

        return n > 16 ? d | (load8(a + 8) ^ load8(b + 8)) : d;
    }
    if (n >= 4)
        return (load4(a) ^ load4(b)) | (load4(a + n - 4) ^ load4(b + n - 4));
    return (load2(a) ^ load2(b)) | (load2(a + n - 2) ^ load2(b + n - 2));
}

/* The case bit is left out of the compare. For '-' and digits that would let a control byte
 * pass, which no token holds: callers have checked the name, or only look it up. */
enum gate_field_id gate_field_id_of(const char *name, size_t n)
{
    const uint64_t case_bits = 0x2020202020202020ull;
    unsigned h;
    unsigned id;

    if (n < 2 || n > LONGEST)
        return GATE_F_OTHER;
    h = (unsigned)(uint8_t)(name[0] | 0x20) * 109 + (unsigned)(uint8_t)(name[n - 1] | 0x20) * 8 +
        (unsigned)(uint8_t)(name[n - 2] | 0x20) * 82 + (unsigned)n;
    id = slots[h % SLOTS];
    if (names[id].n != n || (difference(name, names[id].text, n) & ~case_bits) != 0)
        return GATE_F_OTHER;
    return (enum gate_field_id)id;
}

struct gate_str gate_field_id_name(enum gate_field_id id)
{
    return (struct gate_str){ names[id].text, names[id].n };
}
