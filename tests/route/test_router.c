/* covers: route/pattern.c route/match.c route/precedence.c route/trie.c
 * covers: route/lookup.c route/expand.c route/explain.c */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "route/route_int.h"

/* A router on the routes of a JSON list, and one request at a time. */
struct fixture {
    struct gate_config *config;
    struct gate_router *router;
    struct gate_arena arena;
    struct gate_fields fields;
    struct gate_field field[4];
    struct gate_headers headers;
    struct gate_route_query q;
    struct gate_route_result got;
};

static void fx_open(struct fixture *fx, const char *routes)
{
    size_t cap = strlen(routes) + 64;
    char *text = malloc(cap), why[256];
    int n = snprintf(text, cap, "{\"format\":1,\"routes\":[%s]}", routes);

    *fx = (struct fixture){0};
    if (gate_config_parse(gate_str_of(text, (size_t)n), &fx->config, why, sizeof(why)) != GATE_OK)
        fail_msg("%s", why);
    free(text);
    assert_int_equal(gate_router_build(fx->config, &fx->router), GATE_OK);
    gate_arena_init(&fx->arena, NULL);
    fx->fields.v = fx->field;
    fx->headers = (struct gate_headers){.original = &fx->fields, .arena = &fx->arena};
    fx->q.headers = &fx->headers;
}

static void fx_close(struct fixture *fx)
{
    gate_router_free(&fx->router);
    assert_null(fx->router);
    gate_config_free(&fx->config);
    gate_arena_clear(&fx->arena);
}

/* The name of the route that takes the request; "404", or the Allow value. */
static const char *ask(struct fixture *fx, const char *method, const char *host, const char *path)
{
    fx->q.method = gate_str_from_cstr(method);
    fx->q.host = gate_str_from_cstr(host);
    fx->q.path = gate_str_from_cstr(path);
    gate_router_find(fx->router, &fx->q, &fx->arena, &fx->got);
    if (fx->got.route != NULL)
        return gate_arena_cstr(&fx->arena, fx->got.route->name);
    if (fx->got.allow.n > 0)
        return gate_arena_cstr(&fx->arena, fx->got.allow);
    return "404";
}

static const char *get(struct fixture *fx, const char *path)
{
    return ask(fx, "GET", "h.test", path);
}

static void assert_capture(const struct fixture *fx, uint32_t i, const char *name,
                           const char *value)
{
    assert_true(i < fx->got.n_captures);
    assert_true(gate_str_eq(fx->got.captures[i].name, gate_str_from_cstr(name)));
    assert_true(gate_str_eq(fx->got.captures[i].value, gate_str_from_cstr(value)));
}

static void test_paths(void **state)
{
    struct fixture fx;

    (void)state;
    fx_open(&fx, "{\"path\":\"/a/\"},{\"path\":\"/b\"},{\"path\":\"/users/:id\"},{\"path\":\"/"
                 "files/*rest\"},"
                 "{\"path\":\"/u/:id/\"},{\"path\":\"/u/:id/x/:y\"},{\"path\":\"/e//f\"}");
    assert_string_equal(get(&fx, "/a"), "404");
    assert_string_equal(get(&fx, "/a/"), "/a/");
    assert_capture(&fx, 0, "*", "");
    assert_string_equal(get(&fx, "/a/b/c"), "/a/");
    assert_capture(&fx, 0, "*", "b/c");
    assert_string_equal(get(&fx, "/b"), "/b");
    assert_int_equal(fx.got.n_captures, 0);
    assert_string_equal(get(&fx, "/b/"), "404");
    assert_string_equal(get(&fx, "/bc"), "404");
    assert_string_equal(get(&fx, "/users/7"), "/users/:id");
    assert_capture(&fx, 0, "id", "7");
    assert_string_equal(get(&fx, "/users/"), "404");
    assert_string_equal(get(&fx, "/users/7/"), "404");
    assert_string_equal(get(&fx, "/files/"), "/files/*rest");
    assert_capture(&fx, 0, "rest", "");
    assert_string_equal(get(&fx, "/files/a%2Fb/c"), "/files/*rest");
    assert_capture(&fx, 0, "rest", "a%2Fb/c");
    assert_string_equal(get(&fx, "/files"), "404");
    assert_string_equal(get(&fx, "/u/9"), "404");
    assert_string_equal(get(&fx, "/u/9/"), "/u/:id/");
    assert_string_equal(get(&fx, "/u/9/x/z"), "/u/:id/x/:y");
    assert_capture(&fx, 1, "y", "z");
    assert_string_equal(get(&fx, "/u/9/x/z/"), "/u/:id/");
    assert_capture(&fx, 1, "*", "x/z/");
    assert_string_equal(get(&fx, "/e//f"), "/e//f");
    assert_string_equal(get(&fx, "/e/f"), "404");
    assert_string_equal(get(&fx, "*"), "404");
    assert_string_equal(get(&fx, ""), "404");
    assert_string_equal(get(&fx, "/"), "404");
    fx_close(&fx);
}

