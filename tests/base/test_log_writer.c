#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log_writer.h"

struct place {
    char dir[64];
    char path[96];
    char moved[96];
};

static int make_place(void **state)
{
    struct place *p = calloc(1, sizeof(*p));

    strcpy(p->dir, "/tmp/gate-log-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof(p->path), "%s/log", p->dir);
    snprintf(p->moved, sizeof(p->moved), "%s/log.1", p->dir);
    *state = p;
    return 0;
}

static int drop_place(void **state)
{
    struct place *p = *state;

    unlink(p->path);
    unlink(p->moved);
    rmdir(p->dir);
    free(p);
    return 0;
}

static size_t read_all(const char *path, char *to, size_t cap)
{
    FILE *f = fopen(path, "r");
    size_t n;

    if (f == NULL)
        return 0;
    n = fread(to, 1, cap - 1, f);
    fclose(f);
    to[n] = '\0';
    return n;
}

/* Conditions are waited for, up to 10 s. */
static bool until_size(const char *path, size_t n)
{
    for (int i = 0; i < 2000; i++) {
        struct stat st;

        if (stat(path, &st) == 0 && (size_t)st.st_size >= n)
            return true;
        usleep(5000);
    }
    return false;
}

static void put_line(struct gate_log_writer *w, const char *line)
{
    struct gate_log_buffer *b = gate_log_writer_take(w);

    assert_non_null(b);
    b->n = strlen(line);
    memcpy(b->data, line, b->n);
    b->lines = 1;
    gate_log_writer_put(w, b);
}

static void writes_in_order(void **state)
{
    struct place *p = *state;
    struct gate_log_writer *w;
    char text[256];

    assert_int_equal(gate_log_writer_open(p->path, NULL, 4, &w), GATE_OK);
    put_line(w, "one\n");
    put_line(w, "two\n");
    gate_log_writer_sink(w)->write(gate_log_writer_sink(w), "three\n", 6);
    gate_log_writer_close(&w);
    assert_null(w);
    read_all(p->path, text, sizeof(text));
    assert_string_equal(text, "one\ntwo\nthree\n");
}

static void reopens_after_what_was_queued(void **state)
{
    struct place *p = *state;
    struct gate_log_writer *w;
    char text[256];

    assert_int_equal(gate_log_writer_open(p->path, NULL, 4, &w), GATE_OK);
    put_line(w, "old\n");
    assert_true(until_size(p->path, 4));
    assert_int_equal(rename(p->path, p->moved), 0);
    put_line(w, "late\n");
    gate_log_writer_reopen(w);
    put_line(w, "new\n");
    gate_log_writer_close(&w);
    read_all(p->moved, text, sizeof(text));
    assert_string_equal(text, "old\nlate\n");
    read_all(p->path, text, sizeof(text));
    assert_string_equal(text, "new\n");
}

static void changes_its_target(void **state)
{
    struct place *p = *state;
    struct gate_log_writer *w;
    char text[256];

    assert_int_equal(gate_log_writer_open(p->path, NULL, 4, &w), GATE_OK);
    put_line(w, "here\n");
    assert_int_equal(gate_log_writer_retarget(w, "/nowhere/at/all"), GATE_E_SYS);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(gate_log_writer_retarget(w, p->moved), GATE_OK);
    put_line(w, "there\n");
    gate_log_writer_close(&w);
    read_all(p->path, text, sizeof(text));
    assert_string_equal(text, "here\n");
    read_all(p->moved, text, sizeof(text));
    assert_string_equal(text, "there\n");
}

static void cannot_open(void **state)
{
    struct gate_log_writer *w = NULL;

    (void)state;
    assert_int_equal(gate_log_writer_open("/nowhere/at/all", NULL, 4, &w), GATE_E_SYS);
    assert_int_equal(errno, ENOENT);
    assert_null(w);
}

/* A pipe that nobody reads: takers get nothing soon, nobody blocks, every lost line is counted. */
static void stuck_pipe_drops_and_counts(void **state)
{
    struct place *p = *state;
    struct gate_log_writer *w;
    struct gate_log_buffer *b;
    uint64_t put = 0, lost = 0;
    size_t got = 0;
    char text[4096];
    int fd;

    assert_int_equal(mkfifo(p->path, 0600), 0);
    fd = open(p->path, O_RDONLY | O_NONBLOCK);
    assert_true(fd >= 0);
    assert_int_equal(gate_log_writer_open(p->path, NULL, 4, &w), GATE_OK);
    while (lost == 0) {
        b = gate_log_writer_take(w);
        if (b == NULL) {
            gate_log_writer_drop(w, ++lost);
            break;
        }
        for (b->n = 0; b->n < GATE_LOG_BUFFER_FULL; b->n += 64, b->lines++, put++)
            snprintf(b->data + b->n, 65, "%063d\n", (int)put);
        gate_log_writer_put(w, b);
    }
    gate_log_writer_sink(w)->write(gate_log_writer_sink(w), "x\n", 2);
    lost++;
    assert_int_equal(gate_log_writer_dropped(w), lost);
    gate_log_writer_close(&w);
    for (;;) {
        ssize_t n = read(fd, text, sizeof(text));

        if (n <= 0)
            break;
        got += (size_t)n;
    }
    close(fd);
    assert_true(got % 64 == 0);
    assert_true(got / 64 < put);
}

static void full_disk_is_counted(void **state)
{
    /* An error that is not "would block": the lines are lost, the thread goes on. */
    struct gate_log_writer *w;
    uint64_t dropped = 0;

    (void)state;
    assert_int_equal(gate_log_writer_open("/dev/full", NULL, 4, &w), GATE_OK);
    put_line(w, "lost\n");
    for (int i = 0; i < 2000 && dropped == 0; i++) {
        dropped = gate_log_writer_dropped(w);
        usleep(5000);
    }
    assert_int_equal(dropped, 1);
    assert_int_equal(gate_log_writer_write_error(w), ENOSPC);
    assert_int_equal(gate_log_writer_write_error(w), 0);
    gate_log_writer_close(&w);
}

static void keeps_its_file_when_it_cannot_reopen(void **state)
{
    struct place *p = *state;
    struct gate_log_writer *w;
    int err = 0;

    assert_int_equal(gate_log_writer_open(p->path, NULL, 4, &w), GATE_OK);
    put_line(w, "one\n");
    assert_true(until_size(p->path, 4));
    assert_int_equal(rename(p->path, p->moved), 0);
    assert_int_equal(mkdir(p->path, 0700), 0); /* cannot be opened as a log */
    assert_int_equal(gate_log_writer_reopen_error(w), 0);
    gate_log_writer_reopen(w);
    for (int i = 0; i < 2000 && err == 0; i++) {
        err = gate_log_writer_reopen_error(w);
        usleep(5000);
    }
    assert_int_equal(err, EISDIR);
    put_line(w, "two\n");
    gate_log_writer_close(&w);
    assert_true(until_size(p->moved, 8));
    rmdir(p->path);
}

static void take(void *arg, const char *lines, size_t n)
{
    strncat(arg, lines, n);
}

/* In place of the standard streams only; a path is a path. */
static void gives_lines_to_a_taker(void **state)
{
    struct place *p = *state;
    char taken[100] = "", text[100];
    const struct gate_log_taker taker = { take, taken };
    struct gate_log_writer *w;

    assert_int_equal(gate_log_writer_open("stderr", &taker, 4, &w), GATE_OK);
    put_line(w, "one\n");
    gate_log_writer_reopen(w);
    put_line(w, "two\n");
    assert_int_equal(gate_log_writer_retarget(w, p->path), GATE_OK);
    put_line(w, "three\n");
    assert_true(until_size(p->path, 6));
    assert_int_equal(gate_log_writer_retarget(w, "stdout"), GATE_OK);
    put_line(w, "four\n");
    gate_log_writer_close(&w);
    assert_string_equal(taken, "one\ntwo\nfour\n");
    assert_int_equal(read_all(p->path, text, sizeof(text)), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_in_order, make_place, drop_place),
        cmocka_unit_test_setup_teardown(reopens_after_what_was_queued, make_place, drop_place),
        cmocka_unit_test_setup_teardown(changes_its_target, make_place, drop_place),
        cmocka_unit_test(cannot_open),
        cmocka_unit_test_setup_teardown(stuck_pipe_drops_and_counts, make_place, drop_place),
        cmocka_unit_test(full_disk_is_counted),
        cmocka_unit_test_setup_teardown(keeps_its_file_when_it_cannot_reopen, make_place,
                                        drop_place),
        cmocka_unit_test_setup_teardown(gives_lines_to_a_taker, make_place, drop_place),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
