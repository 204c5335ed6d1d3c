/* The image of a bundle: the same bundle again, or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "script/bundle.h"

static char dir[] = "/tmp/moongate-image-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[300];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(path_of(name), "wb");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    write_file("g.lua", "main");
    write_file("a.lua", "module");
    write_file("empty.lua", "");
    write_file("d.json", "[1]");
    write_file("named.json", "[2]");
    write_file("x.pem", "no part of it");
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

/* One that has looked for everything there is. */
static struct gate_bundle *open_all(void)
{
    struct gate_bundle *b = NULL;
    struct gate_str name, bytes;

    assert_int_equal(gate_bundle_open(path_of("g.lua"), dir, &b), GATE_OK);
    gate_bundle_data_path(b, "named", path_of("named.json"));
    assert_int_equal(gate_bundle_module(b, GATE_STR("a"), &name, &bytes), GATE_OK);
    assert_int_equal(gate_bundle_module(b, GATE_STR("empty"), &name, &bytes), GATE_OK);
    assert_int_equal(gate_bundle_module(b, GATE_STR("none"), &name, &bytes), GATE_E_NOTFOUND);
    assert_int_equal(gate_bundle_data(b, GATE_STR("d"), &name, &bytes), GATE_OK);
    assert_int_equal(gate_bundle_data(b, GATE_STR("named"), &name, &bytes), GATE_OK);
    free(gate_bundle_beside(b, GATE_STR("x.pem")));
    gate_bundle_keep_beside(b, GATE_STR("x.pem"), GATE_STR("what was read"));
    return b;
}

static struct gate_bundle *copy_of(struct gate_bundle *b)
{
    struct gate_str image = gate_bundle_image(b);
    struct gate_bundle *copy = NULL;

    assert_int_equal(gate_bundle_from_image(image, &copy), GATE_OK);
    gate_free((char *)image.p);
    return copy;
}

static void test_same(void **state)
{
    struct gate_bundle *b = open_all(), *copy = copy_of(b);
    struct gate_str name, bytes;
    char *path;

    (void)state;
    assert_true(gate_bundle_hash(copy) == gate_bundle_hash(b));
    assert_true(gate_bundle_code_hash(copy) == gate_bundle_code_hash(b));
    assert_true(gate_bundle_code_hash(copy) != gate_bundle_hash(copy));
    gate_bundle_free(&b);
    assert_str(gate_bundle_main_name(copy), "g.lua");
    assert_str(gate_bundle_main(copy), "main");
    assert_int_equal(gate_bundle_module(copy, GATE_STR("a"), &name, &bytes), GATE_OK);
    assert_str(name, "a.lua");
    assert_str(bytes, "module");
    assert_int_equal(gate_bundle_module(copy, GATE_STR("empty"), &name, &bytes), GATE_OK);
    assert_str(bytes, "");
    assert_int_equal(gate_bundle_data(copy, GATE_STR("named"), &name, &bytes), GATE_OK);
    assert_str(bytes, "[2]");
    assert_true(gate_bundle_kept_beside(copy, GATE_STR("x.pem"), &bytes));
    assert_str(bytes, "what was read");
    assert_false(gate_bundle_kept_beside(copy, GATE_STR("a.lua"), &bytes));
    assert_false(gate_bundle_kept_beside(copy, GATE_STR("other.pem"), &bytes));
    path = gate_bundle_beside(copy, GATE_STR("x.pem"));
    assert_string_equal(path, path_of("x.pem"));
    free(path);
    /* What was not there is not there, whatever the disk says by now. */
    write_file("none.lua", "new");
    assert_int_equal(gate_bundle_module(copy, GATE_STR("none"), &name, &bytes), GATE_E_NOTFOUND);
    unlink(path_of("none.lua"));
    gate_bundle_free(&copy);
}

static void count_path(void *arg, const char *path)
{
    assert_non_null(strstr(path, dir));
    ++*(int *)arg;
}

static void test_disk(void **state)
{
    struct gate_bundle *b = open_all(), *copy = copy_of(b);
    int paths = 0, of_copy = 0;

    (void)state;
    gate_bundle_each_path(b, count_path, &paths);
    gate_bundle_each_path(copy, count_path, &of_copy);
    assert_int_equal(of_copy, paths);
    assert_false(gate_bundle_stale(copy));
    write_file("a.lua", "module, changed");
    assert_true(gate_bundle_stale(copy));
    gate_bundle_free(&copy);
    copy = copy_of(b);
    assert_true(gate_bundle_stale(copy));
    write_file("a.lua", "module");
    gate_bundle_free(&copy);
    gate_bundle_free(&b);
}

static void test_memory(void **state)
{
    struct gate_bundle *b = gate_bundle_from_memory("gateway.lua", GATE_STR("x\0y"));
    struct gate_bundle *copy = copy_of(b);

    (void)state;
    assert_true(gate_str_eq(gate_bundle_main(copy), GATE_STR("x\0y")));
    assert_str(gate_bundle_dir(copy), "");
    assert_false(gate_bundle_stale(copy));
    assert_true(gate_bundle_hash(copy) == gate_bundle_hash(b));
    gate_bundle_free(&copy);
    gate_bundle_free(&b);
}

static void test_torn(void **state)
{
    struct gate_bundle *b = open_all(), *copy = NULL;
    struct gate_str image = gate_bundle_image(b);
    char *longer = gate_alloc(image.n + 1);

    (void)state;
    for (size_t n = 0; n < image.n; n++)
        assert_int_equal(gate_bundle_from_image(gate_str_of(image.p, n), &copy), GATE_E_SYNTAX);
    memcpy(longer, image.p, image.n);
    longer[image.n] = 0;
    assert_int_equal(gate_bundle_from_image(gate_str_of(longer, image.n + 1), &copy),
                     GATE_E_SYNTAX);
    /* Anything may come of it, but nothing that is read beyond the end. */
    for (size_t at = 0; at < image.n; at++) {
        longer[at] ^= (char)0xff;
        if (gate_bundle_from_image(gate_str_of(longer, image.n), &copy) == GATE_OK)
            gate_bundle_free(&copy);
        longer[at] ^= (char)0xff;
    }
    gate_free(longer);
    gate_free((char *)image.p);
    gate_bundle_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_disk),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_torn),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
