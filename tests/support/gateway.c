/* See gateway.h. */
#include "gateway.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "exchange/exchange.h"

static const char config_text[] =
    "{\"format\":1,\"process\":{\"workers\":1,\"log\":\"stderr\",\"log_level\":\"error\",\"access_"
    "log\":\"\","
    "\"access_format\":\"combined\",\"control\":\"\",\"drain_ms\":30000},"
    "\"limits\":{\"header_bytes\":32768,\"header_count\":100,\"target_bytes\":8192,\"body_bytes\":-"
    "1,"
    "\"connections\":0,\"connections_per_ip\":0,\"header_timeout_ms\":10000,\"idle_timeout_ms\":"
    "60000,"
    "\"body_rate\":500,\"write_stall_ms\":30000,\"hook_cpu_us\":50000,\"task_time_ms\":60000,"
    "\"vm_memory\":67108864,\"load_time_ms\":5000,\"underscores\":\"drop\",\"encoded_slash\":"
    "\"keep\","
    "\"merge_slashes\":true,\"outbound_allow\":[],\"outbound_deny\":[]},"
    "\"listeners\":[{\"address\":\"127.0.0.1:0\",\"trust\":[],\"mode\":-1,\"backlog\":0,"
    "\"half_close\":false,\"http2\":false,\"at\":\"t:1\"}],"
    "\"upstreams\":[{\"name\":\"o\",\"balance\":\"round_robin\",\"host\":\"client\",\"forwarded\":"
    "\"x\","
    "\"servers\":[{\"address\":\"127.0.0.1:%d\",\"weight\":1,\"max_connections\":0,\"backup\":"
    "false,"
    "\"zone\":\"\",\"down\":false}],"
    "\"keepalive\":{\"idle\":64,\"idle_timeout_ms\":60000,\"max_requests\":0,\"max_age_ms\":0},"
    "\"timeouts\":{\"connect_ms\":5000,\"send_ms\":60000,\"first_byte_ms\":60000,\"read_ms\":60000,"
    "\"total_ms\":0},\"retry\":{\"tries\":2,\"on\":[\"connect\",\"reset\"],\"budget_percent\":20},"
    "\"at\":\"t:2\"}],"
    "\"policies\":[],\"global\":[],\"routes\":%s}";

static void open_origin(struct test_gateway *g)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);

    g->origin = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(g->origin >= 0);
    assert_int_equal(bind(g->origin, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(g->origin, 16), 0);
    assert_int_equal(getsockname(g->origin, (struct sockaddr *)&a, &len), 0);
    g->origin_port = ntohs(a.sin_port);
}

/* Replaces `text` by a copy in which `from` is `to`. */
static void edit(char **text, const char *from, const char *to)
{
    char *at = strstr(*text, from);
    char *next = NULL;

    assert_non_null(at);
    assert_true(asprintf(&next, "%.*s%s%s", (int)(at - *text), *text, to, at + strlen(from)) > 0);
    free(*text);
    *text = next;
}

static void open_generation(struct test_gateway *g, const char *routes, const char *const *edits)
{
    char why[256];
    char *text = NULL;
    const struct gate_limits *limits;

    assert_true(asprintf(&text, config_text, g->origin_port, routes) > 0);
    for (; edits != NULL && edits[0] != NULL; edits += 2)
        edit(&text, edits[0], edits[1]);
    assert_int_equal(
        gate_config_parse(gate_str_from_cstr(text), &g->generation.config, why, sizeof(why)),
        GATE_OK);
    free(text);
    assert_int_equal(gate_router_build(g->generation.config, &g->generation.router), GATE_OK);
    assert_int_equal(gate_registry_apply(g->registry, g->generation.config), GATE_OK);
    g->seat.upstreams = calloc(1, sizeof(*g->seat.upstreams));
    g->seat.upstreams[0] = gate_registry_find(g->registry, GATE_STR("o"));
    limits = &g->generation.config->limits;
    g->generation.head_limits = (struct gate_head_limits){
        .header_bytes = limits->header_bytes,
        .header_count = limits->header_count,
        .target_bytes = limits->target_bytes,
        .merge_slashes = limits->merge_slashes,
    };
    g->seat.generation = &g->generation;
    g->seat.refs = 1;
}

void test_gateway_open(struct test_gateway *g, const char *routes)
{
    test_gateway_open_with(g, routes, NULL);
}

