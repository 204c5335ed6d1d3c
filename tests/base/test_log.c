#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* A sink that keeps the last line and counts calls. */
struct keeper {
    struct gate_log_sink sink;
    char line[9000];
    size_t n;
    int writes;
};

static void keep(struct gate_log_sink *sink, const char *line, size_t n)
{
    struct keeper *k = (struct keeper *)sink;

    assert_true(n < sizeof(k->line));
    memcpy(k->line, line, n);
    k->line[n] = '\0';
    k->n = n;
    k->writes++;
    errno = EBADF;
}

static struct gate_log start(struct keeper *k, enum gate_log_level level, bool json)
{
    struct gate_log log;

    memset(k, 0, sizeof(*k));
    k->sink.write = keep;
    gate_log_init(&log, &k->sink, level, json);
    return log;
}

static struct gate_log_field field(const char *key, const char *value)
{
    return (struct gate_log_field){ key, gate_str_from_cstr(value) };
}

/* "2026-01-02T03:04:05.678Z" */
static void assert_time(const char *at)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";

    for (size_t i = 0; i < sizeof(shape) - 1; i++) {
        if (shape[i] == 'd')
            assert_in_range(at[i], '0', '9');
        else
            assert_int_equal(at[i], shape[i]);
    }
    assert_true(atoi(at) >= 2024);
}

#define TIME_BYTES 24

static void test_text(void **state)
{
    struct keeper k;
    struct gate_log log = start(&k, GATE_LOG_INFO, false);
    const struct gate_log_field fields[] = {
        field("peer", "10.0.0.1:80"), field("why", "it \"broke\"\n"), field("none", ""),
        field("odd", "a=b"),
    };

    (void)state;
    gate_log_write(&log, GATE_LOG_ERROR, "connect failed", fields, 4);
    assert_int_equal(k.writes, 1);
    assert_time(k.line);
    assert_string_equal(k.line + TIME_BYTES,
                        " error connect failed peer=10.0.0.1:80 why=\"it \\x22broke\\x22\\x0a\""
                        " none=\"\" odd=\"a=b\"\n");
    gate_log_write(&log, GATE_LOG_INFO, "up\r\nforged", NULL, 0);
    assert_string_equal(k.line + TIME_BYTES, " info up\\x0d\\x0aforged\n");
}

static void test_json(void **state)
{
    struct keeper k;
    struct gate_log log = start(&k, GATE_LOG_INFO, true);
    const struct gate_log_field fields[] = { field("k", "a\"b\\c\x01\xc3\xa9\x7f"), field("e", "") };

    (void)state;
    gate_log_write(&log, GATE_LOG_WARN, "hello", fields, 2);
    assert_memory_equal(k.line, "{\"time\":\"", 9);
    assert_time(k.line + 9);
    assert_string_equal(k.line + 9 + TIME_BYTES,
                        "\",\"level\":\"warn\",\"msg\":\"hello\","
                        "\"k\":\"a\\\"b\\\\c\\u0001\\u00c3\\u00a9\\u007f\",\"e\":\"\"}\n");
}

static void test_json_literals(void **state)
{
    struct keeper k;
    struct gate_log log = start(&k, GATE_LOG_INFO, true);
    struct gate_log_field fields[] = { field("n", "-1.5"), field("long", ""), field("b", "true") };
    char text[8300];

    (void)state;
    fields[0].literal = fields[2].literal = true;
    gate_log_write(&log, GATE_LOG_WARN, "hello", fields, 3);
    assert_string_equal(k.line + 9 + TIME_BYTES, "\",\"level\":\"warn\",\"msg\":\"hello\","
                                                 "\"n\":-1.5,\"long\":\"\",\"b\":true}\n");
    /* One that does not fit is not cut in two. */
    for (size_t n = 8000; n < sizeof(text); n++) {
        const char *prefix = "\"n\":-1.5,\"long\":\"";
        const char *end;

        memset(text, 'x', n);
        fields[1].value = gate_str_of(text, n);
        gate_log_write(&log, GATE_LOG_WARN, "hello", fields, 3);
        end = strstr(k.line, prefix);
        assert_non_null(end);
        end += strlen(prefix);
        end += strspn(end, "x");
        assert_true(strcmp(end, "\",\"b\":true}\n") == 0 || strcmp(end, "...cut\"}\n") == 0);
    }
}

