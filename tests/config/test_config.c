/* covers: config/config_reader.c config/config_field.c config/config_tie.c
 * covers: config/config_parse_process.c config/config_parse_listener.c
 * covers: config/config_parse_upstream.c config/config_parse_route.c */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "config/config.h"

static char why[256];

static struct gate_config *parse_ok(const char *text)
{
    struct gate_config *c = NULL;
    enum gate_err err = gate_config_parse(gate_str_from_cstr(text), &c, why, sizeof(why));

    if (err != GATE_OK)
        fail_msg("%s", why);
    assert_non_null(c);
    assert_string_equal(why, "");
    return c;
}

static void parse_bad(const char *text, const char *says)
{
    struct gate_config *c = NULL;

    assert_int_not_equal(gate_config_parse(gate_str_from_cstr(text), &c, why, sizeof(why)),
                         GATE_OK);
    assert_null(c);
    if (strstr(why, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", why, says);
}

static void assert_str(struct gate_str s, const char *z)
{
    if (!gate_str_eq(s, gate_str_from_cstr(z)))
        fail_msg("\"%.*s\" is not \"%s\"", (int)s.n, s.p, z);
}

static void test_defaults(void **state)
{
    struct gate_config *c = parse_ok("{\"format\":1}");

    (void)state;
    assert_int_equal(c->n_routes + c->n_listeners + c->n_upstreams + c->n_policies, 0);
    assert_int_equal(c->limits.header_bytes, 32768);
    assert_int_equal(c->limits.body_bytes, -1);
    assert_int_equal(c->limits.vm_memory, 67108864);
    assert_true(c->limits.merge_slashes);
    assert_int_equal(c->process.drain_ms, 30000);
    assert_str(c->process.access_log, "stdout");
    assert_str(c->text, "{\"format\":1}");
    gate_config_free(&c);
    assert_null(c);
    gate_config_free(&c);
}

static void test_process_and_limits(void **state)
{
    struct gate_config *c = parse_ok(
        "{\"format\":1,\"limits\":{\"body_bytes\":1048576,\"body_rate\":0,\"connections\":9,"
        "\"connections_per_ip\":7,\"encoded_slash\":\"reject\",\"header_bytes\":4096,"
        "\"handshakes\":11,\"handshake_timeout_ms\":12,"
        "\"header_count\":5,\"header_timeout_ms\":1,\"hook_cpu_us\":2,\"idle_timeout_ms\":3,"
        "\"load_time_ms\":4,\"merge_slashes\":false,\"outbound_allow\":[\"10.0.0.0/8\"],"
        "\"outbound_deny\":[\"169.254.0.0/16\",\"fe80::/10\"],\"target_bytes\":6,"
        "\"task_time_ms\":8,\"underscores\":\"keep\",\"vm_memory\":5000000000,"
        "\"write_stall_ms\":10},\"process\":{\"access_format\":\"json\",\"access_log\":\"\","
        "\"control\":\"/run/x\",\"drain_ms\":5,\"log\":\"/tmp/l\",\"log_level\":\"error\","
        "\"workers\":3}}");

    (void)state;
    assert_int_equal(c->limits.body_bytes, 1048576);
    assert_int_equal(c->limits.connections, 9);
    assert_int_equal(c->limits.connections_per_ip, 7);
    assert_int_equal(c->limits.handshakes, 11);
    assert_int_equal(c->limits.handshake_timeout_ms, 12);
    assert_true(c->limits.encoded_slash_reject);
    assert_false(c->limits.merge_slashes);
    assert_int_equal(c->limits.underscores, GATE_UNDERSCORES_KEEP);
    assert_true(c->limits.vm_memory == 5000000000ull);
    assert_int_equal(c->limits.outbound_allow.n, 1);
    assert_int_equal(c->limits.outbound_deny.n, 2);
    assert_int_equal(c->limits.outbound_deny.v[1].bits, 10);
    assert_int_equal(c->process.workers, 3);
    assert_int_equal(c->process.log_level, GATE_LOG_ERROR);
    assert_true(c->process.access_json);
    assert_int_equal(c->process.access_log.n, 0);
    assert_str(c->process.control, "/run/x");
    gate_config_free(&c);
}

static void test_listeners(void **state)
{
    struct gate_config *c =
        parse_ok("{\"listeners\":[{\"address\":\"127.0.0.1:8080\",\"at\":\"g.lua:3\",\"backlog\":9,"
                 "\"half_close\":true,\"http2\":true,\"mode\":-1,\"trust\":[\"127.0.0.0/8\"]},"
                 "{\"address\":\"unix:/tmp/x\",\"mode\":432},{\"address\":\"localhost:81\"}]}");

    (void)state;
    assert_int_equal(c->n_listeners, 3);
    assert_int_equal(gate_addr_port(&c->listeners[0].addr), 8080);
    assert_true(c->listeners[0].half_close);
    assert_true(c->listeners[0].http2);
    assert_int_equal(c->listeners[0].backlog, 9);
    assert_int_equal(c->listeners[0].trust.n, 1);
    assert_str(c->listeners[0].at, "g.lua:3");
    assert_int_equal(c->listeners[1].mode, 0660);
    assert_int_equal(c->listeners[1].addr.u.sa.sa_family, AF_UNIX);
    assert_int_equal(gate_addr_port(&c->listeners[2].addr), 81);
    assert_int_equal(c->listeners[2].mode, -1);
    gate_config_free(&c);
    parse_bad("{\"listeners\":[{\"address\":\"example.test:80\"}]}", "/listeners/0/address");
    parse_bad("{\"listeners\":[{}]}", "without address");
}

static void test_listener_tls(void **state)
{
    struct gate_config *c = parse_ok(
        "{\"listeners\":[{\"address\":\":443\",\"tls\":{\"certificates\":["
        "{\"cert\":\"a.pem\",\"key\":\"a.key\",\"fallback\":true,\"names\":[]},"
        "{\"cert\":\"b.pem\",\"key\":\"b.key\",\"fallback\":false,\"names\":[\"b\",\"*.b\"]}],"
        "\"client_auth\":\"request\",\"client_ca\":\"ca.pem\",\"min_version\":\"1.3\"}},{\"address\":\":80\"}]}");
    const struct gate_tls_config *tls = c->listeners[0].tls;

    (void)state;
    assert_non_null(tls);
    assert_null(c->listeners[1].tls);
    assert_int_equal(tls->min_version, GATE_TLS_1_3);
    assert_int_equal(tls->client_auth, GATE_CLIENT_AUTH_REQUEST);
    assert_str(tls->client_ca, "ca.pem");
    assert_int_equal(tls->n_certificates, 2);
    assert_str(tls->certificates[0].cert, "a.pem");
    assert_true(tls->certificates[0].fallback);
    assert_str(tls->certificates[1].key, "b.key");
    assert_int_equal(tls->certificates[1].n_names, 2);
    assert_str(tls->certificates[1].names[1], "*.b");
    gate_config_free(&c);
    parse_bad("{\"listeners\":[{\"address\":\":1\",\"tls\":{}}]}", "without a certificate");
    parse_bad("{\"listeners\":[{\"address\":\":1\",\"tls\":{\"certificates\":[{\"cert\":\"a\"}]}}]}",
              "without file or key");
}

static void test_upstreams(void **state)
{
    struct gate_config *c = parse_ok(
        "{\"upstreams\":[{\"at\":\"g.lua:5\",\"balance\":\"least_requests\",\"forwarded\":\"both\","
        "\"host\":\"name\",\"keepalive\":{\"idle\":1,\"idle_timeout_ms\":2,\"max_age_ms\":3,"
        "\"max_requests\":4},\"name\":\"shop\",\"retry\":{"
        "\"budget_percent\":30,\"on\":[\"connect\",\"timeout\",\"503\",\"429\"],\"tries\":4},"
        "\"servers\":[{\"address\":\"127.0.0.1:9001\",\"backup\":true,\"down\":true,"
        "\"max_connections\":6,\"weight\":5,\"zone\":\"b\"},{\"address\":\"unix:/s\"},"
        "{\"address\":\"origin.test:80\"},{\"address\":\"[::1]:9\"}],"
        "\"timeouts\":{\"connect_ms\":1,\"total_ms\":9}},{\"name\":\"plain\"}]}");
    const struct gate_upstream_config *u = &c->upstreams[0];

    (void)state;
    assert_int_equal(c->n_upstreams, 2);
    assert_int_equal(u->balance, GATE_BALANCE_LEAST_REQUESTS);
    assert_int_equal(u->forwarded, 2);
    assert_int_equal(u->host, GATE_HOST_NAME);
    assert_int_equal(u->idle + u->idle_timeout_ms + u->max_age_ms + u->max_requests, 10);
    assert_int_equal(u->retry_on, GATE_RETRY_CONNECT | GATE_RETRY_TIMEOUT);
    assert_int_equal(u->n_retry_statuses, 2);
    assert_int_equal(u->retry_statuses[1], 429);
    assert_int_equal(u->tries, 4);
    assert_int_equal(u->timeouts.connect_ms, 1);
    assert_int_equal(u->timeouts.send_ms, 60000);
    assert_int_equal(u->timeouts.read_ms, GATE_TIMEOUT_NOT_GIVEN);
    assert_int_equal(u->timeouts.total_ms, 9);
    assert_int_equal(u->n_servers, 4);
    assert_true(u->servers[0].numeric && u->servers[0].backup && u->servers[0].down);
    assert_int_equal(u->servers[0].weight, 5);
    assert_str(u->servers[0].zone, "b");
    assert_str(u->servers[0].host, "127.0.0.1");
    assert_true(u->servers[1].numeric);
    assert_str(u->servers[1].host, "/s");
    assert_false(u->servers[2].numeric);
    assert_str(u->servers[2].host, "origin.test");
    assert_int_equal(u->servers[2].port, 80);
    assert_true(u->servers[3].numeric);
    assert_int_equal(c->upstreams[1].ordinal, 1);
    assert_int_equal(c->upstreams[1].idle, 64);
    assert_int_equal(c->upstreams[1].retry_on, GATE_RETRY_CONNECT | GATE_RETRY_RESET);
    gate_config_free(&c);
    parse_bad("{\"upstreams\":[{\"name\":\"a\"},{\"name\":\"a\"}]}", "twice");
    parse_bad("{\"upstreams\":[{\"name\":\"a\",\"retry\":{\"on\":[\"sun\"]}}]}",
              "/upstreams/0/retry/on: \"sun\" is no reason");
    parse_bad("{\"upstreams\":[{\"name\":\"a\",\"servers\":[{\"address\":\"x\"}]}]}", "no server");
}

static void test_shared(void **state)
{
    struct gate_config *c = parse_ok(
        "{\"format\":1,\"shared\":[{\"at\":\"g.lua:2\",\"bytes\":65536,\"name\":\"d\"}]}");

    (void)state;
    assert_int_equal(c->n_shared, 1);
    assert_str(c->shared[0].name, "d");
    assert_int_equal(c->shared[0].bytes, 65536);
    assert_str(c->shared[0].at, "g.lua:2");
    gate_config_free(&c);
    parse_bad("{\"format\":1,\"shared\":[{\"bytes\":0}]}", "/shared/0/bytes: expected an integer");
    parse_bad("{\"format\":1,\"shared\":{}}", "/shared: expected an array");
}

static void test_policies(void **state)
{
    struct gate_config *c =
        parse_ok("{\"global\":[1],\"policies\":[{\"cpu_us\":7,\"guards\":true,\"hooks\":["
                 "\"request\",\"log\"],"
                 "\"name\":\"a\",\"on_error\":\"closed\"},{\"cpu_us\":0,\"guards\":false,"
                 "\"hooks\":[\"body\"],\"name\":\"b\",\"on_error\":\"open\"}],"
                 "\"routes\":[{\"use\":[0,1]},{\"use\":[]}]}");

    (void)state;
    assert_int_equal(c->policies[0].hooks, 1 << GATE_HOOK_REQUEST | 1 << GATE_HOOK_LOG);
    assert_true(c->policies[0].guards);
    assert_false(c->policies[0].open);
    assert_true(c->policies[1].open);
    assert_int_equal(c->global[0], 1);
    assert_int_equal(c->global_hooks, 1 << GATE_HOOK_BODY);
    assert_int_equal(c->routes[0].n_use, 2);
    assert_int_equal(c->routes[0].hooks,
                     1 << GATE_HOOK_REQUEST | 1 << GATE_HOOK_LOG | 1 << GATE_HOOK_BODY);
    assert_int_equal(c->routes[1].hooks, 0);
    gate_config_free(&c);
    parse_bad("{\"global\":[0]}", "no policy 0");
    parse_bad("{\"policies\":[{\"hooks\":[\"reqest\"]}]}", "\"reqest\" is no hook");
}

static void test_routes(void **state)
{
    struct gate_config *c = parse_ok(
        "{\"routes\":[{\"action\":\"upstream\",\"at\":\"g.lua:7\",\"client_cert\":true,"
        "\"headers\":[[\"x-a\",null],"
        "[\"x-b\",\"v\"]],\"host\":\"*.Example.COM\",\"max_body\":5,\"methods\":[\"GET\",\"POST\"],"
        "\"name\":\"\",\"path\":\"/a/\",\"priority\":-3,\"query\":[[\"q\",\"1\"]],"
        "\"rewrite\":\"/b/*\",\"timeouts\":{\"read_ms\":8},\"upgrade\":[\"websocket\"],"
        "\"upstream\":\"two\",\"when\":true},"
        "{\"action\":\"reply\",\"name\":\"hi\",\"reply\":{\"body\":\"h\\u00e9\\n\\\"\\u0000\","
        "\"headers\":[[\"content-type\",\"text/plain\"]],\"status\":201},\"upstream\":\"\"},"
        "{\"action\":\"redirect\",\"host\":\"a.test\",\"redirect\":{\"status\":308,\"to\":\"/"
        "n\"}}],"
        "\"upstreams\":[{\"name\":\"one\"},{\"name\":\"two\"}]}");
    const struct gate_route_config *r = c->routes;

    (void)state;
    assert_int_equal(c->n_routes, 3);
    assert_str(r->host, "*.example.com");
    assert_str(r->name, "*.example.com /a/");
    assert_int_equal(r->upstream, 1);
    assert_null(r->headers[0].value.p);
    assert_str(r->headers[1].value, "v");
    assert_int_equal(r->n_methods, 2);
    assert_str(r->methods[1], "POST");
    assert_true(r->when);
    assert_int_equal(r->priority, -3);
    assert_true(r->client_cert);
    assert_false(r[1].client_cert);
    assert_int_equal(r->max_body, 5);
    assert_int_equal(r->timeouts.read_ms, 8);
    assert_true(r->timeouts.send_ms == UINT32_MAX);
    assert_str(r->upgrade[0], "websocket");
    assert_int_equal(r[1].action, GATE_ACTION_REPLY);
    assert_int_equal(r[1].upstream, GATE_NO_ORDINAL);
    assert_int_equal(r[1].reply.status, 201);
    assert_true(gate_str_eq(r[1].reply.body, GATE_STR("h\xc3\xa9\n\"\0")));
    assert_str(r[1].reply.headers[0].value, "text/plain");
    assert_str(r[1].name, "hi");
    assert_int_equal(r[2].redirect_status, 308);
    assert_str(r[2].redirect_to, "/n");
    assert_str(r[2].name, "a.test");
    assert_int_equal(r[2].ordinal, 2);
    gate_config_free(&c);
    parse_bad("{\"routes\":[{\"upstream\":\"x\"}]}", "no upstream \"x\"");
    parse_bad("{\"routes\":[{\"action\":\"upstream\"}]}", "names no upstream");
}

/* All these are faults of the text, and none may do harm. */
static void test_bad_text(void **state)
{
    (void)state;
    parse_bad("", "expected an object");
    parse_bad("{", "expected a string");
    parse_bad("{}x", "bytes behind the end");
    parse_bad("{\"format\":2}", "/format: expected an integer from 1 to 1");
    parse_bad("{\"format\":01}", "integer");
    parse_bad("{\"format\":1.0}", "integer");
    parse_bad("{\"format\":1,\"format\":1}", "twice");
    parse_bad("{\"fromat\":1}", "unknown key \"fromat\"");
    parse_bad("{\"format\\u0000\":1}", "unknown key");
    parse_bad("{\"global\":[1,]}", "integer");
    parse_bad("{\"global\":[1", "expected ',' or ']'");
    parse_bad("{\"process\":{\"log\":\"a\nb\"}}", "control character");
    parse_bad("{\"process\":{\"log\":\"a\\", "without end");
    parse_bad("{\"process\":{\"log\":\"a\\x\"}}", "bad escape");
    parse_bad("{\"process\":{\"log\":\"\\ud800\"}}", "bad escape");
    parse_bad("{\"process\":{\"log\":\"\\u12\"}}", "bad escape");
    parse_bad("{\"process\":{\"log\":1}}", "expected a string");
    parse_bad("{\"process\":{\"log_level\":\"loud\"}}", "\"loud\" is no choice");
    parse_bad("{\"process\":{\"workers\":-1}}", "from 0 to 1024");
    parse_bad("{\"limits\":{\"merge_slashes\":tru}}", "true or false");
    parse_bad("{\"limits\":{\"outbound_deny\":[\"x\"]}}", "no network");
    parse_bad("{\"routes\":[{\"headers\":[[\"a\"]]}]}", "[name, value]");
}

static void test_every_cut_is_refused(void **state)
{
    const char *text = "{\"format\":1,\"global\":[0],\"policies\":[{\"hooks\":[\"log\"],"
                       "\"name\":\"a\\u00e9\"}],\"routes\":[{\"headers\":[[\"a\",null]]}]}";
    struct gate_config *c;

    (void)state;
    for (size_t n = 0; n < strlen(text); n++) {
        char *cut = malloc(n + 1);

        memcpy(cut, text, n);
        assert_int_not_equal(gate_config_parse(gate_str_of(cut, n), &c, why, sizeof(why)), GATE_OK);
        assert_null(c);
        free(cut);
    }
    c = parse_ok(text);
    assert_str(c->policies[0].name, "a\xc3\xa9");
    gate_config_free(&c);
    assert_int_not_equal(gate_config_parse(GATE_STR("{"), &c, NULL, 0), GATE_OK);
}

static void test_surrogates(void **state)
{
    struct gate_config *c = parse_ok("{\"process\":{\"log\":\"\\ud83c\\udf19\\u20ac\\t\"}}");

    (void)state;
    assert_str(c->process.log, "\xf0\x9f\x8c\x99\xe2\x82\xac\t");
    gate_config_free(&c);
}

static void test_hash(void **state)
{
    struct gate_config *a = parse_ok("{\"format\":1}");
    struct gate_config *b = parse_ok("{\"format\":1}");
    struct gate_config *d = parse_ok("{\"format\":1 }");

    (void)state;
    assert_true(a->hash == b->hash);
    assert_true(a->hash != d->hash);
    gate_config_free(&a);
    gate_config_free(&b);
    gate_config_free(&d);
}

static void test_ten_thousand_routes(void **state)
{
    const size_t cap = 8u << 20;
    char *text = malloc(cap);
    size_t n = (size_t)snprintf(text, cap, "{\"format\":1,\"routes\":[");
    struct timespec from, to;
    struct gate_config *c;

    (void)state;
    for (int i = 0; i < 10000; i++)
        n += (size_t)snprintf(
            text + n, cap - n,
            "%s{\"action\":\"upstream\",\"at\":\"gateway.lua:%d\",\"headers\":[],\"host\":\"\","
            "\"max_body\":-1,\"methods\":[\"GET\"],\"name\":\"\",\"path\":\"/api/%d/\","
            "\"priority\":0,\"query\":[],\"redirect\":{\"status\":302,\"to\":\"\"},"
            "\"reply\":{\"body\":\"\",\"headers\":[],\"status\":200},\"rewrite\":\"\","
            "\"timeouts\":{},\"upgrade\":[\"websocket\"],\"upstream\":\"u%d\",\"use\":[],"
            "\"when\":false}",
            i > 0 ? "," : "", i, i, i % 100);
    n += (size_t)snprintf(text + n, cap - n, "],\"upstreams\":[");
    for (int i = 0; i < 100; i++)
        n += (size_t)snprintf(text + n, cap - n, "%s{\"name\":\"u%d\"}", i > 0 ? "," : "", i);
    snprintf(text + n, cap - n, "]}");
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    c = parse_ok(text);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    print_message("10,000 routes: %.1f ms\n", (double)(to.tv_sec - from.tv_sec) * 1e3 +
                                                  (double)(to.tv_nsec - from.tv_nsec) / 1e6);
    assert_int_equal(c->n_routes, 10000);
    assert_int_equal(c->routes[9999].upstream, 99);
    gate_config_free(&c);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_process_and_limits),
        cmocka_unit_test(test_listeners),
        cmocka_unit_test(test_listener_tls),
        cmocka_unit_test(test_upstreams),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_bad_text),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_surrogates),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_ten_thousand_routes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
