#include "shared/dict.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/siphash.h"
#include "shared/shard_int.h"

/* What lies at the begin of the memory. A change of layout changes the version. */
#define MAGIC       0x746369646574616dull
#define VERSION     2u
#define SHARD_BYTES (4ull * 1024 * 1024)

struct head {
    uint64_t magic;     /* written last */
    uint32_t version;
    uint32_t unused;
    uint64_t bytes;
    struct gate_sipkey key;
    char room[24];
};

struct gate_dict {
    char *map;
    int fd;
    uint32_t shards;    /* a power of two */
    uint32_t shift;     /* of the hash, to the shard's number */
    uint32_t value_max;
    struct gate_shard_plan plan;
    struct gate_sipkey key;
    uint64_t bytes;
    char name[GATE_DICT_NAME_MAX];
    size_t name_n;
};

_Static_assert(sizeof(struct head) == 64, "shards begin on a cache line");

static struct gate_shard *shard_at(const struct gate_dict *d, uint32_t i)
{
    return (struct gate_shard *)(d->map + sizeof(struct head) + (size_t)i * d->plan.bytes);
}

static struct gate_shard *shard_of(const struct gate_dict *d, const struct gate_dict_key *k)
{
    return shard_at(d, (uint32_t)(k->hash >> d->shift) & (d->shards - 1));
}

/* The same bytes always give the same parts. */
static struct gate_dict *dict_new(struct gate_str name, uint64_t bytes, int fd)
{
    struct gate_dict *d = gate_calloc(1, sizeof(*d));
    uint64_t room;

    d->fd = fd;
    d->bytes = bytes;
    d->name_n = name.n < sizeof(d->name) ? name.n : sizeof(d->name);
    memcpy(d->name, name.p, d->name_n);
    d->shards = 1;
    d->shift = 63;
    while (bytes / (d->shards * 2) >= SHARD_BYTES)
        d->shards *= 2;
    /* Shards take the upper bits of a hash, buckets the lower ones. */
    d->shift = 64 - (d->shards == 1 ? 1 : (uint32_t)__builtin_ctz(d->shards));
    gate_shard_plan((uint32_t)((bytes - sizeof(struct head)) / d->shards / 64 * 64), &d->plan);
    room = (uint64_t)(d->plan.end - d->plan.first) * GATE_GRANULE / 4;
    d->value_max = room < GATE_DICT_VALUE_MAX ? (uint32_t)room : GATE_DICT_VALUE_MAX;
    return d;
}

static enum gate_err map(struct gate_dict *d)
{
    void *p = mmap(NULL, d->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, d->fd, 0);

    if (p == MAP_FAILED)
        return GATE_E_SYS;
    d->map = p;
    return GATE_OK;
}

static void format(struct gate_dict *d)
{
    struct head *h = (struct head *)d->map;

    gate_sipkey_random(&h->key);
    h->version = VERSION;
    h->bytes = d->bytes;
    for (uint32_t i = 0; i < d->shards; i++)
        gate_shard_format(shard_at(d, i), &d->plan);
    h->magic = MAGIC;
    d->key = h->key;
}

enum gate_err gate_dict_create(struct gate_str name, uint64_t bytes, struct gate_dict **out)
{
    int fd = memfd_create("moongate-shared", MFD_CLOEXEC);
    struct gate_dict *d;
    enum gate_err err;

    if (fd < 0)
        return GATE_E_SYS;
    d = dict_new(name, bytes, fd);
    err = ftruncate(fd, (off_t)bytes) == 0 ? map(d) : GATE_E_SYS;
    if (err == GATE_OK) {
        format(d);
        *out = d;
    } else {
        int kept = errno;

        gate_dict_close(&d);
        errno = kept;
    }
    return err;
}

enum gate_err gate_dict_adopt(int fd, struct gate_str name, uint64_t bytes,
                              struct gate_dict **out, uint64_t *drops)
{
    struct gate_dict *d = dict_new(name, bytes, fd);
    enum gate_err err = GATE_E_INVALID;
    const struct head *h;
    struct stat st;