static void test_levels(void **state)
{
    struct keeper k;
    struct gate_log log = start(&k, GATE_LOG_WARN, false);

    (void)state;
    gate_logf(&log, GATE_LOG_INFO, "quiet");
    gate_log_write(&log, GATE_LOG_DEBUG, "quiet", NULL, 0);
    assert_int_equal(k.writes, 0);
    assert_false(gate_log_on(&log, GATE_LOG_INFO));
    assert_true(gate_log_on(&log, GATE_LOG_WARN));
    gate_logf(&log, GATE_LOG_WARN, "%d %s", 7, "times");
    assert_string_equal(k.line + TIME_BYTES, " warn 7 times\n");
    atomic_store(&log.level, GATE_LOG_DEBUG);
    gate_logf(&log, GATE_LOG_DEBUG, "loud");
    assert_int_equal(k.writes, 2);
    assert_int_equal(atomic_load(&log.lines[GATE_LOG_WARN]), 1);
    assert_int_equal(atomic_load(&log.lines[GATE_LOG_DEBUG]), 1);
    assert_int_equal(atomic_load(&log.lines[GATE_LOG_INFO]), 0);
}

static void test_errno_survives(void **state)
{
    struct keeper k;
    struct gate_log log = start(&k, GATE_LOG_INFO, false);

    (void)state;
    errno = ECONNRESET;
    gate_logf(&log, GATE_LOG_ERROR, "x: %m");
    assert_int_equal(errno, ECONNRESET);
    assert_non_null(strstr(k.line, strerror(ECONNRESET)));
}

/* Walks over a JSON string from its opening quote; answers what follows the closing one. */
static const char *skip_string(const char *at)
{
    assert_int_equal(*at++, '"');
    while (*at != '"') {
        assert_true((unsigned char)*at >= 0x20);
        at += *at == '\\' ? 2 : 1;
    }
    return at + 1;
}

/* One flat object of strings, and nothing behind it but the newline. */
static void assert_json_line(const char *line)
{
    const char *at = line;

    do {
        assert_int_equal(*at, at == line ? '{' : ',');
        at = skip_string(at + 1);
        assert_int_equal(*at, ':');
        at = skip_string(at + 1);
    } while (*at == ',');
    assert_string_equal(at, "}\n");
}

/* Every length around the limit, with bytes that grow when escaped: lines end whole. */
static void test_long_lines_are_cut(void **state)
{
    struct keeper k;
    struct gate_log text = start(&k, GATE_LOG_INFO, false);
    struct gate_log json = start(&k, GATE_LOG_INFO, true);
    char value[9000];

    (void)state;
    for (size_t i = 0; i < sizeof(value); i++)
        value[i] = i % 5 == 0 ? '\n' : 'v';
    for (size_t n = 3900; n < 8300; n++) {
        struct gate_log_field fields[] = {
            { "long", gate_str_of(value, n) }, field("next", "1"), field("last", "2"),
        };

        gate_log_write(&json, GATE_LOG_INFO, "m", fields, 3);
        assert_true(k.n <= 8192);
        assert_json_line(k.line);
        assert_int_equal(strstr(k.line, "\"last\":\"2\"") == NULL, strstr(k.line, "...cut") != NULL);
        gate_log_write(&text, GATE_LOG_INFO, "m", fields, 3);
        assert_true(k.n <= 8192);
        assert_ptr_equal(strchr(k.line, '\n'), k.line + k.n - 1);
        assert_int_equal(strstr(k.line, " last=2\n") == NULL, strstr(k.line, "...cut\n") != NULL);
    }
    assert_true(k.n > 8150);
    gate_logf(&text, GATE_LOG_INFO, "%9000s", "x");
    assert_true(k.n > 8150 && k.n <= 8192);
    assert_string_equal(k.line + k.n - 7, "...cut\n");
    gate_logf(&json, GATE_LOG_INFO, "%9000s", "x");
    assert_json_line(k.line);
}

static void test_escapes_are_never_cut_in_two(void **state)
{
    char room[16];

    (void)state;
    for (size_t cap = 0; cap < sizeof(room); cap++) {
        struct gate_out o = gate_out_on(room, cap);

        gate_log_escape(&o, GATE_STR("a\n\n\xff z"));
        assert_true(o.full == (cap < 15));
        assert_true(o.n <= 1 || (o.n - 1) % 4 == 0 || cap >= 13);
        o = gate_out_on(room, cap);
        gate_log_escape_json(&o, GATE_STR("a\n\xff\"z"));
        assert_true(o.full == (cap < 16));
        assert_true(o.n <= 1 || o.n == 7 || o.n >= 13);
    }
}

