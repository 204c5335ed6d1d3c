#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log_writer.h"
#include "flow/access_log.h"

/* A worker's loop, a log on a file of its own, and what the file holds at the end. */
struct place {
    struct gate_clock clock;
    struct gate_log log;
    struct gate_worker worker;
    struct gate_log_writer *writer;
    char path[64];
    char text[256 * 1024];
    size_t n;
};

static int make_place(void **state)
{
    struct place *p = calloc(1, sizeof(*p));
    int fd;

    strcpy(p->path, "/tmp/gate-access-XXXXXX");
    fd = mkstemp(p->path);
    assert_true(fd >= 0);
    close(fd);
    gate_clock_init(&p->clock);
    assert_int_equal(gate_loop_open(&p->worker.loop, &p->clock, &p->log), GATE_OK);
    assert_int_equal(gate_log_writer_open(p->path, NULL, 4, &p->writer), GATE_OK);
    *state = p;
    return 0;
}

static int drop_place(void **state)
{
    struct place *p = *state;

    gate_log_writer_close(&p->writer);
    gate_loop_close(&p->worker.loop);
    unlink(p->path);
    free(p);
    return 0;
}

static void read_back(struct place *p)
{
    FILE *f;

    gate_log_writer_close(&p->writer);
    f = fopen(p->path, "r");
    assert_non_null(f);
    p->n = fread(p->text, 1, sizeof(p->text) - 1, f);
    p->text[p->n] = '\0';
    fclose(f);
}

static struct gate_access_record plain_record(void)
{
    return (struct gate_access_record){
        .wall_s = 784111777,
        .ip = GATE_STR("192.0.2.1"),
        .method = GATE_STR("GET"),
        .target = GATE_STR("/a?b=c"),
        .version = GATE_STR("1.1"),
        .host = GATE_STR("shop.test"),
        .status = 200,
        .bytes_in = 3,
        .bytes_out = 12,
        .user_agent = GATE_STR("curl/7"),
        .grpc_status = GATE_STR("14"),
        .id = GATE_STR("id-1"),
        .route = GATE_STR("api"),
        .upstream = GATE_STR("shop"),
        .peer = GATE_STR("127.0.0.1:9001"),
        .tries = 1,
        .total_us = 1500,
        .first_byte_us = 1200,
    };
}

static void combined_line(void **state)
{
    struct place *p = *state;
    struct gate_access_log *log = gate_access_log_new(&p->worker, p->writer, false);
    struct gate_access_record r = plain_record();

    gate_access_log_write(log, &r);
    gate_access_log_free(&log);
    assert_null(log);
    read_back(p);
    assert_string_equal(p->text, "192.0.2.1 - - [06/Nov/1994:08:49:37 +0000] "
                                 "\"GET /a?b=c HTTP/1.1\" 200 12 \"-\" \"curl/7\"\n");
}

static void json_line(void **state)
{
    struct place *p = *state;
    struct gate_access_log *log = gate_access_log_new(&p->worker, p->writer, true);
    struct gate_access_record r = plain_record();

    r.close = GATE_CLOSE_ASKED;
    gate_access_log_write(log, &r);
    gate_access_log_free(&log);
    read_back(p);
    assert_string_equal(p->text,
        "{\"time\":\"1994-11-06T08:49:37Z\",\"id\":\"id-1\",\"ip\":\"192.0.2.1\",\"method\":\"GET\","
        "\"host\":\"shop.test\",\"target\":\"/a?b=c\",\"version\":\"1.1\",\"status\":200,"
        "\"grpc_status\":\"14\",\"bytes_in\":3,\"bytes_out\":12,\"user_agent\":\"curl/7\",\"route\":\"api\","
        "\"upstream\":\"shop\",\"peer\":\"127.0.0.1:9001\",\"tries\":1,\"total\":0.001500,"
        "\"first_byte\":0.001200,\"close\":\"asked\"}\n");
}

/* A head that made no exchange has neither method nor target. */
static void refused_head(void **state)
{
    struct place *p = *state;
    struct gate_access_log *log = gate_access_log_new(&p->worker, p->writer, false);
    struct gate_access_record r = { .wall_s = 784111777, .ip = GATE_STR("::1"), .status = 400 };

    gate_access_log_write(log, &r);
    gate_access_log_free(&log);
    read_back(p);
    assert_string_equal(p->text,
                        "::1 - - [06/Nov/1994:08:49:37 +0000] \"-\" 400 0 \"-\" \"-\"\n");
}

