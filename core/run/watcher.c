#include "run/watcher.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

#define QUIET_MS 100
/* Symbolic links in one path; the kernel's own limit. */
#define LINKS_MAX 40

#define EVENTS                                                                                     \
    (IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO |            \
     IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
/* What concerns the folder itself, or may be hidden in what was lost. */
#define OF_FOLDER (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_Q_OVERFLOW)

/* A name in a folder that matters. */
struct name {
    struct gate_list node;
    bool kept;
    char text[];
};

struct folder {
    struct gate_list node;
    struct gate_list names;
    char *path;
    int wd;                 /* -1: not watched (it has gone) */
};

struct gate_watcher {
    struct gate_loop *loop;
    struct gate_log *log;
    void (*on_change)(void *arg);
    void *arg;
    int fd;
    struct ev_io io;
    struct gate_timer quiet;
    struct gate_list folders;
    bool told_limit;
};

static void on_quiet(struct gate_timer *t)
{
    struct gate_watcher *w = gate_container_of(t, struct gate_watcher, quiet);

    w->on_change(w->arg);
}

void gate_watcher_touch(struct gate_watcher *w)
{
    gate_loop_timer(w->loop, &w->quiet, QUIET_MS);
}

static struct name *find_name(const struct folder *f, struct gate_str text)
{
    for (struct gate_list *n = f->names.next; n != &f->names; n = n->next) {
        struct name *x = gate_container_of(n, struct name, node);

        if (gate_str_eq(gate_str_from_cstr(x->text), text))
            return x;
    }
    return NULL;
}

/* Events */

static bool matters(struct gate_watcher *w, const struct inotify_event *e)
{
    if ((e->mask & IN_Q_OVERFLOW) != 0)
        return true;
    for (struct gate_list *n = w->folders.next; n != &w->folders; n = n->next) {
        struct folder *f = gate_container_of(n, struct folder, node);

        if (f->wd != e->wd)
            continue;
        if ((e->mask & IN_IGNORED) != 0)
            f->wd = -1;
        if ((e->mask & OF_FOLDER) != 0)
            return true;
        if (e->len > 0 && find_name(f, gate_str_from_cstr(e->name)) != NULL)
            return true;
    }
    return false;
}

/* Takes what the kernel has to tell; whether any of it matters. */
static bool take_events(struct gate_watcher *w)
{
    char buffer[8192] __attribute__((aligned(8)));
    bool some = false;
    ssize_t n;

    while ((n = read(w->fd, buffer, sizeof(buffer))) > 0) {
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *e = (const struct inotify_event *)(buffer + at);

            some |= matters(w, e);
            at += (ssize_t)(sizeof(*e) + e->len);
        }
    }
    return some;
}

static void on_events(struct ev_loop *ev, struct ev_io *io, int events)
{
    struct gate_watcher *w = gate_container_of(io, struct gate_watcher, io);

    (void)ev;
    (void)events;
    if (take_events(w))
        gate_watcher_touch(w);
}

void gate_watcher_settle(struct gate_watcher *w)
{
    take_events(w);
    gate_loop_untimer(w->loop, &w->quiet);
}

enum gate_err gate_watcher_open(struct gate_loop *loop, struct gate_log *log,
                                void (*on_change)(void *arg), void *arg,
                                struct gate_watcher **out)
{
    struct gate_watcher *w;
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    if (fd < 0)
        return GATE_E_SYS;
    w = gate_calloc(1, sizeof(*w));
    w->loop = loop;
    w->log = log;
    w->on_change = on_change;
    w->arg = arg;
    w->fd = fd;
    gate_list_init(&w->folders);
    gate_timer_init(&w->quiet, on_quiet);
    ev_io_init(&w->io, on_events, fd, EV_READ);
    ev_io_start(loop->ev, &w->io);
    *out = w;
    return GATE_OK;
}

/* The set */

static void drop_names(struct folder *f, bool all)
{
    struct gate_list *next;

    for (struct gate_list *n = f->names.next; n != &f->names; n = next) {
        struct name *x = gate_container_of(n, struct name, node);

        next = n->next;
        if (all || !x->kept) {
            gate_list_remove(&x->node);
            gate_free(x);
        }
    }
}

/* The kernel has one watch for a folder under all its names, and a folder that was moved has had
 * another one: the last to let go ends it. */
static void unwatch(struct gate_watcher *w, struct folder *f)
{
    int wd = f->wd;

    f->wd = -1;
    if (wd < 0)
        return;
    for (struct gate_list *n = w->folders.next; n != &w->folders; n = n->next) {
        if (gate_container_of(n, struct folder, node)->wd == wd)
            return;
    }
    inotify_rm_watch(w->fd, wd);
}

static void folder_free(struct gate_watcher *w, struct folder *f)
{
    drop_names(f, true);
    unwatch(w, f);
    gate_list_remove(&f->node);
    gate_free(f->path);
    gate_free(f);
}

void gate_watcher_close(struct gate_watcher **watcher)
{
    struct gate_watcher *w = *watcher;

    *watcher = NULL;
    if (w == NULL)
        return;
    while (!gate_list_empty(&w->folders))
        folder_free(w, gate_container_of(w->folders.next, struct folder, node));
    ev_io_stop(w->loop->ev, &w->io);
    gate_loop_untimer(w->loop, &w->quiet);
    close(w->fd);
    gate_free(w);
}

