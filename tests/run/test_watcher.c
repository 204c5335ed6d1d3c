/* Watcher: changes of files on a loop of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/watcher.h"

struct fixture {
    struct gate_clock clock;
    struct gate_log log;
    struct gate_loop loop;
    struct gate_watcher *w;
    char dir[40];
    int changes;
};

static void on_change(void *arg)
{
    ((struct fixture *)arg)->changes++;
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    gate_clock_init(&f->clock);
    gate_log_init(&f->log, NULL, GATE_LOG_ERROR, false);
    assert_int_equal(gate_loop_open(&f->loop, &f->clock, &f->log), GATE_OK);
    strcpy(f->dir, "/tmp/gate-watcher-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(gate_watcher_open(&f->loop, &f->log, on_change, f, &f->w), GATE_OK);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    char command[80];

    gate_watcher_close(&f->w);
    gate_loop_close(&f->loop);
    snprintf(command, sizeof(command), "rm -r %s", f->dir);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

static const char *path(const struct fixture *f, const char *name)
{
    static char text[2][200];
    static int at;

    at = !at;
    snprintf(text[at], sizeof(text[at]), "%s/%s", f->dir, name);
    return text[at];
}

static void put(const struct fixture *f, const char *name, const char *text)
{
    FILE *file = fopen(path(f, name), "wb");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void watch(struct fixture *f, const char *name)
{
    gate_watcher_begin(f->w);
    gate_watcher_add(f->w, path(f, name));
    gate_watcher_end(f->w);
}

/* Lets the loop see what has happened, then time pass. */
static int changes(struct fixture *f)
{
    int before = f->changes;

    for (int i = 0; i < 3; i++)
        gate_loop_turn(&f->loop, false);
    gate_clock_advance(&f->clock, 101 * GATE_MS);
    gate_loop_turn(&f->loop, false);
    return f->changes - before;
}

/* Two changes, and twice so much time that only both together are long enough. False when more of
 * it passed than that: the moved clock goes on by itself. */
static bool quiet_begins_anew(struct fixture *f)
{
    uint64_t begin = gate_clock_now_ns(&f->clock);
    int before = f->changes, told;

    put(f, "a", "2");
    gate_loop_turn(&f->loop, false);
    gate_clock_advance(&f->clock, 60 * GATE_MS);
    put(f, "a", "3");
    gate_loop_turn(&f->loop, false);
    gate_clock_advance(&f->clock, 60 * GATE_MS);
    gate_loop_turn(&f->loop, false);
    told = f->changes - before;
    if (gate_clock_now_ns(&f->clock) - begin >= 160 * GATE_MS) {
        changes(f);
        return false;
    }
    assert_int_equal(told, 0);
    assert_int_equal(changes(f), 1);
    assert_int_equal(changes(f), 0);
    return true;
}

static void tells_once_when_it_is_quiet(void **state)
{
    struct fixture *f = *state;

    put(f, "a", "1");
    watch(f, "a");
    assert_int_equal(changes(f), 0);
    while (!quiet_begins_anew(f))
        ;
}

static void other_files_are_none_of_its_business(void **state)
{
    struct fixture *f = *state;

    watch(f, "a");
    put(f, "b", "1");
    assert_int_equal(changes(f), 0);
    watch(f, "b");
    put(f, "a", "1");
    assert_int_equal(changes(f), 0);
    put(f, "b", "2");
    assert_int_equal(changes(f), 1);
}

static void sees_what_appears_and_goes(void **state)
{
    struct fixture *f = *state;

    watch(f, "sub/a");
    assert_int_equal(mkdir(path(f, "sub"), 0700), 0);
    assert_int_equal(changes(f), 1);
    watch(f, "sub/a");
    put(f, "sub/a", "1");
    assert_int_equal(changes(f), 1);
    assert_int_equal(unlink(path(f, "sub/a")), 0);
    assert_int_equal(changes(f), 1);
    /* The folder itself is replaced. */
    assert_int_equal(rename(path(f, "sub"), path(f, "old")), 0);
    assert_int_equal(changes(f), 1);
    assert_int_equal(mkdir(path(f, "sub"), 0700), 0);
    watch(f, "sub/a");
    changes(f);
    put(f, "sub/a", "2");
    assert_int_equal(changes(f), 1);
    put(f, "old/a", "3");
    assert_int_equal(changes(f), 0);
}

static void follows_links(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(mkdir(path(f, "v1"), 0700), 0);
    assert_int_equal(mkdir(path(f, "v2"), 0700), 0);
    put(f, "v1/a", "1");
    put(f, "v2/a", "2");
    assert_int_equal(symlink("v1", path(f, "now")), 0);
    assert_int_equal(symlink("now/../now/./a", path(f, "a")), 0);
    watch(f, "a");
    put(f, "v1/a", "changed");
    assert_int_equal(changes(f), 1);
    assert_int_equal(symlink("v2", path(f, "next")), 0);
    assert_int_equal(changes(f), 0);
    assert_int_equal(rename(path(f, "next"), path(f, "now")), 0);
    assert_int_equal(changes(f), 1);
    watch(f, "a");
    put(f, "v2/a", "changed");
    assert_int_equal(changes(f), 1);
    put(f, "v1/a", "no more");
    assert_int_equal(changes(f), 0);
}

static void watch_both(struct fixture *f)
{
    gate_watcher_begin(f->w);
    gate_watcher_add(f->w, path(f, "one/a"));
    gate_watcher_add(f->w, path(f, "two/a"));
    gate_watcher_end(f->w);
}

/* The kernel knows a folder by what it is, not by its name: who lets go of a name must not take the
 * watch of another one along. */
static void folders_may_change_places(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(mkdir(path(f, "one"), 0700), 0);
    assert_int_equal(mkdir(path(f, "two"), 0700), 0);
    watch_both(f);
    assert_int_equal(rename(path(f, "one"), path(f, "between")), 0);
    assert_int_equal(rename(path(f, "two"), path(f, "one")), 0);
    assert_int_equal(rename(path(f, "between"), path(f, "two")), 0);
    assert_int_equal(changes(f), 1);
    watch_both(f);
    changes(f);
    put(f, "one/a", "1");
    assert_int_equal(changes(f), 1);
    put(f, "two/a", "1");
    assert_int_equal(changes(f), 1);
    /* A name that is let go, of a folder that has another one by now. */
    assert_int_equal(rename(path(f, "one"), path(f, "two/gone")), 0);
    assert_int_equal(rename(path(f, "two"), path(f, "one")), 0);
    watch(f, "one/a");
    changes(f);
    put(f, "one/a", "2");
    assert_int_equal(changes(f), 1);
}

static void links_in_a_circle_end(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(symlink("b", path(f, "a")), 0);
    assert_int_equal(symlink("a", path(f, "b")), 0);
    watch(f, "a");
    assert_int_equal(unlink(path(f, "b")), 0);
    assert_int_equal(changes(f), 1);
}

static void settling_forgets(void **state)
{
    struct fixture *f = *state;

    watch(f, "a");
    put(f, "a", "1");
    gate_watcher_settle(f->w);
    assert_int_equal(changes(f), 0);
    gate_watcher_touch(f->w);
    assert_int_equal(changes(f), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tells_once_when_it_is_quiet),
        TEST(other_files_are_none_of_its_business),
        TEST(sees_what_appears_and_goes),
        TEST(follows_links),
        TEST(folders_may_change_places),
        TEST(links_in_a_circle_end),
        TEST(settling_forgets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
