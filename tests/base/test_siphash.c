#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/siphash.h"

/* Key and message 00 01 02 …, as in the SipHash paper, with one and three rounds. */
static void test_known_values(void **state)
{
    static const struct {
        size_t n;
        uint64_t hash;
    } known[] = {
        { 0, 0xabac0158050fc4dcull },  { 1, 0xc9f49bf37d57ca93ull },  { 7, 0xd3927d989bb11140ull },
        { 8, 0x369095118d299a8eull },  { 9, 0x25a48eb36c063de4ull },  { 16, 0xcc4fdd1a7d908b66ull },
        { 63, 0x9d199062b7bbb3a8ull },
    };
    const struct gate_sipkey key = { 0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull };
    unsigned char message[64];

    (void)state;
    for (unsigned i = 0; i < sizeof(message); i++)
        message[i] = (unsigned char)i;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        assert_true(gate_siphash(&key, message, known[i].n) == known[i].hash);
}

static void test_any_alignment(void **state)
{
    const struct gate_sipkey key = { 1, 2 };
    char at[40];
    uint64_t first = 0;

    (void)state;
    for (size_t shift = 0; shift < 8; shift++) {
        for (size_t i = 0; i < 29; i++)
            at[shift + i] = (char)i;
        if (shift == 0)
            first = gate_siphash(&key, at, 29);
        assert_true(gate_siphash(&key, at + shift, 29) == first);
    }
}

static void test_keys_are_random(void **state)
{
    struct gate_sipkey a = { 0, 0 }, b = { 0, 0 };

    (void)state;
    gate_sipkey_random(&a);
    gate_sipkey_random(&b);
    assert_true(a.k0 != b.k0 && a.k1 != b.k1);
    assert_true(gate_siphash(&a, "x", 1) != gate_siphash(&b, "x", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_any_alignment),
        cmocka_unit_test(test_keys_are_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