static struct folder *folder_of(struct gate_watcher *w, const char *path)
{
    struct folder *f;

    for (struct gate_list *n = w->folders.next; n != &w->folders; n = n->next) {
        f = gate_container_of(n, struct folder, node);
        if (strcmp(f->path, path) == 0)
            return f;
    }
    f = gate_calloc(1, sizeof(*f));
    f->path = gate_strdup(path);
    f->wd = -1;
    gate_list_init(&f->names);
    gate_list_push(&w->folders, &f->node);
    return f;
}

static void want(struct gate_watcher *w, const char *folder, struct gate_str text)
{
    struct folder *f = folder_of(w, folder[0] == '\0' ? "/" : folder);
    struct name *x = find_name(f, text);

    if (x == NULL) {
        x = gate_alloc(sizeof(*x) + text.n + 1);
        gate_list_init(&x->node);
        memcpy(x->text, text.p, text.n);
        x->text[text.n] = '\0';
        gate_list_push(&f->names, &x->node);
    }
    x->kept = true;
}

/* A path on its way from the root: what is known of it to be real, and what is still to be walked.
 * "" is the root. */
struct walk {
    char real[PATH_MAX];
    char rest[PATH_MAX];
    int links;
};

/* Puts the target of a link before what is left. */
static bool follow(struct walk *k, const char *link)
{
    char target[PATH_MAX], rest[PATH_MAX];
    ssize_t n = readlink(link, target, sizeof(target) - 1);
    int len;

    if (n <= 0 || ++k->links > LINKS_MAX)
        return false;
    target[n] = '\0';
    if (target[0] == '/')
        k->real[0] = '\0';
    memcpy(rest, k->rest, strlen(k->rest) + 1);
    len = snprintf(k->rest, sizeof(k->rest), "%s/%s", target, rest);
    return len > 0 && (size_t)len < sizeof(k->rest);
}

static void to_parent(struct walk *k)
{
    char *slash = strrchr(k->real, '/');

    if (slash != NULL)
        *slash = '\0';
}

/* One component. False: the way ends here. */
static bool step(struct gate_watcher *w, struct walk *k)
{
    size_t skip = strspn(k->rest, "/");
    size_t n = strcspn(k->rest + skip, "/");
    struct gate_str name = gate_str_of(k->rest + skip, n);
    bool last = k->rest[skip + n + strspn(k->rest + skip + n, "/")] == '\0';
    char here[PATH_MAX];
    struct stat st;
    bool there;
    int len;

    if (n == 0)
        return false;
    len = snprintf(here, sizeof(here), "%s/%.*s", k->real, (int)n, name.p);
    if (len < 0 || (size_t)len >= sizeof(here))
        return false;
    there = lstat(here, &st) == 0;
    if (last || !there || S_ISLNK(st.st_mode))
        want(w, k->real, name);
    memmove(k->rest, k->rest + skip + n, strlen(k->rest + skip + n) + 1);
    if (there && S_ISLNK(st.st_mode))
        return follow(k, here);
    if (!there || !S_ISDIR(st.st_mode))
        return false;
    if (strcmp(here + strlen(k->real), "/..") == 0)
        to_parent(k);
    else if (strcmp(here + strlen(k->real), "/.") != 0)
        memcpy(k->real, here, (size_t)len + 1);
    return true;
}

void gate_watcher_add(struct gate_watcher *w, const char *path)
{
    struct walk k = { .links = 0 };
    char cwd[PATH_MAX];
    int n;

    if (path[0] == '/')
        n = snprintf(k.rest, sizeof(k.rest), "%s", path);
    else if (getcwd(cwd, sizeof(cwd)) != NULL)
        n = snprintf(k.rest, sizeof(k.rest), "%s/%s", cwd, path);
    else
        n = -1;
    if (n < 0 || (size_t)n >= sizeof(k.rest))
        return;
    while (step(w, &k))
        ;
}

void gate_watcher_begin(struct gate_watcher *w)
{
    for (struct gate_list *n = w->folders.next; n != &w->folders; n = n->next) {
        struct folder *f = gate_container_of(n, struct folder, node);

        for (struct gate_list *m = f->names.next; m != &f->names; m = m->next)
            gate_container_of(m, struct name, node)->kept = false;
    }
}

/* Also when it is watched already: another folder may have come to this path. */
static void watch_folder(struct gate_watcher *w, struct folder *f)
{
    int wd = inotify_add_watch(w->fd, f->path, EVENTS);

    if (wd < 0 && errno != ENOENT && errno != ENOTDIR && !w->told_limit) {
        w->told_limit = true;
        gate_logf(w->log, GATE_LOG_WARN,
                  "cannot watch %s: %s; changes there are seen on a reload only", f->path,
                  strerror(errno));
    }
    if (f->wd != wd)
        unwatch(w, f);
    f->wd = wd;
}

void gate_watcher_end(struct gate_watcher *w)
{
    struct gate_list *next;

    for (struct gate_list *n = w->folders.next; n != &w->folders; n = next) {
        struct folder *f = gate_container_of(n, struct folder, node);

        next = n->next;
        drop_names(f, false);
        if (gate_list_empty(&f->names))
            folder_free(w, f);
        else
            watch_folder(w, f);
    }
}
