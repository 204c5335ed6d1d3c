/* Files of the configuration, in memory for OpenSSL to read. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "tls/tls_int.h"

/* A chain has a few kilobytes; more is no certificate. */
#define FILE_MAX (1u << 20)

static enum gate_err read_all(int fd, char *to, size_t n)
{
    size_t at = 0;

    while (at < n) {
        ssize_t got = read(fd, to + at, n - at);

        if (got == 0)
            errno = EIO;
        if (got <= 0)
            return GATE_E_SYS;
        at += (size_t)got;
    }
    return GATE_OK;
}

/* The bytes of a file; the caller frees them. */
static enum gate_err read_file(const char *path, char **bytes, size_t *n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    enum gate_err err = GATE_E_SYS;
    struct stat st;
    int e;

    if (fd < 0)
        return GATE_E_SYS;
    *bytes = NULL;
    if (fstat(fd, &st) == 0) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : !S_ISREG(st.st_mode) ? EINVAL : EFBIG;
        if (S_ISREG(st.st_mode) && st.st_size <= (off_t)FILE_MAX) {
            *n = (size_t)st.st_size;
            *bytes = gate_alloc(*n + 1);
            err = read_all(fd, *bytes, *n);
        }
    }
    e = errno;
    close(fd);
    if (err != GATE_OK)
        gate_free(*bytes);
    errno = e;
    return err;
}

/* Tells contents apart. */
static uint64_t hash_of(const char *p, size_t n)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    uint64_t h;

    GATE_ASSERT(EVP_Digest(p, n, digest, NULL, EVP_sha256(), NULL) == 1);
    memcpy(&h, digest, sizeof(h));
    return h;
}

static bool is_pem(struct gate_str text)
{
    return gate_str_starts(text, GATE_STR("-----BEGIN "));
}

struct gate_str gate_pem_label(struct gate_str name)
{
    return is_pem(name) ? GATE_STR("(PEM text)") : name;
}

static enum gate_err open_text(struct gate_pem *f, struct gate_str text)
{
    f->n = text.n;
    f->bytes = gate_alloc(text.n + 1);
    memcpy(f->bytes, text.p, text.n);
    f->hash = hash_of(f->bytes, f->n);
    f->bio = BIO_new_mem_buf(f->bytes, (int)f->n);
    return GATE_OK;
}

enum gate_err gate_pem_open(struct gate_pem *f, struct gate_str name, const char *what,
                            const struct gate_tls_files *files, char *why, size_t cap)
{
    enum gate_err err = GATE_E_SYS;
    struct gate_str kept;
    char *path;

    if (is_pem(name))
        return open_text(f, name);
    if (files->kept != NULL && files->kept(files->arg, name, &kept))
        return open_text(f, kept);
    path = files->path(files->arg, name);
    errno = ENAMETOOLONG;
    if (path != NULL)
        err = read_file(path, &f->bytes, &f->n);
    if (err != GATE_OK)
        snprintf(why, cap, "cannot read the %s %.*s: %s", what, (int)name.n, name.p,
                 strerror(errno));
    gate_free(path);
    if (err != GATE_OK)
        return err;
    if (files->keep != NULL)
        files->keep(files->arg, name, gate_str_of(f->bytes, f->n));
    f->hash = hash_of(f->bytes, f->n);
    f->bio = BIO_new_mem_buf(f->bytes, (int)f->n);
    return GATE_OK;
}

void gate_pem_close(struct gate_pem *f)
{
    BIO_free(f->bio);
    OPENSSL_cleanse(f->bytes, f->n);
    gate_free(f->bytes);
}
