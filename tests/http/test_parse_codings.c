/* Transfer-Encoding but for "chunked" alone: which lists are well-formed. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http/parse_int.h"

/* The value ends with its memory, so that a look beyond it is seen. */
static int status_of(const char *z)
{
    size_t n = strlen(z);
    char *p = malloc(n == 0 ? 1 : n);
    struct gate_refusal no;

    assert_non_null(p);
    memcpy(p, z, n);
    no = gate_parse_codings(gate_str_of(p, n));
    assert_non_null(no.why);
    free(p);
    return no.status;
}

static void assert_each(const char *const *values, size_t n, int status)
{
    for (size_t i = 0; i < n; i++) {
        if (status_of(values[i]) != status)
            print_error("<%s>: %d\n", values[i], status_of(values[i]));
        assert_int_equal(status_of(values[i]), status);
    }
}

static void well_formed(void **state)
{
    static const char *const values[] = {
        "gzip",
        "identity",
        "xchunked",
        "gzip, chunked",
        "gzip,chunked",
        "gzip \t,\t Chunked",
        "gzip, deflate",
        "gzip, deflate, chunked",
        "a;b=c",
        "a;b=\"c\"",
        "a ; b = c ;d=\"e;f, \\\" chunked, \"\t, chunked",
        "a;chunked=chunked, chunked",
    };

    (void)state;
    assert_each(values, sizeof values / sizeof *values, 501);
}

static void malformed(void **state)
{
    static const char *const values[] = {
        "",
        ",",
        ",chunked",
        ", chunked",
        "chunked,",
        "chunked, ",
        "gzip,,chunked",
        "gzip, ,chunked",
        "gzip,",
        "\"chunked\"",
        "gzip, \"chunked\"",
        "gzip chunked",
        "gzip; chunked",
        "gzip;",
        "gzip;q",
        "gzip;q=",
        "gzip;q= ",
        "gzip;q=,chunked",
        "gzip;=1, chunked",
        "gzip;q=\"",
        "gzip;q=\"x",
        "gzip;q=\"x\\",
        "gzip;q=\"x\\\"",
        "gzip;q=\"x\"y",
        "gzip/1, chunked",
        "\x0b"
        "chunked",
        "gzip, chunked\xa0",
    };

    (void)state;
    assert_each(values, sizeof values / sizeof *values, 400);
}

static void chunked_once_and_last(void **state)
{
    static const char *const values[] = {
        "chunked, chunked",       "chunked, gzip",     "chunked, identity",
        "gzip, chunked, gzip",    "chunked;a=b",       "gzip, chunked;q=\"1\"",
        "CHUNKED, gzip, chunked", "chunked , chunked",
    };

    (void)state;
    assert_each(values, sizeof values / sizeof *values, 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed),
        cmocka_unit_test(malformed),
        cmocka_unit_test(chunked_once_and_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
