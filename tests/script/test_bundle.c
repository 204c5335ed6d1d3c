/* Bundles: files by name, from the disk and from memory. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "script/bundle.h"

static char dir[] = "/tmp/moongate-bundle-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[300];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "wb");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int setup(void **state)
{
    char path[300];

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/lib", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/more", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    write_file("g.lua", "main");
    write_file("lib/a.lua", "beside");
    write_file("more/a.lua", "in scripts");
    write_file("more/b.lua", "b");
    write_file("routes.json", "[]");
    return 0;
}

static int teardown(void **state)
{
    char command[300];

    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", dir);
    return system(command);
}

static void assert_str(struct gate_str s, const char *text)
{
    assert_int_equal(s.n, strlen(text));
    assert_memory_equal(s.p, text, s.n);
}

static struct gate_bundle *open_disk(void)
{
    char main_file[300], scripts[300];
    struct gate_bundle *b = NULL;

    snprintf(main_file, sizeof(main_file), "%s/g.lua", dir);
    snprintf(scripts, sizeof(scripts), "%s/more", dir);
    assert_int_equal(gate_bundle_open(main_file, scripts, &b), GATE_OK);
    return b;
}

static void test_disk(void **state)
{
    struct gate_bundle *b = open_disk();
    struct gate_str name, bytes;

    (void)state;
    assert_str(gate_bundle_main_name(b), "g.lua");
    assert_str(gate_bundle_main(b), "main");
    assert_int_equal(gate_bundle_module(b, GATE_STR("lib.a"), &name, &bytes), GATE_OK);
    assert_str(name, "lib/a.lua");
    assert_str(bytes, "beside");
    assert_int_equal(gate_bundle_module(b, GATE_STR("b"), &name, &bytes), GATE_OK);
    assert_str(name, "scripts/b.lua");
    assert_str(bytes, "b");
    assert_int_equal(gate_bundle_data(b, GATE_STR("routes"), &name, &bytes), GATE_OK);
    assert_str(name, "routes.json");
    assert_int_equal(gate_bundle_module(b, GATE_STR("nothing"), &name, &bytes), GATE_E_NOTFOUND);
    assert_true(gate_bundle_read(b, GATE_STR("lib/a.lua"), &bytes));
    assert_false(gate_bundle_read(b, GATE_STR("lib/other.lua"), &bytes));
    gate_bundle_free(&b);
    assert_null(b);
}

/* The same answer for all that ask, whatever happens on the disk meanwhile. */
static void test_read_once(void **state)
{
    struct gate_bundle *b = open_disk();
    struct gate_str name, first, second;

    (void)state;
    assert_int_equal(gate_bundle_module(b, GATE_STR("b"), &name, &first), GATE_OK);
    write_file("more/b.lua", "changed");
    assert_int_equal(gate_bundle_module(b, GATE_STR("b"), &name, &second), GATE_OK);
    assert_ptr_equal(first.p, second.p);
    write_file("more/b.lua", "b");
    gate_bundle_free(&b);
}

/* Names of modules do not leave the folders. */
static void test_names(void **state)
{
    static const char *const bad[] = {"",    ".",    "..",          "a..b", ".a",      "a.",
                                      "a/b", "../a", "/etc/passwd", "a\nb", "\303\244"};
    struct gate_bundle *b = open_disk();
    struct gate_str name, bytes;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(gate_bundle_module(b, gate_str_from_cstr(bad[i]), &name, &bytes),
                         GATE_E_NOTFOUND);
    gate_bundle_free(&b);
}

static void test_memory(void **state)
{
    struct gate_bundle *b = gate_bundle_from_memory("gateway.lua", GATE_STR("x"));
    struct gate_str name, bytes;
    uint64_t hash = gate_bundle_hash(b);

    (void)state;
    assert_int_equal(gate_bundle_module(b, GATE_STR("a"), &name, &bytes), GATE_E_NOTFOUND);
    gate_bundle_add(b, "a.lua", GATE_STR("1"));
    assert_int_equal(gate_bundle_module(b, GATE_STR("a"), &name, &bytes), GATE_OK);
    assert_str(bytes, "1");
    assert_int_not_equal(gate_bundle_hash(b), hash);
    gate_bundle_add(b, "b.lua", GATE_STR("x\0y"));
    assert_int_equal(gate_bundle_module(b, GATE_STR("b"), &name, &bytes), GATE_OK);
    assert_true(gate_str_eq(bytes, GATE_STR("x\0y")));
    gate_bundle_free(&b);
}

