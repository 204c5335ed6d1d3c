/* Files that a program gives to its gateway, and the bundle that a load makes of them. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "run/gateway_int.h"
#include "run/source.h"

#define NAME_MAX_LEN 200

struct file {
    struct gate_list node;
    char *name;
    char *bytes;
    size_t n;
};

static struct file *find_locked(struct gate_gateway *gw, const char *name)
{
    for (struct gate_list *n = gw->files.next; n != &gw->files; n = n->next) {
        struct file *f = gate_container_of(n, struct file, node);

        if (strcmp(f->name, name) == 0)
            return f;
    }
    return NULL;
}

static void file_free(struct file *f)
{
    gate_list_remove(&f->node);
    gate_free(f->name);
    gate_free(f->bytes);
    gate_free(f);
}

static struct file *file_new(const char *name, const void *bytes, size_t n)
{
    struct file *f = gate_calloc(1, sizeof(*f));

    gate_list_init(&f->node);
    f->name = gate_strdup(name);
    f->bytes = gate_alloc(n);
    if (n > 0)
        memcpy(f->bytes, bytes, n);
    f->n = n;
    return f;
}

int gate_add_file(struct gate_gateway *gw, const char *name, const void *bytes, size_t n)
{
    struct file *old;

    if (name == NULL || name[0] == '\0' || name[0] == '/' || strlen(name) > NAME_MAX_LEN)
        return EINVAL;
    pthread_mutex_lock(&gw->lock);
    old = find_locked(gw, name);
    if (old != NULL)
        file_free(old);
    if (bytes != NULL)
        gate_list_push(&gw->files, &file_new(name, bytes, n)->node);
    pthread_mutex_unlock(&gw->lock);
    return 0;
}

static bool open_from_memory(struct gate_gateway *gw, const char *main, struct gate_bundle **out)
{
    const struct file *f;

    pthread_mutex_lock(&gw->lock);
    f = find_locked(gw, main);
    if (f != NULL)
        *out = gate_bundle_from_memory(main, gate_str_of(f->bytes, f->n));
    pthread_mutex_unlock(&gw->lock);
    return f != NULL;
}

static void add_others(struct gate_gateway *gw, const char *main, struct gate_bundle *b)
{
    pthread_mutex_lock(&gw->lock);
    for (struct gate_list *n = gw->files.next; n != &gw->files; n = n->next) {
        const struct file *f = gate_container_of(n, struct file, node);

        if (strcmp(f->name, main) != 0)
            gate_bundle_add(b, f->name, gate_str_of(f->bytes, f->n));
    }
    pthread_mutex_unlock(&gw->lock);
}

/* The disk is read without the lock, which control takes too. */
enum gate_err gate_gateway_bundle(struct gate_gateway *gw, const char *main,
                                  struct gate_bundle **out, char *why, size_t cap)
{
    const struct gate_options on_disk = { .file = main };
    enum gate_err err = GATE_OK;

    if (!open_from_memory(gw, main, out))
        err = gate_source_open(&on_disk, out, why, cap);
    if (err == GATE_OK)
        add_others(gw, main, *out);
    return err;
}

void gate_gateway_drop_files(struct gate_gateway *gw)
{
    while (!gate_list_empty(&gw->files))
        file_free(gate_container_of(gw->files.next, struct file, node));
}