static void test_hosts(void **state)
{
    struct fixture fx;

    (void)state;
    fx_open(
        &fx,
        "{\"name\":\"none\",\"path\":\"/x\"},{\"name\":\"suffix\",\"host\":\"*.a.test\"},"
        "{\"name\":\"long\",\"host\":\"*.b.a.test\"},{\"name\":\"exact\",\"host\":\"c.a.test\"}");
    assert_string_equal(ask(&fx, "GET", "a.test", "/x"), "none");
    assert_string_equal(ask(&fx, "GET", "a.test", "/y"), "404");
    assert_string_equal(ask(&fx, "GET", "q.a.test", "/x"), "suffix");
    assert_string_equal(ask(&fx, "GET", "p.q.a.test", "/x"), "suffix");
    assert_string_equal(ask(&fx, "GET", "q.b.a.test", "/x"), "long");
    assert_string_equal(ask(&fx, "GET", "b.a.test", "/x"), "suffix");
    assert_string_equal(ask(&fx, "GET", "c.a.test", "/x"), "exact");
    assert_string_equal(ask(&fx, "GET", ".a.test", "/x"), "none");
    assert_string_equal(ask(&fx, "GET", "xa.test", "/x"), "none");
    assert_string_equal(ask(&fx, "GET", "", "/x"), "none");
    assert_string_equal(ask(&fx, "OPTIONS", "c.a.test", "*"), "exact");
    fx_close(&fx);
}

static void test_precedence(void **state)
{
    struct fixture fx;

    (void)state;
    fx_open(&fx, "{\"name\":\"root\",\"path\":\"/"
                 "\"},{\"name\":\"any\"},{\"name\":\"id\",\"path\":\"/p/:id\"},"
                 "{\"name\":\"rest\",\"path\":\"/p/*rest\"},{\"name\":\"exact\",\"path\":\"/p/x\"},"
                 "{\"name\":\"get\",\"path\":\"/p/:name\",\"methods\":[\"GET\"]},"
                 "{\"name\":\"first\",\"path\":\"/q/"
                 "\",\"priority\":1},{\"name\":\"two\",\"path\":\"/q/:a/:b\"},"
                 "{\"name\":\"late\",\"path\":\"/p/:id\"},{\"name\":\"low\",\"path\":\"/p/x/"
                 "y\",\"priority\":-1}");
    assert_string_equal(get(&fx, "/p/x"), "exact");
    assert_string_equal(get(&fx, "/p/y"), "get");
    assert_string_equal(ask(&fx, "PUT", "", "/p/y"), "id");
    assert_string_equal(get(&fx, "/p/"), "rest");
    assert_string_equal(get(&fx, "/p/x/y"), "rest");
    assert_string_equal(get(&fx, "/q/a/b"), "first");
    assert_string_equal(get(&fx, "/z"), "root");
    assert_string_equal(get(&fx, "*"), "any");
    fx_close(&fx);
    fx_open(&fx, "{\"path\":\"/:a/y\"},{\"path\":\"/xx/:b\"}");
    assert_string_equal(get(&fx, "/xx/y"), "/xx/:b"); /* more literal text */
    assert_string_equal(get(&fx, "/x/y"), "/:a/y");
    fx_close(&fx);
}

