/* Bytes: the class table, and counting. Immutable. */
#include "http/bytes_int.h"

#define T  GATE_C_TOKEN
#define V  GATE_C_VALUE
#define P  GATE_C_PCHAR
#define X  GATE_C_EXTRA
#define Q  GATE_C_QUERY
#define U  GATE_C_UNRESERVED
#define H  GATE_C_HEX
#define UP GATE_C_UPPER

/* '\\' and '#' are in no target class on purpose: a backslash is a separator for some servers, a
 * fragment never travels. */
const uint8_t gate_byte_classes[256] = {
    ['\t'] = V,
    [' '] = V,
    ['!'] = T | V | P | Q,
    ['"'] = V | X | Q,
    ['#'] = T | V,
    ['$'] = T | V | P | Q,
    ['%'] = T | V | Q,
    ['&'] = T | V | P | Q,
    ['\''] = T | V | P | Q,
    ['('] = V | P | Q,
    [')'] = V | P | Q,
    ['*'] = T | V | P | Q,
    ['+'] = T | V | P | Q,
    [','] = V | P | Q,
    ['-'] = T | V | P | Q | U,
    ['.'] = T | V | P | Q | U,
    ['/'] = V | Q,
    ['0' ... '9'] = T | V | P | Q | U | H,
    [':'] = V | P | Q,
    [';'] = V | P | Q,
    ['<'] = V | X | Q,
    ['='] = V | P | Q,
    ['>'] = V | X | Q,
    ['?'] = V | Q,
    ['@'] = V | P | Q,
    ['A' ... 'F'] = T | V | P | Q | U | H | UP,
    ['G' ... 'Z'] = T | V | P | Q | U | UP,
    ['['] = V | X | Q,
    ['\\'] = V,
    [']'] = V | X | Q,
    ['^'] = T | V | X | Q,
    ['_'] = T | V | P | Q | U,
    ['`'] = T | V | X | Q,
    ['a' ... 'f'] = T | V | P | Q | U | H,
    ['g' ... 'z'] = T | V | P | Q | U,
    ['{'] = V | X | Q,
    ['|'] = T | V | X | Q,
    ['}'] = V | X | Q,
    ['~'] = T | V | P | Q | U,
    [0x80 ... 0xff] = V,
};

uint32_t gate_bytes_count(const char *p, size_t n, char c)
{
    uint32_t count = 0;
    size_t i = 0;

#ifdef __SSE2__
    /* A lane holds at most 255 hits before it is added up. */
    while (n - i >= 16) {
        __m128i hits = _mm_setzero_si128();
        size_t stop = n - i >= 255 * 16 ? i + 255 * 16 : i + ((n - i) & ~(size_t)15);

        for (; i < stop; i += 16)
            hits = _mm_sub_epi8(hits, _mm_cmpeq_epi8(gate_bytes_load(p + i), _mm_set1_epi8(c)));
        hits = _mm_sad_epu8(hits, _mm_setzero_si128());
        count += (uint32_t)_mm_cvtsi128_si32(hits) +
                 (uint32_t)_mm_cvtsi128_si32(_mm_srli_si128(hits, 8));
    }
#endif
    for (; i < n; i++)
        count += p[i] == c;
    return count;
}
