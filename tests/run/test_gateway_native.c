/* covers: script/native.c */
#include "gateway_case.h"

#include <math.h>

/* Says what it was given: "number boolean string:3 ...". */
static void describe(struct gate_call *call, void *arg)
{
    static const char *const names[] = { "none", "nil", "boolean", "number", "string", "other" };
    char text[300] = "";
    size_t n;

    (void)arg;
    for (int i = 1; i <= gate_arg_count(call); i++) {
        size_t at = strlen(text);

        snprintf(text + at, sizeof(text) - at, "%s%s", i > 1 ? " " : "",
                 names[gate_arg_type(call, i)]);
        if (gate_arg_type(call, i) != GATE_TYPE_STRING)
            continue;
        gate_arg_string(call, i, &n);
        at = strlen(text);
        snprintf(text + at, sizeof(text) - at, ":%zu", n);
    }
    gate_return_string(call, text, strlen(text));
}

static void distance(struct gate_call *call, void *arg)
{
    double x = gate_arg_number(call, 1), y = gate_arg_number(call, 2);

    (*(_Atomic int *)arg)++;
    gate_return_number(call, sqrt(x * x + y * y));
}

static void everything(struct gate_call *call, void *arg)
{
    (void)arg;
    gate_return_nil(call);
    gate_return_boolean(call, true);
    gate_return_boolean(call, false);
    gate_return_number(call, 2.5);
    gate_return_string(call, "a\0b", 3);
    gate_return_string(call, "", 0);
}

static void complain(struct gate_call *call, void *arg)
{
    (void)arg;
    gate_return_number(call, 1);
    gate_fail(call, gate_arg_string(call, 1, NULL));
    gate_fail(call, "not heard");
}

static void too_many(struct gate_call *call, void *arg)
{
    (void)arg;
    for (int i = 0; i < 17; i++)
        gate_return_number(call, i);
}

static void is_set(struct gate_call *call, void *arg)
{
    (void)arg;
    gate_return_boolean(call, gate_arg_boolean(call, 1));
}

/* A text of so many bytes. */
static void repeat(struct gate_call *call, void *arg)
{
    size_t n = (size_t)gate_arg_number(call, 1);
    char *text = calloc(n + 1, 1);

    (void)arg;
    assert_non_null(text);
    gate_return_string(call, text, n);
    free(text);
}

static _Atomic int calls;

static const struct gate_module_function functions[] = {
    { "describe", describe, NULL }, { "distance", distance, &calls },
    { "everything", everything, NULL }, { "complain", complain, NULL },
    { "too_many", too_many, NULL }, { "is_set", is_set, NULL }, { "rep", repeat, NULL },
};

static void open_native(struct gateway_case *c)
{
    case_open(c);
    assert_int_equal(gate_add_module(c->gw, "app.native", functions,
                                     sizeof(functions) / sizeof(functions[0])), 0);
}

/* Serves a handler that answers with what an expression gives; n is the module. */
static const char *value_of(struct gateway_case *c, const char *expression)
{
    char text[600];

    snprintf(text, sizeof(text), LISTEN "local n = require 'app.native'\n"
             "gate.limits { hook_cpu = '5s' } "
             "gate.route { path = '/', handler = function()\n"
             "  local ok, value = pcall(function()\n"
             "    return %s\n"
             "  end)\n"
             "  return gate.reply(200, tostring(value)) end }\n", expression);
    serve_text(c, text);
    return body(get(c, "/"));
}

static void passes_values(void **state)
{
    struct gateway_case c;

    (void)state;
    open_native(&c);
    assert_string_equal(value_of(&c, "n.distance(3, 4)"), "5");
    assert_true(calls > 0);
    assert_string_equal(value_of(&c, "n.describe(1, true, 'abc', nil, {}, print)"),
                        "number boolean string:3 nil other other");
    assert_string_equal(value_of(&c, "n.describe()"), "");
    assert_string_equal(value_of(&c, "select('#', n.everything())"), "6");
    assert_string_equal(value_of(&c, "(function(a, b, c, d, e, f) return tostring(a) .. "
                                     "tostring(b) .. tostring(c) .. d .. #e .. #f end)"
                                     "(n.everything())"),
                        "niltruefalse2.530");
    assert_string_equal(value_of(&c, "n.is_set(true)"), "true");
    assert_string_equal(value_of(&c, "#n.rep(300000)"), "300000");
    case_close(&c);
}