static void test_methods(void **state)
{
    struct fixture fx;

    (void)state;
    fx_open(
        &fx,
        "{\"path\":\"/a\",\"name\":\"get\",\"methods\":[\"GET\"]},"
        "{\"path\":\"/a\",\"name\":\"post\",\"methods\":[\"POST\",\"PROPFIND\"]},"
        "{\"path\":\"/a\",\"name\":\"never\",\"methods\":[\"PATCH\"],\"headers\":[[\"x-a\",null]]},"
        "{\"path\":\"/b\",\"name\":\"b\",\"host\":\"b.test\",\"methods\":[\"PUT\"]},"
        "{\"path\":\"/b\",\"name\":\"b2\",\"methods\":[\"PUT\",\"DELETE\"]}");
    assert_string_equal(get(&fx, "/a"), "get");
    assert_string_equal(ask(&fx, "HEAD", "", "/a"), "get");
    assert_string_equal(ask(&fx, "PROPFIND", "", "/a"), "post");
    assert_string_equal(ask(&fx, "DELETE", "", "/a"), "GET, HEAD, POST, PROPFIND");
    assert_string_equal(ask(&fx, "SEARCH", "", "/a"), "GET, HEAD, POST, PROPFIND");
    assert_string_equal(ask(&fx, "get", "", "/a"), "GET, HEAD, POST, PROPFIND");
    assert_string_equal(ask(&fx, "GET", "b.test", "/b"), "PUT, DELETE");
    assert_string_equal(ask(&fx, "DELETE", "b.test", "/b"), "b2");
    assert_string_equal(ask(&fx, "DELETE", "", "/c"), "404");
    fx_close(&fx);
}

static void test_headers_and_query(void **state)
{
    struct fixture fx;

    (void)state;
    fx_open(&fx, "{\"name\":\"plain\"},{\"name\":\"has\",\"headers\":[[\"X-A\",null]]},"
                 "{\"name\":\"is\",\"headers\":[[\"x-a\",\"v\"],[\"x-b\",null]]},"
                 "{\"name\":\"q\",\"query\":[[\"a b\",\"1&2\"],[\"flag\",null]]},"
                 "{\"name\":\"q2\",\"query\":[[\"%zz\",\"\"]]}");
    assert_string_equal(get(&fx, "/"), "plain");
    fx.field[0] = (struct gate_field){"x-A", "w", 3, GATE_F_OTHER, 1};
    fx.fields.n = 1;
    assert_string_equal(get(&fx, "/"), "has");
    fx.field[0].value = "v";
    assert_string_equal(get(&fx, "/"), "has");
    fx.field[1] = (struct gate_field){"x-b", "", 3, GATE_F_OTHER, 0};
    fx.fields.n = 2;
    assert_string_equal(get(&fx, "/"), "is");
    fx.fields.n = 0;
    fx.q.query = GATE_STR("a+b=1%262&flag");
    assert_string_equal(get(&fx, "/"), "q");
    fx.q.query = GATE_STR("a%20b=1%262&flag=x&a+b=0");
    assert_string_equal(get(&fx, "/"), "q");
    fx.q.query = GATE_STR("a+b=0&a+b=1%262&flag");
    assert_string_equal(get(&fx, "/"), "plain");
    fx.q.query = GATE_STR("a+b=1%262%3&flag");
    assert_string_equal(get(&fx, "/"), "plain");
    fx.q.query = GATE_STR("%zz");
    assert_string_equal(get(&fx, "/"), "q2");
    fx.q.headers = NULL;
    fx.q.query = GATE_STR_NONE;
    assert_string_equal(get(&fx, "/"), "plain");
    fx_close(&fx);
}

