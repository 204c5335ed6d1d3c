#include "script/bundle_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"

/* A gateway is text that people write: more is a mistake, or not a file. */
#define FILE_MAX     (64u * 1024 * 1024)
#define NAME_MAX_LEN 200

static void note_state(struct gate_bundle_content *c, const struct stat *st)
{
    c->there = true;
    c->n = (size_t)st->st_size;
    c->dev = st->st_dev;
    c->ino = st->st_ino;
    c->changed = st->st_mtim;
}

static enum gate_err read_stream(FILE *f, struct gate_bundle_content *c)
{
    struct stat st;

    if (fstat(fileno(f), &st) != 0)
        return GATE_E_SYS;
    /* A pipe has no size, and nothing in it when it is read again. */
    if (!S_ISREG(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
        return GATE_E_SYS;
    }
    if (st.st_size > (off_t)FILE_MAX) {
        errno = EFBIG;
        return GATE_E_SYS;
    }
    note_state(c, &st);
    c->bytes = gate_alloc((size_t)st.st_size + 1);
    c->n = fread(c->bytes, 1, (size_t)st.st_size, f);
    if (ferror(f)) {
        gate_free(c->bytes);
        c->bytes = NULL;
        return GATE_E_SYS;
    }
    c->bytes[c->n] = '\0';
    return GATE_OK;
}

/* The caller's *c is all zero. */
static enum gate_err read_file(const char *path, struct gate_bundle_content *c)
{
    FILE *f = fopen(path, "rbe");
    enum gate_err err;

    if (f == NULL)
        return errno == ENOENT || errno == ENOTDIR ? GATE_E_NOTFOUND : GATE_E_SYS;
    err = read_stream(f, c);
    fclose(f);
    return err;
}

static struct gate_bundle_file *find_locked(struct gate_bundle *b, struct gate_str name)
{
    for (struct gate_list *n = b->files.next; n != &b->files; n = n->next) {
        struct gate_bundle_file *f = gate_container_of(n, struct gate_bundle_file, node);

        if (gate_str_eq(gate_str_from_cstr(f->name), name))
            return f;
    }
    return NULL;
}

/* Takes over the content's bytes. */
static struct gate_bundle_file *add_locked(struct gate_bundle *b, struct gate_str name,
                                           const char *path,
                                           const struct gate_bundle_content *content)
{
    struct gate_bundle_file *f = gate_calloc(1, sizeof(*f));

    gate_list_init(&f->node);
    f->name = gate_strndup(name.p, name.n);
    f->path = path == NULL ? NULL : gate_strdup(path);
    f->content = *content;
    gate_list_push(&b->files, &f->node);
    return f;
}

struct gate_bundle *gate_bundle_new(void)
{
    struct gate_bundle *b = gate_calloc(1, sizeof(*b));

    atomic_init(&b->refs, 1);
    pthread_mutex_init(&b->lock, NULL);
    gate_list_init(&b->files);
    gate_list_init(&b->data_paths);
    return b;
}

/* `dir` as a prefix of names: with one '/' at its end. */
static char *dir_prefix(const char *dir, size_t n)
{
    char *p;

    while (n > 1 && dir[n - 1] == '/')
        n--;
    p = gate_alloc(n + 2);
    memcpy(p, dir, n);
    p[n] = n == 1 && dir[0] == '/' ? '\0' : '/';
    p[n + 1] = '\0';
    return p;
}

enum gate_err gate_bundle_open(const char *main_file, const char *scripts_dir,
                               struct gate_bundle **out)
{
    const char *base = strrchr(main_file, '/');
    struct gate_bundle_content content = { .bytes = NULL };
    enum gate_err err = read_file(main_file, &content);
    struct gate_bundle *b;

    if (err != GATE_OK)
        return err;
    b = gate_bundle_new();
    base = base == NULL ? main_file : base + 1;
    b->dir =
        base == main_file ? gate_strdup("") : dir_prefix(main_file, (size_t)(base - main_file));
    b->scripts_dir = scripts_dir == NULL ? NULL : dir_prefix(scripts_dir, strlen(scripts_dir));
    b->main = add_locked(b, gate_str_from_cstr(base), main_file, &content);
    *out = b;
    return GATE_OK;
}

static struct gate_bundle_content copy_bytes(struct gate_str bytes)
{
    return (struct gate_bundle_content){ .bytes = gate_memdup(bytes.p, bytes.n), .n = bytes.n };
}

struct gate_bundle *gate_bundle_from_memory(const char *name, struct gate_str bytes)
{
    struct gate_bundle *b = gate_bundle_new();
    struct gate_bundle_content content = copy_bytes(bytes);