static void test_data_path(void **state)
{
    struct gate_bundle *b = gate_bundle_from_memory("gateway.lua", GATE_STR("x"));
    char path[300];
    struct gate_str name, bytes;

    (void)state;
    snprintf(path, sizeof(path), "%s/routes.json", dir);
    gate_bundle_data_path(b, "r", path);
    gate_bundle_data_path(b, "gone", "/nonexistent/file");
    assert_int_equal(gate_bundle_data(b, GATE_STR("r"), &name, &bytes), GATE_OK);
    assert_str(name, path);
    assert_str(bytes, "[]");
    assert_int_equal(gate_bundle_data(b, GATE_STR("gone"), &name, &bytes), GATE_E_NOTFOUND);
    gate_bundle_free(&b);
}

static void count_path(void *arg, const char *path)
{
    assert_non_null(strstr(path, dir));
    ++*(int *)arg;
}

static void test_paths_and_hash(void **state)
{
    struct gate_bundle *a = open_disk(), *b = open_disk();
    struct gate_str name, bytes;
    int n = 0;

    (void)state;
    assert_int_equal(gate_bundle_module(a, GATE_STR("lib.a"), &name, &bytes), GATE_OK);
    assert_int_equal(gate_bundle_module(a, GATE_STR("b"), &name, &bytes), GATE_OK);
    assert_int_not_equal(gate_bundle_hash(a), gate_bundle_hash(b));
    assert_int_equal(gate_bundle_module(b, GATE_STR("b"), &name, &bytes), GATE_OK);
    assert_int_equal(gate_bundle_module(b, GATE_STR("lib.a"), &name, &bytes), GATE_OK);
    assert_int_equal(gate_bundle_hash(a), gate_bundle_hash(b));
    gate_bundle_each_path(a, count_path, &n);
    assert_int_equal(n, 4); /* also b.lua beside the file, which is not there */
    gate_bundle_free(&a);
    gate_bundle_free(&b);
}

static void test_code_hash(void **state)
{
    struct gate_bundle *a = open_disk(), *b = open_disk();
    struct gate_str name, bytes;

    (void)state;
    assert_int_equal(gate_bundle_data(a, GATE_STR("routes"), &name, &bytes), GATE_OK);
    assert_int_not_equal(gate_bundle_hash(a), gate_bundle_hash(b));
    assert_int_equal(gate_bundle_code_hash(a), gate_bundle_code_hash(b));
    assert_int_equal(gate_bundle_module(a, GATE_STR("b"), &name, &bytes), GATE_OK);
    assert_int_not_equal(gate_bundle_code_hash(a), gate_bundle_code_hash(b));
    gate_bundle_free(&a);
    gate_bundle_free(&b);
}

static void test_stale(void **state)
{
    struct gate_bundle *a = open_disk(), *b;
    struct gate_str name, bytes;
    char path[300];

    (void)state;
    assert_int_equal(gate_bundle_module(a, GATE_STR("b"), &name, &bytes), GATE_OK);
    assert_false(gate_bundle_stale(a));
    write_file("b.lua", "it appears beside the gateway file");
    assert_true(gate_bundle_stale(a));
    b = open_disk();
    assert_int_equal(gate_bundle_module(b, GATE_STR("b"), &name, &bytes), GATE_OK);
    assert_str(name, "b.lua");
    assert_false(gate_bundle_stale(b));
    write_file("b.lua", "other");
    assert_true(gate_bundle_stale(b));
    snprintf(path, sizeof(path), "%s/b.lua", dir);
    assert_int_equal(unlink(path), 0);
    assert_true(gate_bundle_stale(b));
    assert_false(gate_bundle_stale(a));
    gate_bundle_free(&a);
    gate_bundle_free(&b);
}