/* What a client can put into a field stays inside its quotes and on its line. */
static void escapes_what_clients_send(void **state)
{
    struct place *p = *state;
    struct gate_access_log *log = gate_access_log_new(&p->worker, p->writer, false);
    struct gate_access_log *json = gate_access_log_new(&p->worker, p->writer, true);
    struct gate_access_record r = plain_record();
    char *second;

    r.user_agent = GATE_STR("a\" 200\r\n\x1b[31m\\ \xff\x7f");
    gate_access_log_write(log, &r);
    gate_access_log_free(&log);
    gate_access_log_write(json, &r);
    gate_access_log_free(&json);
    read_back(p);
    assert_non_null(strstr(p->text, "\"a\\x22 200\\x0d\\x0a\\x1b[31m\\x5c \\xff\\x7f\"\n"));
    second = strchr(p->text, '\n') + 1;
    assert_non_null(strstr(second, "\"user_agent\":\"a\\\" 200\\u000d\\u000a\\u001b[31m"
                                   "\\\\ \\u00ff\\u007f\""));
    for (size_t i = 0; i < p->n; i++)
        assert_true(p->text[i] == '\n' || (p->text[i] >= 0x20 && p->text[i] < 0x7f));
}

/* Endless fields are cut with a mark; the line stays whole and below its limit. */
static void cuts_long_fields(void **state)
{
    struct place *p = *state;
    struct gate_access_record r = plain_record();
    static char junk[64 * 1024];

    memset(junk, 0x01, sizeof(junk));
    r.ip = r.method = r.target = r.host = r.referer = r.user_agent = r.id =
        gate_str_of(junk, sizeof(junk));
    r.route = r.upstream = r.peer = r.fault = r.why = r.ip;
    for (int json = 0; json < 2; json++) {
        struct gate_access_log *log = gate_access_log_new(&p->worker, p->writer, json);

        gate_access_log_write(log, &r);
        gate_access_log_free(&log);
    }
    read_back(p);
    for (char *line = p->text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        assert_true(end - line < (ptrdiff_t)GATE_LOG_LINE_MAX);
        assert_true(end[-1] == '"' || end[-1] == '}');
        *end = '\0';
        assert_non_null(strstr(line, "..."));
    }
}

/* A line waits for its companions, at most a second. */
static void flushes_after_a_second(void **state)
{
    struct place *p = *state;
    struct gate_access_log *log = gate_access_log_new(&p->worker, p->writer, false);
    struct gate_access_record r = plain_record();
    struct stat st;

    gate_access_log_write(log, &r);
    gate_loop_turn(&p->worker.loop, false);
    assert_int_equal(stat(p->path, &st), 0);
    assert_int_equal(st.st_size, 0);
    gate_clock_advance(&p->clock, 1100 * GATE_MS);
    gate_loop_refresh(&p->worker.loop);
    gate_loop_turn(&p->worker.loop, false);
    for (int i = 0; i < 2000 && st.st_size == 0; i++) {
        usleep(5000);
        assert_int_equal(stat(p->path, &st), 0);
    }
    assert_true(st.st_size > 0);
    gate_access_log_free(&log);
}

/* Nobody reads: the worker goes on at once, and what is lost is counted. */
static void counts_what_a_stuck_sink_loses(void **state)
{
    struct place *p = *state;
    struct gate_log_writer *stuck;
    struct gate_access_log *log;
    struct gate_access_record r = plain_record();
    char fifo[80];
    int fd;

    snprintf(fifo, sizeof(fifo), "%s.fifo", p->path);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    fd = open(fifo, O_RDONLY | O_NONBLOCK);
    assert_int_equal(gate_log_writer_open(fifo, NULL, 2, &stuck), GATE_OK);
    log = gate_access_log_new(&p->worker, stuck, false);
    for (int i = 0; i < 5000; i++)
        gate_access_log_write(log, &r);
    assert_true(gate_log_writer_dropped(stuck) > 0);
    gate_access_log_free(&log);
    close(fd);
    gate_log_writer_close(&stuck);
    unlink(fifo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(combined_line, make_place, drop_place),
        cmocka_unit_test_setup_teardown(json_line, make_place, drop_place),
        cmocka_unit_test_setup_teardown(refused_head, make_place, drop_place),
        cmocka_unit_test_setup_teardown(escapes_what_clients_send, make_place, drop_place),
        cmocka_unit_test_setup_teardown(cuts_long_fields, make_place, drop_place),
        cmocka_unit_test_setup_teardown(flushes_after_a_second, make_place, drop_place),
        cmocka_unit_test_setup_teardown(counts_what_a_stuck_sink_loses, make_place, drop_place),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
