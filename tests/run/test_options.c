#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "run/options.h"

static char why[256];

static bool parse(struct gate_options *o, const char *command, int argc, const char **argv)
{
    return gate_options_parse(command, argc, (char **)argv, o, why, sizeof(why));
}

#define PARSE(o, command, ...)                                                                    \
    parse((o), (command), (int)(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *)),        \
          (const char *[]){ __VA_ARGS__ })

static void reads_everything_of_run(void **state)
{
    struct gate_options o;

    (void)state;
    assert_true(PARSE(&o, "run", "g.lua", "--workers", "3", "--listen=:80", "--listen", "[::1]:81",
                      "--data", "a=b=c", "--trust", "--test-clock", "--foreground-engine",
                      "--no-watch", "--socket", "/s"));
    assert_string_equal(o.file, "g.lua");
    assert_int_equal(o.workers, 3);
    assert_int_equal(o.n_listen, 2);
    assert_string_equal(o.listen[0], ":80");
    assert_string_equal(o.listen[1], "[::1]:81");
    assert_int_equal(o.n_data, 1);
    assert_string_equal(o.data[0].name, "a");
    assert_string_equal(o.data[0].path, "b=c");
    assert_string_equal(o.socket, "/s");
    assert_true(o.trust && o.test_clock && o.foreground);
    gate_options_fini(&o);
}

static void auto_workers_is_the_default(void **state)
{
    struct gate_options o;

    (void)state;
    assert_true(PARSE(&o, "run", "--workers", "auto", "g.lua"));
    assert_int_equal(o.workers, 0);
}

static void proxy_takes_two_words(void **state)
{
    struct gate_options o;

    (void)state;
    assert_true(PARSE(&o, "run", "--proxy", ":8080", "http://127.0.0.1:9000"));
    assert_string_equal(o.proxy, ":8080");
    assert_string_equal(o.proxy_to, "http://127.0.0.1:9000");
    assert_null(o.file);
    assert_false(PARSE(&o, "run", "--proxy", ":8080"));
    assert_non_null(strstr(why, "needs a URL"));
}

static void words_behind_two_dashes_are_words(void **state)
{
    struct gate_options o;

    (void)state;
    assert_true(PARSE(&o, "check", "--json", "--", "--odd.lua"));
    assert_true(o.json);
    assert_string_equal(o.file, "--odd.lua");
}

static void reads_an_order_for_a_canary(void **state)
{
    struct gate_options o;

    (void)state;
    assert_true(PARSE(&o, "reload", "g.lua", "--abort-if", "errors > 1%", "--canary", "5%",
                      "--for=30s", "--abort-if", "p99 > 1.5x or kills > 0", "--detach"));
    assert_string_equal(o.canary, "5%");
    assert_string_equal(o.canary_for, "30s");
    assert_string_equal(o.abort_if, "errors > 1%, p99 > 1.5x or kills > 0");
    assert_true(o.detach);
    assert_true(PARSE(&o, "reload", "g.lua"));
    assert_null(o.canary);
}

static void mistakes_in_an_order_are_told(void **state)
{
    struct gate_options o;

    (void)state;
    assert_false(PARSE(&o, "reload", "g.lua", "--canary", "5"));
    assert_string_equal(why, "--canary \"5\": expected a share of the requests, such as 5% or 0.5%");
    assert_false(PARSE(&o, "reload", "g.lua", "--canary", "5%", "--for", "1"));
    assert_string_equal(why, "--for \"1\": expected a time such as 60s or 5m");
    assert_false(PARSE(&o, "reload", "g.lua", "--canary", "5%", "--abort-if", "erors > 1%"));
    assert_string_equal(why, "--abort-if \"erors > 1%\": at \"erors\": expected errors, faults, "
                             "kills or p99");
    assert_false(PARSE(&o, "reload", "g.lua", "--for", "60s"));
    assert_non_null(strstr(why, "reload needs --canary"));
    assert_false(PARSE(&o, "reload", "g.lua", "--abort-if", "kills > 0"));
    assert_false(PARSE(&o, "reload", "g.lua", "--detach"));
    assert_false(PARSE(&o, "rollback", "g.lua", "--canary", "5%"));
    assert_non_null(strstr(why, "rollback has no option --canary"));
}

static void conditions_have_an_end(void **state)
{
    const char *argv[40] = { "g.lua", "--canary", "5%" };
    struct gate_options o;
    int n = 3;

    (void)state;
    for (; n < 37; n += 2) {
        argv[n] = "--abort-if";
        argv[n + 1] = "errors > 0.00000000001x or kills > 0 or p99 > 5ms";
    }
    assert_false(parse(&o, "reload", n, argv));
    assert_non_null(strstr(why, "expected shorter conditions, or fewer"));
}

static void options_belong_to_commands(void **state)
{
    struct gate_options o;

    (void)state;
    assert_false(PARSE(&o, "check", "g.lua", "--workers", "2"));
    assert_non_null(strstr(why, "check has no option --workers"));
    assert_false(PARSE(&o, "run", "g.lua", "--jsn"));
    assert_false(PARSE(&o, "run", "g.lua", "--trust=yes"));
    assert_non_null(strstr(why, "takes no value"));
    assert_false(PARSE(&o, "reload", "--socket"));
    assert_non_null(strstr(why, "needs a path"));
}

static void reload_needs_file_or_socket(void **state)
{
    struct gate_options o;

    (void)state;
    assert_true(PARSE(&o, "reload", "--socket", "/s"));
    assert_true(PARSE(&o, "reload", "g.lua"));
    assert_false(PARSE(&o, "reload", "--trust"));
    assert_non_null(strstr(why, "needs a gateway file"));
}

static void routes_takes_method_and_url(void **state)
{
    struct gate_options o;

    (void)state;
    assert_true(PARSE(&o, "routes", "g.lua", "GET", "/a"));
    assert_string_equal(o.method, "GET");
    assert_string_equal(o.url, "/a");
    assert_false(PARSE(&o, "routes", "g.lua", "GET"));
    assert_false(PARSE(&o, "routes", "g.lua", "GET", "/a", "b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_everything_of_run),
        cmocka_unit_test(auto_workers_is_the_default),
        cmocka_unit_test(proxy_takes_two_words),
        cmocka_unit_test(words_behind_two_dashes_are_words),
        cmocka_unit_test(reads_an_order_for_a_canary),
        cmocka_unit_test(mistakes_in_an_order_are_told),
        cmocka_unit_test(conditions_have_an_end),
        cmocka_unit_test(options_belong_to_commands),
        cmocka_unit_test(reload_needs_file_or_socket),
        cmocka_unit_test(routes_takes_method_and_url),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
