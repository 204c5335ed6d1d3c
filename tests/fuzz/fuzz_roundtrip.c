/* What is relayed is a fixed point: request → bytes → request gives the same message and the same
 * bytes. And the chunk decoder ends where llhttp ends whenever both accept. */
#include <llhttp.h>

#include "fuzz/http_rig.h"
#include "http/write.h"

struct relayed {
    char bytes[65536];
    size_t n;
};

static void relay(const struct gate_request_head *h, struct gate_arena *arena, struct relayed *to)
{
    struct gate_headers headers = {.original = (struct gate_fields *)&h->fields, .arena = arena};
    struct gate_field host = {
        .name = "Host",
        .name_len = 4,
        .id = GATE_F_HOST,
        .value = h->authority.n > 0 ? h->authority.p : "example.test",
        .value_len = (uint32_t)(h->authority.n > 0 ? h->authority.n : 12),
    };
    struct gate_message m = {
        .method = h->method_text,
        .path = h->path,
        .query = h->query,
        .has_query = h->has_query,
        .headers = &headers,
        .drop = GATE_DROP_REQUEST,
        .drop_nominated = true,
        .extra = &host,
        .n_extra = 1,
        .framing = h->framing,
        .content_length = h->content_length,
    };
    struct gate_out o = gate_out_on(to->bytes, sizeof to->bytes);

    gate_write_head(&o, &m, GATE_STR_NONE);
    GATE_ASSERT(!o.full);
    to->n = o.n;
}

static void same_message(const struct gate_request_head *a, const struct gate_request_head *b)
{
    GATE_ASSERT(a->method == b->method && gate_str_eq(a->method_text, b->method_text));
    GATE_ASSERT(gate_str_eq(a->path, b->path) && gate_str_eq(a->path_text, b->path_text));
    GATE_ASSERT(a->has_query == b->has_query && gate_str_eq(a->query, b->query));
    GATE_ASSERT(a->host.n == 0 || gate_str_eq(a->authority, b->authority));
    GATE_ASSERT(a->framing == b->framing && a->content_length == b->content_length);
    GATE_ASSERT(b->minor == 1 && b->keep_alive && !b->upgrade && b->dropped_underscores == 0);
}

static void requests(const char *p, size_t size)
{
    static struct relayed first, second;
    struct gate_head_limits wide = rig_limits;
    struct gate_request_head a, b;
    struct gate_arena arena;
    size_t n = rig_scan(p, size, false);

    if (n == 0)
        return;
    /* Escapes make a target longer, and the writer adds its own lines for Host and framing. */
    wide.header_bytes = wide.target_bytes = sizeof first.bytes;
    wide.header_count += 2;
    gate_arena_init(&arena, NULL);
    if (gate_parse_request(p, n, &rig_limits, false, &arena, &a).status == 0) {
        relay(&a, &arena, &first);
        GATE_ASSERT(rig_scan(first.bytes, first.n, false) == first.n);
        GATE_ASSERT(gate_parse_request(first.bytes, first.n, &wide, false, &arena, &b).status == 0);
        same_message(&a, &b);
        relay(&b, &arena, &second);
        GATE_ASSERT(first.n == second.n && memcmp(first.bytes, second.bytes, first.n) == 0);
    }
    gate_arena_clear(&arena);
}

struct chunks {
    uint64_t content;
    uint64_t hash;
};

static int on_body(llhttp_t *parser, const char *p, size_t n)
{
    struct chunks *c = parser->data;

    for (size_t i = 0; i < n; i++)
        c->hash = (c->hash ^ (uint8_t)p[i]) * 1099511628211ull;
    c->content += n;
    return 0;
}

static int on_complete(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED;
}

static void chunked_bodies(const char *p, size_t n)
{
    static const char head[] = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    static const llhttp_settings_t settings = {
        .on_body = on_body,
        .on_message_complete = on_complete,
    };
    struct rig_body ours = rig_body_twice(GATE_BODY_CHUNKED, 0, p, n);
    struct chunks theirs = {0, 14695981039346656037ull};
    llhttp_t parser;

    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = &theirs;
    GATE_ASSERT(llhttp_execute(&parser, head, sizeof head - 1) == HPE_OK);
    if (llhttp_execute(&parser, p, n) != HPE_PAUSED || ours.end != GATE_BODY_DONE)
        return;
    GATE_ASSERT(llhttp_get_error_pos(&parser) == p + ours.used);
    GATE_ASSERT(theirs.content == ours.content && theirs.hash == ours.hash);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    requests((const char *)data, size);
    chunked_bodies((const char *)data, size);
    return 0;
}
