/* PROXY headers: fed whole and byte by byte they are judged alike, and take the same bytes. */
#include <string.h>

#include "base/assert.h"
#include "http/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct verdict {
    enum gate_err err;
    size_t took;
    struct gate_proxy_source source;
};

static struct verdict judge(const char *p, size_t n, size_t step)
{
    struct verdict v = {.err = GATE_E_AGAIN};
    struct gate_proxy_reader r = {0};

    while (v.err == GATE_E_AGAIN && v.took < n) {
        size_t some = n - v.took < step ? n - v.took : step;
        size_t part;

        v.err = gate_proxy_feed(&r, p + v.took, some, &part, &v.source);
        GATE_ASSERT(part <= some && (v.err != GATE_E_AGAIN || part == some));
        v.took += part;
    }
    return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct verdict whole = judge((const char *)data, size, size);
    struct verdict split = judge((const char *)data, size, 1);

    GATE_ASSERT(whole.err == split.err);
    if (whole.err != GATE_OK)
        return 0;
    GATE_ASSERT(whole.took == split.took && whole.source.known == split.source.known);
    if (whole.source.known)
        GATE_ASSERT(gate_addr_eq(&whole.source.client, &split.source.client));
    return 0;
}