static const char *next(struct fixture *fx)
{
    gate_router_next(fx->router, &fx->q, &fx->got);
    return fx->got.route == NULL ? "404" : gate_arena_cstr(&fx->arena, fx->got.route->name);
}

static void test_when(void **state)
{
    struct fixture fx;

    (void)state;
    fx_open(&fx, "{\"name\":\"b\",\"path\":\"/a\",\"when\":true},{\"name\":\"c\",\"path\":\"/:x\"},"
                 "{\"name\":\"d\",\"host\":\"*.test\",\"when\":true},"
                 "{\"name\":\"e\",\"path\":\"/a\",\"methods\":[\"POST\"]}");
    assert_string_equal(get(&fx, "/a"), "d");
    assert_true(fx.got.needs_when);
    assert_string_equal(next(&fx), "b");
    assert_true(fx.got.needs_when);
    assert_string_equal(next(&fx), "c");
    assert_false(fx.got.needs_when);
    assert_capture(&fx, 0, "x", "a");
    assert_string_equal(next(&fx), "404");
    assert_int_equal(fx.got.allow.n, 0);
    assert_string_equal(next(&fx), "404");
    fx_close(&fx);
}

static void assert_expand(struct fixture *fx, const char *pattern, const char *want)
{
    struct gate_str s = gate_route_expand(gate_str_from_cstr(pattern), &fx->got, &fx->arena);

    if (!gate_str_eq(s, gate_str_from_cstr(want)))
        fail_msg("%s gives %.*s, not %s", pattern, (int)s.n, s.p, want);
}

static void test_expand(void **state)
{
    struct fixture fx;

    (void)state;
    fx_open(&fx, "{\"path\":\"/u/:id/*rest\"},{\"path\":\"/old/\"},{\"path\":\"/x\"}");
    get(&fx, "/u/7/a/b");
    assert_expand(&fx, "/v2/:id/*rest", "/v2/7/a/b");
    assert_expand(&fx, "/v2/*", "/v2/a/b");
    assert_expand(&fx, "https://x.test:8080/:id?a=:id#/*rest", "https://x.test:8080/7?a=:id#/a/b");
    assert_expand(&fx, "/:id.html/:none/:/a:id", "/7.html//:/a:id");
    assert_expand(&fx, "", "");
    get(&fx, "/old/a/b");
    assert_expand(&fx, "/new/*", "/new/a/b");
    assert_expand(&fx, "/new/*rest", "/new/");
    get(&fx, "/x");
    assert_expand(&fx, "/y/*", "/y/");
    fx_close(&fx);
}

static void explain(struct fixture *fx, const char *method, const char *path, const char *want)
{
    char buf[2048];
    struct gate_out o = gate_out_on(buf, sizeof(buf) - 1);

    ask(fx, method, "h.test", path);
    gate_router_explain(fx->router, &fx->q, &fx->arena, &o);
    buf[o.n] = '\0';
    assert_string_equal(buf, want);
}

