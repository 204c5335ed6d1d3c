#include "run/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/siphash.h"

#define MAGIC 0x31656c6165736d67ull

struct head {
    uint64_t magic;
    uint64_t n;
    uint64_t sum;   /* of the bytes */
};

/* It finds what was cut or mixed up; nobody forges here. */
static uint64_t sum_of(const char *p, size_t n)
{
    static const struct gate_sipkey fixed;

    return gate_siphash(&fixed, p, n);
}

static enum gate_err write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, p, n);

        if (written < 0 && errno != EINTR)
            return GATE_E_SYS;
        if (written > 0) {
            p += written;
            n -= (size_t)written;
        }
    }
    return GATE_OK;
}

enum gate_err gate_sealed_write(struct gate_str bytes, int *fd)
{
    struct head head = { .magic = MAGIC, .n = bytes.n, .sum = sum_of(bytes.p, bytes.n) };
    int to = memfd_create("moongate-sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int kept;

    if (to < 0)
        return GATE_E_SYS;
    if (write_all(to, (const char *)&head, sizeof(head)) == GATE_OK &&
        write_all(to, bytes.p, bytes.n) == GATE_OK &&
        fcntl(to, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW) == 0) {
        *fd = to;
        return GATE_OK;
    }
    kept = errno;
    close(to);
    errno = kept;
    return GATE_E_SYS;
}

static enum gate_err check(const char *map, size_t size)
{
    struct head head;

    memcpy(&head, map, sizeof(head));
    if (head.magic != MAGIC || head.n != size - sizeof(head) ||
        head.sum != sum_of(map + sizeof(head), head.n))
        return GATE_E_SYNTAX;
    return GATE_OK;
}

enum gate_err gate_sealed_read(int fd, char **bytes, size_t *n)
{
    enum gate_err err;
    struct stat st;
    char *map;

    if (fstat(fd, &st) != 0)
        return GATE_E_SYS;
    if ((size_t)st.st_size < sizeof(struct head))
        return GATE_E_SYNTAX;
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return GATE_E_SYS;
    err = check(map, (size_t)st.st_size);
    if (err == GATE_OK) {
        *n = (size_t)st.st_size - sizeof(struct head);
        *bytes = gate_memdup(map + sizeof(struct head), *n);
    }
    munmap(map, (size_t)st.st_size);
    return err;
}

void gate_sealed_free(const char *bytes, size_t n)
{
    explicit_bzero((char *)bytes, n);
    gate_free((char *)bytes);
}

void gate_sealed_wipe(int fd)
{
    struct stat st;
    char *map;

    if (fstat(fd, &st) != 0 || st.st_size == 0)
        return;
    map = mmap(NULL, (size_t)st.st_size, PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return;
    explicit_bzero(map, (size_t)st.st_size);
    munmap(map, (size_t)st.st_size);
}
