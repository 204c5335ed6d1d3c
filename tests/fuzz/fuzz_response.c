/* Response heads and bodies, also as answers to HEAD; and trailer blocks. */
#include "fuzz/http_rig.h"

static void one(const char *p, size_t n, size_t size, enum gate_method method)
{
    struct gate_response_head h;
    struct gate_arena arena;
    struct gate_refusal no;

    gate_arena_init(&arena, NULL);
    no = gate_parse_response(p, n, &rig_limits, method, &arena, &h);
    GATE_ASSERT(no.status == 0 || (no.status == 502 && no.why != NULL));
    if (no.status == 0) {
        rig_fields(p, n, &h.fields, 0);
        GATE_ASSERT(h.status >= 100 && h.status <= 599 && h.minor <= 1);
        GATE_ASSERT(!h.keep_alive || h.framing != GATE_BODY_EOF);
        GATE_ASSERT(!h.upgrade || (h.status == 101 && h.upgrade_token.n > 0));
        if (method == GATE_M_HEAD || h.status < 200 || h.status == 204 || h.status == 304)
            GATE_ASSERT(h.framing == GATE_BODY_NONE);
        rig_body_twice(h.framing, h.content_length, p + n, size - n);
    }
    gate_arena_clear(&arena);
}

static void trailers(const char *p, size_t n)
{
    struct gate_arena arena;
    struct gate_fields fs;

    gate_arena_init(&arena, NULL);
    if (gate_parse_trailers(p, n, &rig_limits, &arena, &fs).status == 0) {
        for (uint32_t i = 0; i < fs.n; i++) {
            GATE_ASSERT(fs.v[i].id == GATE_F_OTHER || fs.v[i].id == GATE_F_ETAG);
            GATE_ASSERT(gate_field_name_ok(gate_field_name(&fs.v[i])));
            GATE_ASSERT(gate_field_value_ok(gate_field_value(&fs.v[i])));
        }
    }
    gate_arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data;
    size_t n = rig_scan(p, size, false);

    if (n > 0) {
        one(p, n, size, GATE_M_GET);
        one(p, n, size, GATE_M_HEAD);
    }
    n = rig_scan(p, size, true);
    if (n > 0)
        trailers(p, n);
    return 0;
}