    b->main = add_locked(b, gate_str_from_cstr(name), NULL, &content);
    return b;
}

void gate_bundle_add(struct gate_bundle *b, const char *name, struct gate_str bytes)
{
    struct gate_bundle_content content = copy_bytes(bytes);

    pthread_mutex_lock(&b->lock);
    add_locked(b, gate_str_from_cstr(name), NULL, &content);
    pthread_mutex_unlock(&b->lock);
}

void gate_bundle_data_path(struct gate_bundle *b, const char *name, const char *path)
{
    struct gate_bundle_data_path *d = gate_calloc(1, sizeof(*d));

    gate_list_init(&d->node);
    d->name = gate_strdup(name);
    d->path = gate_strdup(path);
    pthread_mutex_lock(&b->lock);
    gate_list_push(&b->data_paths, &d->node);
    pthread_mutex_unlock(&b->lock);
}

struct gate_str gate_bundle_main_name(const struct gate_bundle *b)
{
    return gate_str_from_cstr(b->main->name);
}

struct gate_str gate_bundle_main(const struct gate_bundle *b)
{
    return gate_str_of(b->main->content.bytes, b->main->content.n);
}

/* Path of a display name on the disk; names below scripts/ may have a folder of their own. */
static bool disk_path(const struct gate_bundle *b, const char *name, char *to, size_t cap)
{
    int n;

    if (b->scripts_dir != NULL && strncmp(name, "scripts/", 8) == 0)
        n = snprintf(to, cap, "%s%s", b->scripts_dir, name + 8);
    else if (b->dir != NULL)
        n = snprintf(to, cap, "%s%s", b->dir, name);
    else
        return false;
    return n > 0 && (size_t)n < cap;
}

/* A file by its display name. What is not there is noted too: all VMs of a generation get the same
 * answer, and it may appear. */
static enum gate_err load_locked(struct gate_bundle *b, struct gate_str name, const char *path,
                                 struct gate_bundle_file **out)
{
    struct gate_bundle_content content = { .bytes = NULL };
    struct gate_bundle_file *f = find_locked(b, name);
    enum gate_err err = GATE_OK;

    if (f == NULL) {
        if (path == NULL || b->frozen)
            return GATE_E_NOTFOUND;
        err = read_file(path, &content);
        if (err != GATE_OK && err != GATE_E_NOTFOUND)
            return err;
        f = add_locked(b, name, path, &content);
    }
    if (f->content.bytes == NULL)
        return GATE_E_NOTFOUND;
    *out = f;
    return GATE_OK;
}

/* One of the two places of a name: beside the main file, and below scripts/. */
static enum gate_err load_named_locked(struct gate_bundle *b, const char *prefix,
                                       struct gate_str dotted, const char *suffix,
                                       struct gate_bundle_file **out)
{
    char name[NAME_MAX_LEN + 32];
    char path[4096];
    size_t at = strlen(prefix);
    bool on_disk;

    memcpy(name, prefix, at);
    for (size_t i = 0; i < dotted.n; i++)
        name[at++] = dotted.p[i] == '.' ? '/' : dotted.p[i];
    memcpy(name + at, suffix, strlen(suffix) + 1);
    on_disk = disk_path(b, name, path, sizeof(path));
    return load_locked(b, gate_str_from_cstr(name), on_disk ? path : NULL, out);
}

/* Names become paths: letters, digits, '_', '-' and single dots between them. */
static bool name_ok(struct gate_str s)
{
    char before = '.';

    if (s.n == 0 || s.n > NAME_MAX_LEN)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool plain = (gate_lower(c) >= 'a' && gate_lower(c) <= 'z') || (c >= '0' && c <= '9') ||
                     c == '_' || c == '-';

        if (!plain && (c != '.' || before == '.'))
            return false;
        before = c;
    }
    return before != '.';
}