static void raises_at_the_line_of_the_script(void **state)
{
    struct gateway_case c;

    (void)state;
    open_native(&c);
    assert_string_equal(value_of(&c, "1 + n.complain('no such town')"),
                        "gateway.lua:6: no such town");
    assert_string_equal(value_of(&c, "1 + n.distance(1, 'x')"),
                        "gateway.lua:6: argument 2: a number was expected, not a string");
    assert_string_equal(value_of(&c, "1 + n.distance()"),
                        "gateway.lua:6: argument 1: a number was expected, not nothing");
    assert_string_equal(value_of(&c, "1 + n.distance(1, {})"),
                        "gateway.lua:6: argument 2: a number was expected, not table");
    assert_string_equal(value_of(&c, "1 + n.is_set(nil)"),
                        "gateway.lua:6: argument 1: a boolean was expected, not nil");
    assert_string_equal(value_of(&c, "1 + n.too_many()"),
                        "gateway.lua:6: the function gives more than 16 results");
    case_close(&c);
}

/* What functions give counts as memory of the scripts. */
static void is_contained(void **state)
{
    struct gateway_case c;

    (void)state;
    open_native(&c);
    assert_string_equal(value_of(&c, "n.rep(20000000)"), "not enough memory");
    serve_text(&c, LISTEN "local n = require 'app.native'\n"
                          "gate.limits { hook_cpu = '300ms', vm_memory = '16m' }\n"
                          "gate.route { path = '/loop', handler = function()\n"
                          "  while true do pcall(n.distance, 1, 2) pcall(n.complain, 'x') end\n"
                          "end }\n"
                          "gate.route { path = '/eat', handler = function()\n"
                          "  local all = {}\n"
                          "  for i = 1, 1e6 do all[i] = n.rep(100000 + i) end\n"
                          "end }\n"
                          "gate.route { path = '/', handler = function()\n"
                          "  return gate.reply(200, n.describe('x')) end }\n");
    for (int i = 0; i < 3; i++) {
        assert_non_null(strstr(get(&c, "/loop"), " 503 "));
        assert_non_null(strstr(get(&c, "/eat"), " 500 "));
        assert_string_equal(body(get(&c, "/")), "string:1");
    }
    until(&c.killed, 3);
    case_close(&c);
}

static void stands_before_files(void **state)
{
    struct gateway_case c;
    struct gate_errors *errors;
    uint64_t id;

    (void)state;
    open_native(&c);
    add_text(&c, "app/native.lua", "return { describe = function() return 'the file' end }");
    assert_string_equal(value_of(&c, "n.describe(1)"), "number");
    assert_int_equal(gate_add_module(c.gw, "late", functions, 1), 0);
    serve_text(&c, LISTEN "local town = require('late').describe(1, 2)\n"
                          "gate.route { path = '/', reply = { 200, town } }\n");
    assert_string_equal(body(get(&c, "/")), "number number");
    add_text(&c, "gateway.lua", "require 'unknown'\n");
    assert_int_equal(gate_load(c.gw, "gateway.lua", &id, &errors), EINVAL);
    assert_non_null(strstr(gate_errors_at(errors, 0)->message, "no module 'unknown'"));
    gate_errors_free(&errors);
    case_close(&c);
}

static void knows_names_of_modules(void **state)
{
    static const char *const bad[] = { "", "a b", "a..b", ".a", "a.", "1a", "moongate",
                                       "moongate.policy.x", "a/b" };
    static const struct gate_module_function wrong[] = { { "a-b", describe, NULL },
                                                         { "", describe, NULL },
                                                         { NULL, describe, NULL },
                                                         { "a", NULL, NULL } };
    struct gateway_case c;

    (void)state;
    case_open(&c);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(gate_add_module(c.gw, bad[i], functions, 1), EINVAL);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(gate_add_module(c.gw, "good", &wrong[i], 1), EINVAL);
    assert_int_equal(gate_add_module(c.gw, "good", functions, 1), 0);
    assert_int_equal(gate_add_module(c.gw, "good", functions, 1), EEXIST);
    assert_int_equal(gate_add_module(c.gw, "moongates.a_1", functions, 1), 0);
    case_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_values),
        cmocka_unit_test(raises_at_the_line_of_the_script),
        cmocka_unit_test(is_contained),
        cmocka_unit_test(stands_before_files),
        cmocka_unit_test(knows_names_of_modules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