static void test_explain(void **state)
{
    struct fixture fx;

    (void)state;
    fx_open(&fx, "{\"path\":\"/a/:id\",\"when\":true,\"at\":\"g.lua:1\",\"methods\":[\"GET\"]},"
                 "{\"path\":\"/a/:x\",\"at\":\"g.lua:2\"},{\"path\":\"/a/\"},{\"path\":\"/"
                 "\",\"host\":\"no.test\"},"
                 "{\"path\":\"/\",\"when\":true},{\"path\":\"/a/b\",\"headers\":[[\"x-k\",\"v\"]]},"
                 "{\"path\":\"/a/b\",\"name\":\"q\",\"query\":[[\"k\",null]]},{\"path\":\"/"
                 "\",\"name\":\"z\"}");
    explain(&fx, "GET", "/a/b",
            "/a/:id (g.lua:1), depends on when: if its function says no, the next one\n"
            "  fits path /a/:id, method GET\n"
            "  id = \"b\"\n"
            "  not /a/b: header x-k is not \"v\"\n"
            "  not q: query k is missing\n"
            "  then /a/:x (g.lua:2): fewer other matchers (0 against 2)\n"
            "  then /a/: shorter path\n"
            "  then /: fewer literal segments (0 against 1); depends on when\n"
            "  then z: fewer literal segments (0 against 1)\n");
    fx_close(&fx);
    fx_open(&fx, "{\"path\":\"/a\",\"methods\":[\"GET\",\"PUT\"]}");
    explain(&fx, "POST", "/a",
            "no route for this method: 405, Allow: GET, HEAD, PUT\n"
            "  not /a: is for GET, PUT\n");
    explain(&fx, "GET", "/b", "no route: 404\n");
    fx_close(&fx);
    fx_open(&fx, "{\"path\":\"/a\",\"priority\":5},{\"path\":\"/a\",\"host\":\"h.test\"},"
                 "{\"path\":\"/a\",\"name\":\"later\",\"priority\":5}");
    explain(&fx, "GET", "/a",
            "/a\n  fits path /a\n  then later: declared later\n"
            "  then h.test /a: lower priority (0 against 5)\n");
    fx_close(&fx);
    fx_open(&fx, "{\"host\":\"*.test\",\"methods\":[\"GET\",\"PUT\"],\"query\":[[\"k\",null]],"
                 "\"headers\":[[\"x-k\",null]],\"name\":\"r\"},{\"name\":\"any\",\"host\":\"h.test\"}");
    explain(&fx, "GET", "/", "any\n  fits host h.test\n  * = \"\"\n  not r: header x-k is missing\n");
    fx_close(&fx);
    fx_open(&fx, "{\"path\":\"/a/:id\"},{\"path\":\"/a/b\"}");
    explain(&fx, "GET", "/a/b",
            "/a/b\n  fits path /a/b\n  then /a/:id: the winner's path is exact\n");
    fx_close(&fx);
    fx_open(&fx, "{\"name\":\"all\"}");
    explain(&fx, "GET", "/x", "all\n  fits any request\n  * = \"x\"\n  no other route fits host and path\n");
    fx_close(&fx);
    fx_open(
        &fx,
        "{\"host\":\"*.b.test\"},{\"host\":\"*.test\"},{\"name\":\"n\"},{\"host\":\"a.b.test\"}");
    ask(&fx, "GET", "a.b.test", "/");
    assert_string_equal(gate_arena_cstr(&fx.arena, fx.got.route->name), "a.b.test");
    assert_string_equal(next(&fx), "*.b.test");
    assert_string_equal(next(&fx), "*.test");
    assert_string_equal(next(&fx), "n");
    fx_close(&fx);
}

static void on_row(void *arg, const struct gate_route_config *route)
{
    char *text = arg;

    strncat(text, route->name.p, route->name.n);
    strcat(text, " ");
}

static void test_each(void **state)
{
    struct fixture fx;
    char text[64] = "";

    (void)state;
    fx_open(&fx, "{\"path\":\"/\"},{\"path\":\"/a\"},{\"path\":\"/b\",\"priority\":1}");
    gate_router_each(fx.router, on_row, text);
    assert_string_equal(text, "/b /a / ");
    fx_close(&fx);
}

