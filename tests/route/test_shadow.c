#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "route/router.h"

struct seen {
    char text[256];
};

static void on_shadowed(void *arg, const struct gate_route_config *route,
                        const struct gate_route_config *by)
{
    struct seen *seen = arg;
    size_t n = strlen(seen->text);

    snprintf(seen->text + n, sizeof(seen->text) - n, "%.*s<%.*s ", (int)route->name.n,
             route->name.p, (int)by->name.n, by->name.p);
}

/* "loser<winner " for each that never wins, in order of precedence. */
static void expect(const char *routes, const char *expected)
{
    struct seen seen = {""};
    char text[2048], why[256];
    struct gate_config *config;
    struct gate_router *router;
    int n = snprintf(text, sizeof(text), "{\"format\":1,\"routes\":[%s]}", routes);

    if (gate_config_parse(gate_str_of(text, (size_t)n), &config, why, sizeof(why)) != GATE_OK)
        fail_msg("%s", why);
    assert_int_equal(gate_router_build(config, &router), GATE_OK);
    gate_router_each_shadowed(router, on_shadowed, &seen);
    assert_string_equal(seen.text, expected);
    gate_router_free(&router);
    gate_config_free(&config);
}

#define ROUTE(name, more) "{\"name\":\"" name "\",\"reply\":{\"status\":200}," more "}"

static void the_same_place_twice(void **state)
{
    (void)state;
    expect(ROUTE("a", "\"path\":\"/x\"") "," ROUTE("b", "\"path\":\"/x\""), "b<a ");
    expect(ROUTE("a", "\"path\":\"/x\"") "," ROUTE("b", "\"path\":\"/y\""), "");
    expect(ROUTE("a", "\"path\":\"/x\"") "," ROUTE("b", "\"path\":\"/x/\""), "");
    expect(ROUTE("a", "\"path\":\"/x/:id/y\"") "," ROUTE("b", "\"path\":\"/x/:user/y\""), "b<a ");
    expect(ROUTE("a", "\"path\":\"/x/\"") "," ROUTE("b", "\"path\":\"/x/*rest\""), "b<a ");
    expect(ROUTE("a", "\"path\":\"/x\"") "," ROUTE("b", "\"path\":\"/x\",\"host\":\"h\""), "");
    expect(ROUTE("a", "\"path\":\"/x\"") "," ROUTE("b", "\"path\":\"/x\",\"priority\":1"), "a<b ");
    expect(ROUTE("a", "\"host\":\"h\"") "," ROUTE("b", "\"host\":\"h\"") ","
           ROUTE("c", "\"host\":\"h\",\"path\":\"/\""), "b<a ");
}

#define FIRST "\"path\":\"/x\",\"priority\":1"
#define THEN  "\"path\":\"/x\""

static void other_matchers_have_to_be_covered(void **state)
{
    (void)state;
    expect(ROUTE("a", FIRST ",\"methods\":[\"GET\",\"PUT\"]") ","
           ROUTE("b", THEN ",\"methods\":[\"PUT\",\"HEAD\"]") ","
           ROUTE("c", THEN ",\"methods\":[\"PUT\",\"POST\"]") "," ROUTE("d", THEN), "b<a ");
    expect(ROUTE("a", FIRST ",\"headers\":[[\"x-a\",null]]") ","
           ROUTE("b", THEN ",\"headers\":[[\"x-a\",\"1\"]]") ","
           ROUTE("c", THEN ",\"headers\":[[\"x-b\",null]]") "," ROUTE("d", THEN), "b<a ");
    expect(ROUTE("a", FIRST ",\"query\":[[\"k\",\"1\"]]") ","
           ROUTE("b", THEN ",\"query\":[[\"k\",\"1\"],[\"l\",null]]") ","
           ROUTE("c", THEN ",\"query\":[[\"k\",\"2\"]]") ","
           ROUTE("d", THEN ",\"query\":[[\"k\",null]]"), "b<a ");
    /* A function may say no; what goes before it covers the rest all the same. */
    expect(ROUTE("a", FIRST ",\"when\":true") "," ROUTE("b", THEN), "");
    expect(ROUTE("a", FIRST) "," ROUTE("b", THEN ",\"when\":true"), "b<a ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_place_twice),
        cmocka_unit_test(other_matchers_have_to_be_covered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
