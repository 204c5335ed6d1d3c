/* The image of a bundle: all that it is made of, one after the other, as this build of the program
 * lays it out; texts behind their lengths. */
#include "base/mem.h"
#include "script/bundle_int.h"

#define NO_TEXT UINT64_MAX

struct shape {
    uint32_t files;
    uint32_t data_paths;
};

/* What a file has beside its texts. */
struct state {
    uint64_t n;
    uint64_t dev;
    uint64_t ino;
    int64_t sec;
    int64_t nsec;
    uint32_t there;
    uint32_t data;
};

/* Writing: counts first (`to` is NULL), then writes. */
struct writer {
    char *to;
    size_t at;
};

static void put(struct writer *w, const void *p, size_t n)
{
    if (w->to != NULL && n > 0)
        memcpy(w->to + w->at, p, n);
    w->at += n;
}

static void put_text(struct writer *w, const char *p, size_t n)
{
    uint64_t length = p == NULL ? NO_TEXT : n;

    put(w, &length, sizeof(length));
    if (p != NULL)
        put(w, p, n);
}

static void put_word(struct writer *w, const char *z)
{
    put_text(w, z, z == NULL ? 0 : strlen(z));
}

static void put_file(struct writer *w, const struct gate_bundle_file *f)
{
    const struct gate_bundle_content *c = &f->content;
    struct state state = {
        .n = c->n,
        .dev = c->dev,
        .ino = c->ino,
        .sec = c->changed.tv_sec,
        .nsec = c->changed.tv_nsec,
        .there = c->there,
        .data = f->data,
    };

    put(w, &state, sizeof(state));
    put_word(w, f->name);
    put_word(w, f->path);
    put_text(w, c->bytes, c->n);
    put_text(w, f->beside, f->beside_n);
}

static uint32_t count(const struct gate_list *list)
{
    uint32_t n = 0;

    for (const struct gate_list *at = list->next; at != list; at = at->next)
        n++;
    return n;
}

static void put_all_locked(struct writer *w, const struct gate_bundle *b)
{
    struct shape shape = { count(&b->files), count(&b->data_paths) };

    put(w, &shape, sizeof(shape));
    put_word(w, b->dir);
    put_word(w, b->scripts_dir);
    for (struct gate_list *n = b->files.next; n != &b->files; n = n->next)
        put_file(w, gate_container_of(n, struct gate_bundle_file, node));
    for (struct gate_list *n = b->data_paths.next; n != &b->data_paths; n = n->next) {
        const struct gate_bundle_data_path *d =
            gate_container_of(n, struct gate_bundle_data_path, node);

        put_word(w, d->name);
        put_word(w, d->path);
    }
}

struct gate_str gate_bundle_image(struct gate_bundle *b)
{
    struct writer w = { NULL, 0 };
    size_t size;

    pthread_mutex_lock(&b->lock);
    put_all_locked(&w, b);
    size = w.at;
    w = (struct writer){ gate_alloc(size), 0 };
    put_all_locked(&w, b);
    pthread_mutex_unlock(&b->lock);
    return gate_str_of(w.to, size);
}

/* Reading: what is left. */
struct reader {
    const char *p;
    size_t n;
    bool ok;
};

static const char *get(struct reader *r, size_t n)
{
    const char *p = r->p;

    r->ok = r->ok && n <= r->n;
    if (!r->ok)
        return NULL;
    r->p += n;
    r->n -= n;
    return p;
}

static void get_plain(struct reader *r, void *to, size_t n)
{
    const char *p = get(r, n);

    if (p != NULL)
        memcpy(to, p, n);
    else
        memset(to, 0, n);
}

/* The text, which is the caller's; NULL: there is none. */
static char *get_text(struct reader *r, size_t *n)
{
    uint64_t length;
    const char *p;

    get_plain(r, &length, sizeof(length));
    if (length == NO_TEXT)
        return NULL;
    p = get(r, length);
    *n = length;
    return p == NULL ? NULL : gate_memdup(p, length);
}

/* One that has to be there, or may be missing. */
static char *get_word(struct reader *r, bool needed)
{
    size_t n = 0;
    char *word = get_text(r, &n);

    if (word == NULL ? needed : strlen(word) != n)
        r->ok = false;
    return word;
}

static void get_file(struct reader *r, struct gate_bundle *b)
{
    struct gate_bundle_file *f = gate_calloc(1, sizeof(*f));
    struct state state;
    size_t n;

    gate_list_push(&b->files, &f->node);
    get_plain(r, &state, sizeof(state));
    f->name = get_word(r, true);
    f->path = get_word(r, false);
    f->data = state.data != 0;
    f->content = (struct gate_bundle_content){
        .n = state.n,
        .there = state.there != 0,
        .dev = state.dev,
        .ino = state.ino,
        .changed = { state.sec, state.nsec },
    };
    n = state.n;
    f->content.bytes = get_text(r, &n);
    r->ok = r->ok && n == state.n;
    f->beside = get_text(r, &f->beside_n);
}

static void get_data_path(struct reader *r, struct gate_bundle *b)
{
    struct gate_bundle_data_path *d = gate_calloc(1, sizeof(*d));

    gate_list_push(&b->data_paths, &d->node);
    d->name = get_word(r, true);
    d->path = get_word(r, true);
}

static void get_all(struct reader *r, struct gate_bundle *b)
{
    struct shape shape;

    get_plain(r, &shape, sizeof(shape));
    b->dir = get_word(r, false);
    b->scripts_dir = get_word(r, false);
    for (uint32_t i = 0; i < shape.files && r->ok; i++)
        get_file(r, b);
    for (uint32_t i = 0; i < shape.data_paths && r->ok; i++)
        get_data_path(r, b);
    r->ok = r->ok && r->n == 0 && shape.files > 0;
}

enum gate_err gate_bundle_from_image(struct gate_str image, struct gate_bundle **out)
{
    struct reader r = { image.p, image.n, true };
    struct gate_bundle *b = gate_bundle_new();

    get_all(&r, b);
    if (r.ok) {
        b->main = gate_container_of(b->files.next, struct gate_bundle_file, node);
        r.ok = b->main->content.bytes != NULL;
    }
    if (!r.ok) {
        gate_bundle_free(&b);
        return GATE_E_SYNTAX;
    }
    gate_bundle_freeze(b);
    *out = b;
    return GATE_OK;
}
