/* Sealed memory: whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/sealed.h"

static enum gate_err read_back(int fd, struct gate_str *out)
{
    char *bytes = NULL;
    size_t n = 0;
    enum gate_err err = gate_sealed_read(fd, &bytes, &n);

    *out = gate_str_of(bytes, n);
    return err;
}

static void assert_reads(int fd, struct gate_str expected)
{
    struct gate_str got;

    assert_int_equal(read_back(fd, &got), GATE_OK);
    assert_true(gate_str_eq(got, expected));
    gate_sealed_free(got.p, got.n);
}

static void what_was_written_is_read(void **state)
{
    struct gate_str text = GATE_STR("a\0b, and more");
    int fd;

    (void)state;
    assert_int_equal(gate_sealed_write(text, &fd), GATE_OK);
    assert_reads(fd, text);
    assert_reads(fd, text);
    close(fd);
    assert_int_equal(gate_sealed_write(GATE_STR(""), &fd), GATE_OK);
    assert_reads(fd, GATE_STR(""));
    close(fd);
}

static void its_size_is_for_good(void **state)
{
    struct gate_str text = GATE_STR("text");
    int fd;

    (void)state;
    assert_int_equal(gate_sealed_write(text, &fd), GATE_OK);
    assert_int_equal(ftruncate(fd, 1), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, 4096), -1);
    assert_reads(fd, text);
    close(fd);
}

static void it_can_be_wiped(void **state)
{
    struct gate_str got;
    char bytes[64];
    ssize_t n;
    int fd;

    (void)state;
    assert_int_equal(gate_sealed_write(GATE_STR("secret"), &fd), GATE_OK);
    gate_sealed_wipe(fd);
    n = pread(fd, bytes, sizeof(bytes), 0);
    assert_true(n > 6);
    for (ssize_t i = 0; i < n; i++)
        assert_int_equal(bytes[i], 0);
    assert_int_equal(read_back(fd, &got), GATE_E_SYNTAX);
    close(fd);
}

/* Memory that somebody died over. */
static int torn(int whole, size_t n, size_t spoilt)
{
    int fd = memfd_create("torn", MFD_CLOEXEC);
    char bytes[256];

    assert_int_equal(pread(whole, bytes, n, 0), n);
    if (spoilt < n)
        bytes[spoilt] ^= 1;
    assert_int_equal(write(fd, bytes, n), n);
    return fd;
}

static void what_is_not_whole_is_refused(void **state)
{
    struct gate_str text = GATE_STR("some bytes"), got;
    struct stat st;
    size_t size;
    int fd, part;

    (void)state;
    assert_int_equal(gate_sealed_write(text, &fd), GATE_OK);
    assert_int_equal(fstat(fd, &st), 0);
    size = (size_t)st.st_size;
    for (size_t n = 0; n < size; n++) {
        part = torn(fd, n, n);
        assert_int_equal(read_back(part, &got), GATE_E_SYNTAX);
        close(part);
        part = torn(fd, size, n);
        assert_int_equal(read_back(part, &got), GATE_E_SYNTAX);
        close(part);
    }
    part = torn(fd, size, size);
    assert_reads(part, text);
    assert_int_equal(pwrite(part, "x", 1, (off_t)size), 1);
    assert_int_equal(read_back(part, &got), GATE_E_SYNTAX);
    close(part);
    close(fd);
}

/* No memory for all of it: nothing is left that looks whole. */
static void what_cannot_be_written_is_not_there(void **state)
{
    struct rlimit was, little = { 64, RLIM_INFINITY };
    char text[200] = "";
    int fd = -1;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    little.rlim_max = was.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    assert_int_equal(gate_sealed_write(gate_str_of(text, sizeof(text)), &fd), GATE_E_SYS);
    assert_int_equal(errno, EFBIG);
    assert_int_equal(fd, -1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(its_size_is_for_good),
        cmocka_unit_test(it_can_be_wiped),
        cmocka_unit_test(what_is_not_whole_is_refused),
        cmocka_unit_test(what_cannot_be_written_is_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
