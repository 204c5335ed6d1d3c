/* An info owns its texts and lives as long as anybody refers to it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tls/info.h"

static void texts_are_copied(void **state)
{
    char sni[] = "a.test";
    struct gate_tls_info *i = gate_tls_info_new(&(struct gate_tls_info){
        .version = GATE_STR("1.3"), .sni = gate_str_from_cstr(sni)});
    struct gate_tls_info *other = gate_tls_info_ref(i);

    (void)state;
    sni[0] = 'x';
    gate_tls_info_unref(&i);
    assert_null(i);
    assert_true(gate_str_eq(other->sni, GATE_STR("a.test")));
    assert_true(gate_str_eq(other->version, GATE_STR("1.3")));
    assert_int_equal(other->alpn.n, 0);
    gate_tls_info_unref(&other);
    gate_tls_info_unref(&other);
    assert_null(gate_tls_info_ref(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts_are_copied)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
