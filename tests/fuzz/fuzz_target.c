/* Targets: canonical forms are their own canonical forms, and hold nothing that a server could read
 * twice. */
#include "fuzz/http_rig.h"
#include "http/target.h"

/* What may stand in a canonical path, checked by hand. */
static void check_path(struct gate_str s)
{
    static const char plain[] = "-._~!$&'()*+,;=:@/";

    GATE_ASSERT(s.n > 0 && s.p[0] == '/');
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '%') {
            GATE_ASSERT(i + 2 < s.n);
            GATE_ASSERT(strchr("0123456789ABCDEF", s.p[i + 1]) && s.p[i + 1] != '\0');
            GATE_ASSERT(strchr("0123456789ABCDEF", s.p[i + 2]) && s.p[i + 2] != '\0');
            GATE_ASSERT(memcmp(s.p + i, "%00", 3) != 0 && memcmp(s.p + i, "%5C", 3) != 0);
            i += 2;
            continue;
        }
        GATE_ASSERT(c != '\0' && (strchr(plain, c) != NULL || (c >= '0' && c <= '9') ||
                                  ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')));
    }
    GATE_ASSERT(memmem(s.p, s.n, "//", 2) == NULL && memmem(s.p, s.n, "/./", 3) == NULL &&
                memmem(s.p, s.n, "/../", 4) == NULL);
    GATE_ASSERT(!gate_str_ends(s, GATE_STR("/.")) && !gate_str_ends(s, GATE_STR("/..")));
}

static void paths(struct gate_str raw, struct gate_arena *arena)
{
    struct gate_str canonical, text, again, again_text;

    if (gate_target_path(raw, &rig_limits, arena, &canonical, &text).status == 0) {
        check_path(canonical);
        GATE_ASSERT(gate_target_path(canonical, &rig_limits, arena, &again, &again_text).status ==
                    0);
        GATE_ASSERT(gate_str_eq(again, canonical) && gate_str_eq(again_text, text));
        GATE_ASSERT(gate_target_encode(text, arena, &again, &again_text).status == 0);
        GATE_ASSERT(gate_str_eq(again_text, text));
    }
    if (gate_target_encode(raw, arena, &canonical, &text).status == 0) {
        check_path(canonical);
        GATE_ASSERT(gate_target_path(canonical, &rig_limits, arena, &again, &again_text).status ==
                    0);
        GATE_ASSERT(gate_str_eq(again, canonical) && gate_str_eq(again_text, text));
    }
}

static void authorities(struct gate_str raw, struct gate_arena *arena)
{
    struct gate_str host, again;
    uint16_t port, same;

    if (!gate_target_authority(raw, arena, &host, &port))
        return;
    GATE_ASSERT(host.n > 0 && host.n <= raw.n && gate_str_ieq(host, gate_str_of(raw.p, host.n)));
    GATE_ASSERT(gate_target_authority(gate_str_of(host.p, raw.n), arena, &again, &same));
    GATE_ASSERT(gate_str_eq(host, again) && port == same);
}

static void forms(struct gate_str raw, struct gate_arena *arena)
{
    struct gate_str rest = raw;
    struct gate_str name, value;
    size_t n = 0;

    GATE_ASSERT(gate_target_form_decode(raw, arena).n <= raw.n);
    while (gate_target_next_arg(&rest, &name, &value))
        n += name.n + value.n;
    GATE_ASSERT(n <= raw.n && rest.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gate_str raw = {(const char *)data, size};
    struct gate_arena arena;

    if (size > 16384)
        return 0;
    gate_arena_init(&arena, NULL);
    paths(raw, &arena);
    authorities(raw, &arena);
    forms(raw, &arena);
    gate_arena_clear(&arena);
    return 0;
}
