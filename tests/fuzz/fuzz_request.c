/* Request heads and bodies: scan, parse, decode; every split of the input, and a naive second
 * reading. */
#include "fuzz/http_rig.h"
#include "http/target.h"

static void check(const char *p, size_t n, const struct gate_request_head *h)
{
    uint64_t both = GATE_F_BIT(GATE_F_CONTENT_LENGTH) | GATE_F_BIT(GATE_F_TRANSFER_ENCODING);

    rig_fields(p, n, &h->fields, h->dropped_underscores);
    GATE_ASSERT(h->method != GATE_M_CONNECT && h->method != GATE_M_TRACE);
    GATE_ASSERT(h->minor <= 1 && (h->minor == 0 || h->host.n > 0));
    GATE_ASSERT(h->options_star ? h->path.n == 1 : h->path.n > 0 && h->path.p[0] == '/');
    GATE_ASSERT(h->framing != GATE_BODY_EOF);
    GATE_ASSERT((h->framing == GATE_BODY_NONE) == ((h->fields.known & both) == 0));
    GATE_ASSERT((h->fields.known & both) != both);
    GATE_ASSERT(h->authority.n >= h->host.n && h->authority.n <= 255);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data;
    size_t n = rig_scan(p, size, false);
    struct gate_request_head head;
    struct gate_arena arena;
    struct gate_refusal no;

    (void)gate_parse_early(p, size, &rig_limits);
    GATE_ASSERT(gate_parse_refuse_partial(p, size, &rig_limits).status >= 400);
    if (n == 0)
        return 0;
    gate_arena_init(&arena, NULL);
    no = gate_parse_request(p, n, &rig_limits, false, &arena, &head);
    GATE_ASSERT(no.status == 0 || (no.status >= 400 && no.status <= 505 && no.why != NULL));
    if (no.status == 0) {
        check(p, n, &head);
        GATE_ASSERT(gate_parse_early(p, n, &rig_limits).status == 0);
        rig_body_twice(head.framing, head.content_length, p + n, size - n);
    }
    gate_arena_clear(&arena);
    return 0;
}