static enum gate_err find_named(struct gate_bundle *b, struct gate_str dotted, const char *suffix,
                                bool data, struct gate_str *name, struct gate_str *bytes)
{
    struct gate_bundle_file *f = NULL;
    enum gate_err err;

    if (!name_ok(dotted))
        return GATE_E_NOTFOUND;
    pthread_mutex_lock(&b->lock);
    err = load_named_locked(b, "", dotted, suffix, &f);
    if (err == GATE_E_NOTFOUND)
        err = load_named_locked(b, "scripts/", dotted, suffix, &f);
    if (err == GATE_OK)
        f->data |= data;
    pthread_mutex_unlock(&b->lock);
    if (err == GATE_OK) {
        *name = gate_str_from_cstr(f->name);
        *bytes = gate_str_of(f->content.bytes, f->content.n);
    }
    return err;
}

enum gate_err gate_bundle_module(struct gate_bundle *b, struct gate_str module,
                                 struct gate_str *name, struct gate_str *bytes)
{
    return find_named(b, module, ".lua", false, name, bytes);
}

static const char *data_path_locked(struct gate_bundle *b, struct gate_str data)
{
    for (struct gate_list *n = b->data_paths.next; n != &b->data_paths; n = n->next) {
        struct gate_bundle_data_path *d = gate_container_of(n, struct gate_bundle_data_path, node);

        if (gate_str_eq(gate_str_from_cstr(d->name), data))
            return d->path;
    }
    return NULL;
}

enum gate_err gate_bundle_data(struct gate_bundle *b, struct gate_str data, struct gate_str *name,
                               struct gate_str *bytes)
{
    struct gate_bundle_file *f = NULL;
    const char *path;
    enum gate_err err;

    pthread_mutex_lock(&b->lock);
    path = data_path_locked(b, data);
    err = path == NULL ? GATE_E_NOTFOUND : load_locked(b, gate_str_from_cstr(path), path, &f);
    if (f != NULL)
        f->data = true;
    pthread_mutex_unlock(&b->lock);
    if (path == NULL)
        return find_named(b, data, ".json", true, name, bytes);
    if (err == GATE_OK) {
        *name = gate_str_from_cstr(f->name);
        *bytes = gate_str_of(f->content.bytes, f->content.n);
    }
    return err;
}

struct gate_str gate_bundle_dir(const struct gate_bundle *b)
{
    return gate_str_from_cstr(b->dir == NULL ? "" : b->dir);
}

static char *path_beside(const struct gate_bundle *b, struct gate_str name)
{
    const char *dir = b->dir == NULL || (name.n > 0 && name.p[0] == '/') ? "" : b->dir;
    char *path = NULL;

    if (asprintf(&path, "%s%.*s", dir, (int)name.n, name.p) < 0)
        abort();
    return path;
}

char *gate_bundle_beside(struct gate_bundle *b, struct gate_str name)
{
    struct gate_bundle_content content = { .bytes = NULL };
    char *path = path_beside(b, name);
    struct gate_bundle_file *f;
    struct stat st;

    if (stat(path, &st) == 0)
        note_state(&content, &st);
    pthread_mutex_lock(&b->lock);
    f = find_locked(b, gate_str_from_cstr(path));
    if (f == NULL)
        add_locked(b, gate_str_from_cstr(path), path, &content);
    else if (f->content.bytes == NULL)
        f->content = content;
    pthread_mutex_unlock(&b->lock);
    return path;
}

static struct gate_bundle_file *find_beside_locked(struct gate_bundle *b, struct gate_str name)
{
    char *path = path_beside(b, name);
    struct gate_bundle_file *f = find_locked(b, gate_str_from_cstr(path));

    gate_free(path);
    return f;
}

void gate_bundle_file_keep(struct gate_bundle_file *f, char *bytes, size_t n)
{
    if (f->beside != NULL)
        explicit_bzero(f->beside, f->beside_n);
    gate_free(f->beside);
    f->beside = bytes;
    f->beside_n = n;
}

void gate_bundle_keep_beside(struct gate_bundle *b, struct gate_str name, struct gate_str bytes)
{
    struct gate_bundle_file *f;

    pthread_mutex_lock(&b->lock);
    f = find_beside_locked(b, name);
    if (f != NULL)
        gate_bundle_file_keep(f, gate_memdup(bytes.p, bytes.n), bytes.n);
    pthread_mutex_unlock(&b->lock);
}

bool gate_bundle_kept_beside(struct gate_bundle *b, struct gate_str name, struct gate_str *bytes)
{
    struct gate_bundle_file *f;

    pthread_mutex_lock(&b->lock);
    f = find_beside_locked(b, name);
    pthread_mutex_unlock(&b->lock);
    if (f == NULL || f->beside == NULL)
        return false;
    *bytes = gate_str_of(f->beside, f->beside_n);
    return true;
}