/* Certificates: watched with the bundle, but no part of it. A kept one takes them as they are. */
static void test_beside(void **state)
{
    struct gate_bundle *a = open_disk();
    uint64_t hash = gate_bundle_hash(a);
    struct gate_str bytes;
    char expected[300];
    char *path;

    (void)state;
    snprintf(expected, sizeof(expected), "%s/x.pem", dir);
    path = gate_bundle_beside(a, GATE_STR("x.pem"));
    assert_string_equal(path, expected);
    free(path);
    assert_false(gate_bundle_stale(a));
    write_file("x.pem", "it appears");
    assert_true(gate_bundle_stale(a));
    gate_bundle_freeze(a);
    free(gate_bundle_beside(a, GATE_STR("x.pem")));
    assert_false(gate_bundle_stale(a));
    assert_true(gate_bundle_hash(a) == hash);
    write_file("x.pem", "it changes its size");
    assert_true(gate_bundle_stale(a));
    path = gate_bundle_beside(a, GATE_STR("/etc/x.pem"));
    assert_string_equal(path, "/etc/x.pem");
    free(path);
    /* What is read of them can be kept, the last reading counts, and is no part of it either. */
    assert_false(gate_bundle_kept_beside(a, GATE_STR("x.pem"), &bytes));
    gate_bundle_keep_beside(a, GATE_STR("x.pem"), GATE_STR("first"));
    gate_bundle_keep_beside(a, GATE_STR("x.pem"), GATE_STR("second"));
    assert_true(gate_bundle_kept_beside(a, GATE_STR("x.pem"), &bytes));
    assert_str(bytes, "second");
    gate_bundle_keep_beside(a, GATE_STR("never asked for"), GATE_STR("x"));
    assert_false(gate_bundle_kept_beside(a, GATE_STR("never asked for"), &bytes));
    assert_true(gate_bundle_hash(a) == hash);
    assert_int_equal(unlink(expected), 0);
    gate_bundle_free(&a);
}

static void test_frozen(void **state)
{
    struct gate_bundle *a = open_disk(), *b = gate_bundle_ref(a);
    struct gate_str name, bytes;

    (void)state;
    assert_int_equal(gate_bundle_module(a, GATE_STR("lib.a"), &name, &bytes), GATE_OK);
    gate_bundle_freeze(a);
    gate_bundle_free(&a);
    assert_int_equal(gate_bundle_module(b, GATE_STR("lib.a"), &name, &bytes), GATE_OK);
    assert_str(bytes, "beside");
    assert_int_equal(gate_bundle_module(b, GATE_STR("b"), &name, &bytes), GATE_E_NOTFOUND);
    gate_bundle_free(&b);
}

static void test_missing(void **state)
{
    struct gate_bundle *b = NULL;

    (void)state;
    assert_int_equal(gate_bundle_open("/nonexistent/g.lua", NULL, &b), GATE_E_NOTFOUND);
    assert_int_equal(gate_bundle_open(dir, NULL, &b), GATE_E_SYS);
    assert_null(b);
}

/* A pipe (`moongate check <(…)`) must not pass for an empty file. */
static void test_pipe(void **state)
{
    struct gate_bundle *b = NULL;
    char path[300];
    int fd;

    (void)state;
    snprintf(path, sizeof(path), "%s/pipe.lua", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    fd = open(path, O_RDWR);
    assert_true(fd >= 0 && write(fd, "main", 4) == 4);
    errno = 0;
    assert_int_equal(gate_bundle_open(path, NULL, &b), GATE_E_SYS);
    assert_int_equal(errno, EINVAL);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disk),      cmocka_unit_test(test_read_once),
        cmocka_unit_test(test_names),     cmocka_unit_test(test_memory),
        cmocka_unit_test(test_data_path), cmocka_unit_test(test_paths_and_hash),
        cmocka_unit_test(test_missing),   cmocka_unit_test(test_code_hash),
        cmocka_unit_test(test_stale),     cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_beside),    cmocka_unit_test(test_pipe),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