void test_gateway_open_with(struct test_gateway *g, const char *routes, const char *const *edits)
{
    memset(g, 0, sizeof(*g));
    gate_clock_init(&g->clock);
    gate_log_fd_sink_init(&g->sink, STDERR_FILENO);
    gate_log_init(&g->log, &g->sink.sink, GATE_LOG_ERROR, false);
    g->registry = gate_registry_new(2);
    open_origin(g);
    open_generation(g, routes, edits);
    assert_int_equal(gate_loop_open(&g->worker.loop, &g->clock, &g->log), GATE_OK);
    gate_pipe_allow(&g->worker.loop.blocks, TEST_PIPES);
    g->worker.index = 1; /* not 0, which would do by chance */
    g->worker.log = &g->log;
    g->worker.id_prefix = 0x1234567890;
    gate_handle_table_init(&g->worker.exchanges);
    gate_slab_init(&g->worker.exchange_slab, "exchange", sizeof(struct gate_exchange));
    gate_list_init(&g->worker.live);
    g->worker.seat = &g->seat;
    g->worker.links = gate_links_new(&g->worker.loop, &g->worker.counters, g->worker.index);
    gate_session_init(&g->worker);
    g->listener = gate_listener_new(&g->generation.config->listeners[0], NULL);
}

void test_gateway_close(struct test_gateway *g)
{
    gate_session_fini(&g->worker);
    test_gateway_turns(g, 3);
    assert_true(gate_list_empty(&g->worker.live));
    gate_links_free(&g->worker.links);
    gate_listener_unref(&g->listener);
    gate_slab_fini(&g->worker.exchange_slab);
    gate_handle_table_fini(&g->worker.exchanges);
    gate_loop_close(&g->worker.loop);
    gate_router_free(&g->generation.router);
    gate_config_free(&g->generation.config);
    free(g->seat.upstreams);
    gate_registry_free(&g->registry);
    close(g->origin);
}

int test_gateway_client(struct test_gateway *g)
{
    int fds[2];
    struct gate_addr peer;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(gate_addr_parse(GATE_STR("127.0.0.1:5000"), &peer), GATE_OK);
    gate_session_open(&g->worker, g->listener, fds[0], &peer);
    return fds[1];
}

void test_gateway_turns(struct test_gateway *g, int n)
{
    while (n-- > 0)
        gate_loop_turn(&g->worker.loop, false);
}

void test_gateway_pass(struct test_gateway *g, uint64_t ms)
{
    while (ms > 0) {
        uint64_t step = ms < 1000 ? ms : 1000;

        gate_clock_advance(&g->clock, step * GATE_MS);
        test_gateway_turns(g, 3);
        ms -= step;
    }
}

bool test_gateway_until(struct test_gateway *g, bool (*fn)(void *arg), void *arg)
{
    uint64_t end;

    gate_loop_refresh(&g->worker.loop);
    end = gate_loop_now(&g->worker.loop) + 30000;
    while (!fn(arg)) {
        if (gate_loop_now(&g->worker.loop) > end)
            return false;
        gate_loop_turn(&g->worker.loop, false);
    }
    return true;
}

static bool accepted(void *arg)
{
    int *fds = arg;

    fds[1] = accept4(fds[0], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return fds[1] >= 0;
}

int test_gateway_accept(struct test_gateway *g)
{
    int fds[2] = {g->origin, -1};

    assert_true(test_gateway_until(g, accepted, fds));
    return fds[1];
}

static bool has_read(void *arg)
{
    struct test_bytes *b = arg;
    ssize_t n = recv(b->fd, b->buf + b->n, sizeof(b->buf) - 1 - b->n, 0);

    if (n > 0)
        b->n += (size_t)n;
    if (n == 0 || (n < 0 && errno != EAGAIN))
        b->eof = true;
    b->buf[b->n] = '\0';
    return b->eof || (b->text != NULL && strstr(b->buf, b->text) != NULL);
}

bool test_gateway_read(struct test_gateway *g, struct test_bytes *b, int fd, const char *text)
{
    b->fd = fd;
    b->n = 0;
    b->eof = false;
    b->text = text;
    b->buf[0] = '\0';
    return test_gateway_until(g, has_read, b) && (text == NULL || strstr(b->buf, text) != NULL);
}

void test_send(int fd, const char *bytes)
{
    assert_int_equal(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), (ssize_t)strlen(bytes));
}