static void test_pace(void **state)
{
    struct gate_log_pace p = {0};
    uint32_t untold = 7, told = 0;

    (void)state;
    for (uint64_t ms = 0; ms < 1000; ms++) {
        if (!gate_log_pace_allows(&p, ms, 3, &untold))
            continue;
        told++;
        assert_int_equal(untold, 0);
    }
    assert_int_equal(told, 3);
    assert_true(gate_log_pace_allows(&p, 1000, 3, &untold));
    assert_int_equal(untold, 997);
    assert_true(gate_log_pace_allows(&p, 1001, 3, &untold));
    assert_int_equal(untold, 0);
}

static void test_fd_sink(void **state)
{
    struct gate_log_fd_sink sink;
    struct gate_log log;
    char got[256];
    int fds[2];
    ssize_t n;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    gate_log_fd_sink_init(&sink, fds[1]);
    gate_log_init(&log, &sink.sink, GATE_LOG_INFO, false);
    gate_logf(&log, GATE_LOG_INFO, "through a pipe");
    n = read(fds[0], got, sizeof(got) - 1);
    assert_true(n > 0);
    got[n] = '\0';
    assert_string_equal(got + TIME_BYTES, " info through a pipe\n");

    /* Nobody reads: lines are dropped, even though the descriptor would block. */
    for (int i = 0; i < 5000; i++)
        gate_logf(&log, GATE_LOG_INFO, "%064d", i);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    while ((n = read(fds[0], got, sizeof(got))) > 0)
        continue;
    gate_logf(&log, GATE_LOG_INFO, "again");
    assert_true(read(fds[0], got, sizeof(got)) > 0);
    close(fds[0]);
    close(fds[1]);
}

/* A pipe with room for a part of a line: a blocking write of all of it would wait for a reader. */
static void test_fd_sink_never_waits_for_room(void **state)
{
    struct gate_log_fd_sink sink;
    struct gate_log log;
    char page[4096], line[8000];
    int fds[2];

    (void)state;
    memset(page, 'x', sizeof(page));
    memset(line, 'y', sizeof(line));
    line[sizeof(line) - 1] = '\0';
    assert_int_equal(pipe(fds), 0);
    for (int left = fcntl(fds[1], F_GETPIPE_SZ) / 4096; left > 1; left--)
        assert_int_equal(write(fds[1], page, sizeof(page)), sizeof(page));
    gate_log_fd_sink_init(&sink, fds[1]);
    gate_log_init(&log, &sink.sink, GATE_LOG_INFO, false);
    alarm(10);
    gate_logf(&log, GATE_LOG_INFO, "%s", line);
    alarm(0);
    close(fds[0]);
    close(fds[1]);
}

#define THREADS 2
#define LINES 300

struct writer {
    struct gate_log *log;
    char mark;
};

static void *write_lines(void *arg)
{
    struct writer *w = arg;

    for (int i = 0; i < LINES; i++)
        gate_logf(w->log, GATE_LOG_INFO, "%c%08d%c", w->mark, i, w->mark);
    return NULL;
}

/* Two threads and one file: as many lines as were written, none mixed with another. */
static void test_threads_share_it(void **state)
{
    FILE *file = tmpfile();
    struct gate_log_fd_sink sink;
    struct gate_log log;
    pthread_t threads[THREADS];
    struct writer writers[THREADS];
    char line[256];
    int lines = 0;

    (void)state;
    assert_non_null(file);
    fcntl(fileno(file), F_SETFL, O_APPEND);
    gate_log_fd_sink_init(&sink, fileno(file));
    gate_log_init(&log, &sink.sink, GATE_LOG_INFO, false);
    for (int i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){ &log, (char)('A' + i) };
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &writers[i]), 0);
    }
    atomic_store(&log.level, GATE_LOG_INFO);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    rewind(file);
    for (; fgets(line, sizeof(line), file) != NULL; lines++) {
        assert_int_equal(strlen(line), TIME_BYTES + 6 + 10 + 1);
        assert_int_equal(line[TIME_BYTES + 6], line[TIME_BYTES + 15]);
    }
    assert_int_equal(lines, THREADS * LINES);
    assert_int_equal(atomic_load(&log.lines[GATE_LOG_INFO]), THREADS * LINES);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_literals),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_errno_survives),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_escapes_are_never_cut_in_two),
        cmocka_unit_test(test_pace),
        cmocka_unit_test(test_fd_sink),
        cmocka_unit_test(test_fd_sink_never_waits_for_room),
        cmocka_unit_test(test_threads_share_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