    if (fstat(fd, &st) == 0 && (uint64_t)st.st_size == bytes)
        err = map(d);
    if (err == GATE_OK) {
        h = (const struct head *)d->map;
        d->key = h->key;
        if (h->magic != MAGIC || h->version != VERSION || h->bytes != bytes)
            err = GATE_E_INVALID;
    }
    if (err != GATE_OK) {
        gate_dict_close(&d);
        return err;
    }
    for (uint32_t i = 0; i < d->shards; i++)
        *drops += gate_shard_mend(shard_at(d, i), &d->plan);
    *out = d;
    return GATE_OK;
}

void gate_dict_close(struct gate_dict **dict)
{
    struct gate_dict *d = *dict;

    *dict = NULL;
    if (d == NULL)
        return;
    if (d->map != NULL)
        munmap(d->map, d->bytes);
    close(d->fd);
    gate_free(d);
}

void gate_dict_buffer_fini(struct gate_dict_buffer *b)
{
    gate_free(b->p);
    b->p = NULL;
    b->cap = 0;
}

int gate_dict_fd(const struct gate_dict *d)
{
    return d->fd;
}

struct gate_str gate_dict_name(const struct gate_dict *d)
{
    return gate_str_of(d->name, d->name_n);
}

uint64_t gate_dict_bytes(const struct gate_dict *d)
{
    return d->bytes;
}

uint32_t gate_dict_value_max(const struct gate_dict *d)
{
    return d->value_max;
}

struct gate_dict_key gate_dict_key(const struct gate_dict *d, const char *p, uint32_t n)
{
    return (struct gate_dict_key){ p, n, gate_siphash(&d->key, p, n) };
}

void gate_dict_get(struct gate_dict *d, const struct gate_dict_key *k, uint64_t now_ns,
                   struct gate_dict_buffer *b, struct gate_dict_value *v,
                   struct gate_dict_seen *seen)
{
    gate_shard_get(shard_of(d, k), &d->plan, k, now_ns, b, v, seen);
}

enum gate_err gate_dict_put(struct gate_dict *d, const struct gate_dict_key *k,
                            const struct gate_dict_put *put)
{
    if (put->value.kind == GATE_DICT_STRING && put->value.text.n > d->value_max)
        return GATE_E_LIMIT;
    return gate_shard_put(shard_of(d, k), &d->plan, k, put);
}

enum gate_err gate_dict_incr(struct gate_dict *d, const struct gate_dict_key *k,
                             const struct gate_dict_incr *i, double *sum)
{
    return gate_shard_incr(shard_of(d, k), &d->plan, k, i, sum);
}

bool gate_dict_delete(struct gate_dict *d, const struct gate_dict_key *k, uint64_t now_ns)
{
    return gate_shard_delete(shard_of(d, k), &d->plan, k, now_ns);
}

bool gate_dict_flush(struct gate_dict *d, uint32_t *at)
{
    if (*at < d->shards)
        gate_shard_flush(shard_at(d, (*at)++), &d->plan);
    return *at < d->shards;
}

enum gate_err gate_dict_walk(struct gate_dict *d, struct gate_dict_walk *w, uint64_t now_ns,
                             struct gate_dict_buffer *b, struct gate_str *key)
{
    enum gate_err err;

    if (w->shard >= d->shards)
        return GATE_E_EOF;
    err = gate_shard_walk(shard_at(d, w->shard), &d->plan, &w->bucket, &w->nth, now_ns, b, key);
    if (err != GATE_E_EOF)
        return err;
    *w = (struct gate_dict_walk){ .shard = w->shard + 1 };
    return w->shard < d->shards ? GATE_E_AGAIN : GATE_E_EOF;
}

void gate_dict_numbers(const struct gate_dict *d, struct gate_dict_numbers *out)
{
    *out = (struct gate_dict_numbers){ .bytes = d->bytes };
    for (uint32_t i = 0; i < d->shards; i++)
        gate_shard_count(shard_at(d, i), &d->plan, out);
}