bool gate_bundle_read(struct gate_bundle *b, struct gate_str name, struct gate_str *bytes)
{
    struct gate_bundle_file *f;

    pthread_mutex_lock(&b->lock);
    f = find_locked(b, name);
    pthread_mutex_unlock(&b->lock);
    if (f == NULL || f->content.bytes == NULL)
        return false;
    *bytes = gate_str_of(f->content.bytes, f->content.n);
    return true;
}

void gate_bundle_each_path(struct gate_bundle *b, void (*fn)(void *arg, const char *path),
                           void *arg)
{
    pthread_mutex_lock(&b->lock);
    for (struct gate_list *n = b->files.next; n != &b->files; n = n->next) {
        struct gate_bundle_file *f = gate_container_of(n, struct gate_bundle_file, node);

        if (f->path != NULL)
            fn(arg, f->path);
    }
    pthread_mutex_unlock(&b->lock);
}

static bool is_stale(const struct gate_bundle_file *f)
{
    const struct gate_bundle_content *c = &f->content;
    struct stat st;

    if (f->path == NULL)
        return false;
    if (stat(f->path, &st) != 0)
        return c->there;
    return !c->there || c->dev != st.st_dev || c->ino != st.st_ino ||
           (off_t)c->n != st.st_size || c->changed.tv_sec != st.st_mtim.tv_sec ||
           c->changed.tv_nsec != st.st_mtim.tv_nsec;
}

bool gate_bundle_stale(struct gate_bundle *b)
{
    bool stale = false;

    pthread_mutex_lock(&b->lock);
    for (struct gate_list *n = b->files.next; n != &b->files && !stale; n = n->next)
        stale = is_stale(gate_container_of(n, struct gate_bundle_file, node));
    pthread_mutex_unlock(&b->lock);
    return stale;
}

void gate_bundle_freeze(struct gate_bundle *b)
{
    pthread_mutex_lock(&b->lock);
    b->frozen = true;
    pthread_mutex_unlock(&b->lock);
}

/* FNV-1a: tells bundles apart, protects nothing. */
static uint64_t hash_more(uint64_t h, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)p[i]) * 0x100000001b3ull;
    return (h ^ n) * 0x100000001b3ull;
}

/* Builders read modules in no certain order, so files add up. */
static uint64_t hash_of(struct gate_bundle *b, bool with_data)
{
    uint64_t sum = 0;

    pthread_mutex_lock(&b->lock);
    for (struct gate_list *n = b->files.next; n != &b->files; n = n->next) {
        struct gate_bundle_file *f = gate_container_of(n, struct gate_bundle_file, node);
        uint64_t h = hash_more(0xcbf29ce484222325ull, f->name, strlen(f->name));

        if (f->content.bytes != NULL && (with_data || !f->data))
            sum += hash_more(h, f->content.bytes, f->content.n);
    }
    pthread_mutex_unlock(&b->lock);
    return sum;
}

uint64_t gate_bundle_hash(struct gate_bundle *b)
{
    return hash_of(b, true);
}

uint64_t gate_bundle_code_hash(struct gate_bundle *b)
{
    return hash_of(b, false);
}

static void file_free(struct gate_bundle_file *f)
{
    gate_free(f->name);
    gate_free(f->path);
    gate_free(f->content.bytes);
    gate_bundle_file_keep(f, NULL, 0);
    gate_free(f);
}

struct gate_bundle *gate_bundle_ref(struct gate_bundle *b)
{
    atomic_fetch_add(&b->refs, 1);
    return b;
}

void gate_bundle_free(struct gate_bundle **b)
{
    struct gate_bundle *x = *b;
    struct gate_list *n;

    *b = NULL;
    if (x == NULL || atomic_fetch_sub(&x->refs, 1) > 1)
        return;
    while ((n = gate_list_pop(&x->files)) != NULL)
        file_free(gate_container_of(n, struct gate_bundle_file, node));
    while ((n = gate_list_pop(&x->data_paths)) != NULL) {
        struct gate_bundle_data_path *d = gate_container_of(n, struct gate_bundle_data_path, node);

        gate_free(d->name);
        gate_free(d->path);
        gate_free(d);
    }
    gate_free(x->dir);
    gate_free(x->scripts_dir);
    pthread_mutex_destroy(&x->lock);
    gate_free(x);
}
