/* Once warm, a proxied request calls the allocator not once: malloc and its relatives are
 * interposed and counted over 10,000 requests after the first 1,000. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/gateway.h"

static unsigned long calls;

#if !defined(GATE_ASAN) && !defined(GATE_TSAN)
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t n);
void *__libc_realloc(void *p, size_t n);
void *malloc(size_t n);
void *calloc(size_t count, size_t n);
void *realloc(void *p, size_t n);

void *malloc(size_t n)
{
    calls++;
    return __libc_malloc(n);
}

void *calloc(size_t count, size_t n)
{
    calls++;
    return __libc_calloc(count, n);
}

void *realloc(void *p, size_t n)
{
    calls++;
    return __libc_realloc(p, n);
}
#define INTERPOSED 1
#else
#define INTERPOSED 0
#endif

static struct test_gateway g;
static struct test_bytes in;
static char answer[2048];

static void one_request(int client, int origin)
{
    test_send(client, "GET /b/1024 HTTP/1.1\r\nHost: 127.0.0.1:26001\r\nUser-Agent: load\r\n\r\n");
    assert_true(test_gateway_read(&g, &in, origin, "\r\n\r\n"));
    test_send(origin, answer);
    assert_true(test_gateway_read(&g, &in, client, "END"));
}

static void requests_do_not_allocate(void **state)
{
    int client, origin;
    char body[1025];

    (void)state;
    memset(body, 'x', 1021);
    memcpy(body + 1021, "END", 4);
    snprintf(answer, sizeof(answer),
             "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n%s", body);
    test_gateway_open(
        &g,
        "[{\"name\":\"r\",\"host\":\"\",\"path\":\"/\",\"methods\":[],\"headers\":[],\"query\":[],"
        "\"when\":false,\"priority\":0,\"action\":\"upstream\",\"upstream\":\"o\",\"rewrite\":\"\","
        "\"use\":[],\"timeouts\":{},\"max_body\":-1,\"upgrade\":[],\"at\":\"t:3\"}]");
    client = test_gateway_client(&g);
    test_send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    origin = test_gateway_accept(&g);
    assert_true(test_gateway_read(&g, &in, origin, "\r\n\r\n"));
    test_send(origin, answer);
    assert_true(test_gateway_read(&g, &in, client, "END"));
    for (int i = 0; i < 1000; i++)
        one_request(client, origin);
    calls = 0;
    for (int i = 0; i < 10000; i++)
        one_request(client, origin);
    if (INTERPOSED)
        assert_int_equal(calls, 0);
    close(client);
    close(origin);
    test_gateway_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(requests_do_not_allocate)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