static void test_bad_patterns(void **state)
{
    static const struct gate_route_config bad[] = {
        {.path = {"a", 1}},
        {.path = {"/*a/b", 5}},
        {.path = {"/*a/", 4}},
        {.path = {"/:a/:b/:c/:d/:e/:f/:g/:h/:i/:j/:k/:l/:m/:n/:o/:p/", 49}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct gate_config config = {.routes = &bad[i], .n_routes = 1};
        struct gate_router *r;

        assert_int_equal(gate_router_build(&config, &r), i < 3 ? GATE_E_INVALID : GATE_E_LIMIT);
        assert_null(r);
    }
}

/* Texts longer than what fits into a node, chains that merge, and branches inside of them. */
static void test_long_texts(void **state)
{
    static const char *const host = "a-host-of-more-than-thirty-two-bytes.example.test";
    static const char *const longer = "a-host-of-more-than-thirty-two-bytes.example.test2";
    struct fixture fx;

    (void)state;
    fx_open(
        &fx,
        "{\"name\":\"a\",\"path\":\"/one/two/three/four/five/six/seven/eight/nine/\"},"
        "{\"name\":\"b\",\"path\":\"/one/two/three/quattuor-and-a-lot-of-other-letters/:x/end\"},"
        "{\"name\":\"c\",\"path\":\"/one/two/:y/four\"},{\"name\":\"e\",\"path\":\"/e//f\"},"
        "{\"name\":\"h\",\"host\":\"a-host-of-more-than-thirty-two-bytes.example.test\"}");
    assert_string_equal(get(&fx, "/one/two/three/four/five/six/seven/eight/nine/x"), "a");
    assert_capture(&fx, 0, "*", "x");
    assert_string_equal(get(&fx, "/one/two/three/four/five/six/seven/eight/ninex/"), "404");
    assert_string_equal(get(&fx, "/one/two/three/four/five/six/seven/eight"), "404");
    assert_string_equal(get(&fx, "/one/two/three/quattuor-and-a-lot-of-other-letters/7/end"), "b");
    assert_capture(&fx, 0, "x", "7");
    assert_string_equal(get(&fx, "/one/two/three/four"), "c");
    assert_string_equal(get(&fx, "/one/two/three"), "404");
    assert_string_equal(get(&fx, "/one"), "404");
    assert_string_equal(get(&fx, "/onetwo"), "404");
    assert_string_equal(get(&fx, "/e//f"), "e");
    assert_string_equal(get(&fx, "/e//"), "404");
    assert_string_equal(ask(&fx, "GET", host, "/z"), "h");
    assert_string_equal(ask(&fx, "GET", longer, "/z"), "404");
    fx_close(&fx);
}

static void assert_limit(const char *part, int n, enum gate_err want)
{
    struct gate_route_config route = {.ordinal = 0};
    struct gate_config config = {.routes = &route, .n_routes = 1};
    struct gate_router *r;
    size_t each = strlen(part);
    char *text = malloc(each * (size_t)n + 4);

    for (int i = 0; i < n; i++)
        memcpy(text + (size_t)i * each, part, each);
    memcpy(text + (size_t)n * each, "/:z", 3);
    route.path = gate_str_of(text, (size_t)n * each + 3);
    assert_int_equal(gate_router_build(&config, &r), want);
    gate_router_free(&r);
    free(text);
}

static void assert_segments(size_t n, enum gate_err want)
{
    struct gate_route_config route = {.ordinal = 0};
    struct gate_config config = {.routes = &route, .n_routes = 1};
    struct gate_router *r;
    char *text = malloc(n * 2);

    for (size_t i = 0; i < n; i++)
        memcpy(text + i * 2, "/a", 2);
    route.path = gate_str_of(text, n * 2);
    assert_int_equal(gate_router_build(&config, &r), want);
    gate_router_free(&r);
    free(text);
}

static void test_limits(void **state)
{
    (void)state;
    assert_limit("/:a", 15, GATE_OK);
    assert_limit("/:a", 16, GATE_E_LIMIT);
    assert_limit("/a", 63, GATE_OK);
    assert_limit("/a", 64, GATE_E_LIMIT);
    assert_segments(SEGMENTS_MAX, GATE_OK);
    assert_segments(SEGMENTS_MAX + 1, GATE_E_LIMIT);
}

static void test_no_routes(void **state)
{
    struct fixture fx;

    (void)state;
    fx_open(&fx, "");
    assert_string_equal(get(&fx, "/"), "404");
    assert_string_equal(next(&fx), "404");
    fx_close(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_headers_and_query),
        cmocka_unit_test(test_when),
        cmocka_unit_test(test_expand),
        cmocka_unit_test(test_explain),
        cmocka_unit_test(test_each),
        cmocka_unit_test(test_bad_patterns),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_no_routes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
