/* gRPC's protocol over HTTP/2, as far as a gateway speaks it. */
#include "http/grpc.h"

/* Bytes of a text that become a message, before they are encoded. */
#define MESSAGE_MOST 1024

bool gate_grpc_is(struct gate_str content_type)
{
    static const struct gate_str name = GATE_STR("application/grpc");
    struct gate_str begin = gate_str_of(content_type.p, name.n);

    if (content_type.n < name.n || !gate_str_ieq(begin, name))
        return false;
    return content_type.n == name.n || content_type.p[name.n] == '+' ||
           content_type.p[name.n] == ';';
}

bool gate_grpc_timeout(struct gate_str value, uint64_t *ms)
{
    uint64_t n;

    if (value.n < 2 || value.n > 9 || !gate_str_to_u64(gate_str_of(value.p, value.n - 1), &n))
        return false;
    switch (value.p[value.n - 1]) {
    case 'H':
        *ms = n * 3600 * 1000;
        return true;
    case 'M':
        *ms = n * 60 * 1000;
        return true;
    case 'S':
        *ms = n * 1000;
        return true;
    case 'm':
        *ms = n;
        return true;
    case 'u':
        *ms = (n + 999) / 1000;
        return true;
    case 'n':
        *ms = (n + 999999) / 1000000;
        return true;
    default:
        return false;
    }
}

enum gate_grpc_code gate_grpc_of_status(int status)
{
    switch (status) {
    case 400:
        return GATE_GRPC_INTERNAL;
    case 401:
        return GATE_GRPC_UNAUTHENTICATED;
    case 403:
        return GATE_GRPC_PERMISSION_DENIED;
    case 404:
        return GATE_GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return GATE_GRPC_UNAVAILABLE;
    default:
        return GATE_GRPC_UNKNOWN;
    }
}

enum gate_grpc_code gate_grpc_of_reset(uint32_t code)
{
    switch (code) { /* RFC 9113 section 7 */
    case 0x7: /* REFUSED_STREAM */
        return GATE_GRPC_UNAVAILABLE;
    case 0x8: /* CANCEL */
        return GATE_GRPC_CANCELLED;
    case 0xb: /* ENHANCE_YOUR_CALM */
        return GATE_GRPC_RESOURCE_EXHAUSTED;
    case 0xc: /* INADEQUATE_SECURITY */
        return GATE_GRPC_PERMISSION_DENIED;
    default:
        return GATE_GRPC_INTERNAL;
    }
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* The text without its ends of white space, and no more of it than becomes a message; characters
 * stay whole. */
static struct gate_str cut(struct gate_str text)
{
    while (text.n > 0 && (unsigned char)text.p[0] <= ' ') {
        text.p++;
        text.n--;
    }
    if (text.n > MESSAGE_MOST) {
        text.n = MESSAGE_MOST;
        while (text.n > 0 && is_continuation(text.p[text.n]))
            text.n--;
    }
    while (text.n > 0 && (unsigned char)text.p[text.n - 1] <= ' ')
        text.n--;
    return text;
}

struct gate_str gate_grpc_message(struct gate_str text, struct gate_arena *arena)
{
    static const char hex[] = "0123456789ABCDEF";
    struct gate_out o;

    text = cut(text);
    if (text.n == 0)
        return GATE_STR_NONE;
    o = gate_out_on(gate_arena_alloc(arena, 3 * text.n), 3 * text.n);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];

        if (c >= ' ' && c <= '~' && c != '%') {
            gate_out_char(&o, (char)c);
            continue;
        }
        gate_out_char(&o, '%');
        gate_out_char(&o, hex[c >> 4]);
        gate_out_char(&o, hex[c & 15]);
    }
    return gate_out_view(&o);
}
