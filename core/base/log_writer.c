#include "base/log_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/thread.h"

/* How a target wants to be written to. */
enum target_kind { TARGET_FILE, TARGET_PIPE, TARGET_SOCKET, TARGET_TAKER };

/* In place of a descriptor: none, and the taker. */
#define NO_FD    (-1)
#define TAKER_FD (-2)

struct gate_log_writer {
    struct gate_log_sink sink;
    pthread_t thread;
    pthread_mutex_t lock;           /* guards all below but for what is said */
    pthread_cond_t wake;
    struct gate_log_buffer *first;  /* queue */
    struct gate_log_buffer *last;
    struct gate_log_buffer *free;
    struct gate_log_buffer *open;   /* the sink's, being filled */
    uint32_t made;
    uint32_t limit;
    char *target;
    struct gate_log_taker taker;    /* never changes; take is NULL: none */
    int next_fd;                    /* what to change to at a reopen; NO_FD: by the path */
    bool reopen;
    const struct gate_log_buffer *reopen_after; /* NULL: at once */
    const struct gate_log_buffer *writing;
    bool stop;
    uint64_t stop_by_ms;
    int fd;                         /* the thread's own */
    enum target_kind kind;
    _Atomic uint64_t dropped;
    _Atomic int write_error;        /* errno; 0: none that is not told */
    _Atomic int reopen_error;
};

static uint64_t mono_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Our own non-blocking description of an inherited pipe or terminal: O_NONBLOCK on the shared one
 * would change it for the shell too. Regular files share the description, for its offset; sockets
 * have a flag per call. */
static int open_inherited(int fd)
{
    char path[32];
    struct stat st;
    int own;

    if (fstat(fd, &st) != 0)
        return -1;
    if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
        return fcntl(fd, F_DUPFD_CLOEXEC, 3);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    return own >= 0 ? own : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* A descriptor, TAKER_FD, or NO_FD and errno. */
static int open_target(const struct gate_log_writer *w, const char *target)
{
    bool is_standard = strcmp(target, "stdout") == 0 || strcmp(target, "stderr") == 0;

    if (is_standard && w->taker.take != NULL)
        return TAKER_FD;
    if (strcmp(target, "stdout") == 0)
        return open_inherited(STDOUT_FILENO);
    if (strcmp(target, "stderr") == 0)
        return open_inherited(STDERR_FILENO);
    return open(target, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0640);
}

static enum target_kind kind_of(int fd)
{
    struct stat st;

    if (fd == TAKER_FD)
        return TARGET_TAKER;
    if (fstat(fd, &st) != 0 || S_ISREG(st.st_mode))
        return TARGET_FILE;
    return S_ISSOCK(st.st_mode) ? TARGET_SOCKET : TARGET_PIPE;
}

static uint64_t count_lines(const char *p, size_t n)
{
    uint64_t lines = 0;
    const char *end = p + n;

    while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        lines++;
        p++;
    }
    return lines;
}

/* True when the thread shall give up on a stuck target. Takes the lock. */
static bool given_up(struct gate_log_writer *w)
{
    bool yes;

    pthread_mutex_lock(&w->lock);
    yes = w->stop && mono_ms() >= w->stop_by_ms;
    pthread_mutex_unlock(&w->lock);
    return yes;
}

/* Pipes keep a write whole only up to PIPE_BUF: as many whole lines as fit. */
static size_t write_size(enum target_kind kind, const char *p, size_t n)
{
    const size_t whole = 4096;
    const char *nl;

    if (kind != TARGET_PIPE || n <= whole)
        return n;
    nl = memrchr(p, '\n', whole);
    return nl == NULL ? whole : (size_t)(nl + 1 - p);
}

static ssize_t write_some(struct gate_log_writer *w, const char *p, size_t n)
{
    if (w->kind == TARGET_SOCKET)
        return send(w->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    return write(w->fd, p, n);
}

static void write_buffer(struct gate_log_writer *w, const struct gate_log_buffer *b)
{
    size_t at = 0;

    if (w->kind == TARGET_TAKER) {
        w->taker.take(w->taker.arg, b->data, b->n);
        return;
    }
    while (at < b->n) {
        ssize_t n = write_some(w, b->data + at, write_size(w->kind, b->data + at, b->n - at));

        if (n >= 0) {
            at += (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd p = { .fd = w->fd, .events = POLLOUT };

            if (given_up(w))
                break;
            poll(&p, 1, 100);
        } else if (errno != EINTR) {
            atomic_store(&w->write_error, errno);
            break;
        }
    }
    if (at < b->n)
        gate_log_writer_drop(w, count_lines(b->data + at, b->n - at));
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void use_fd(struct gate_log_writer *w, int fd)
{
    close_fd(w->fd);
    w->fd = fd;
    w->kind = kind_of(fd);
}

/* Changes the file as asked, once everything that was queued before is written. Lets go of the lock
 * meanwhile: a file system may take its time. */
static void change_target_locked(struct gate_log_writer *w)
{
    char *target = gate_strdup(w->target);
    int fd = w->next_fd;

    w->next_fd = NO_FD;
    w->reopen = false;
    pthread_mutex_unlock(&w->lock);
    if (fd == NO_FD)
        fd = open_target(w, target);
    if (fd != NO_FD)
        use_fd(w, fd);
    else
        atomic_store(&w->reopen_error, errno);
    gate_free(target);
    pthread_mutex_lock(&w->lock);
}

static struct gate_log_buffer *next_locked(struct gate_log_writer *w)
{
    struct gate_log_buffer *b = w->first;

    if (b == NULL && w->open != NULL) {
        b = w->open;
        w->open = NULL;
        return b;
    }
    if (b == NULL)
        return NULL;
    w->first = b->next;
    if (w->first == NULL)
        w->last = NULL;
    return b;
}

static void *writer_main(void *arg)
{
    struct gate_log_writer *w = arg;
    struct gate_log_buffer *b;

    pthread_mutex_lock(&w->lock);
    for (;;) {
        if (w->reopen && w->reopen_after == NULL) {
            change_target_locked(w);
        } else if ((b = next_locked(w)) != NULL) {
            w->writing = b;
            pthread_mutex_unlock(&w->lock);
            write_buffer(w, b);
            pthread_mutex_lock(&w->lock);
            w->writing = NULL;
            if (w->reopen_after == b)
                w->reopen_after = NULL;
            b->next = w->free;
            w->free = b;
        } else if (w->stop) {
            break;
        } else {
            pthread_cond_wait(&w->wake, &w->lock);
        }
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static struct gate_log_buffer *take_locked(struct gate_log_writer *w)
{
    struct gate_log_buffer *b = w->free;

    if (b != NULL) {
        w->free = b->next;
    } else if (w->made < w->limit) {
        b = gate_try_alloc(sizeof(*b));
        w->made += b != NULL;
    }
    if (b != NULL) {
        b->next = NULL;
        b->n = 0;
        b->lines = 0;
    }
    return b;
}

static void queue_locked(struct gate_log_writer *w, struct gate_log_buffer *b)
{
    if (w->last == NULL)
        w->first = b;
    else
        w->last->next = b;
    w->last = b;
}

static void ask_reopen_locked(struct gate_log_writer *w)
{
    if (w->open != NULL)
        queue_locked(w, w->open);
    w->open = NULL;
    w->reopen = true;
    w->reopen_after = w->last != NULL ? w->last : w->writing;
    pthread_cond_signal(&w->wake);
}

static void sink_write(struct gate_log_sink *sink, const char *line, size_t n)
{
    struct gate_log_writer *w = gate_container_of(sink, struct gate_log_writer, sink);
    struct gate_log_buffer *b;

    pthread_mutex_lock(&w->lock);
    b = w->open;
    if (b != NULL && b->n + n > sizeof(b->data)) {
        queue_locked(w, b);
        b = w->open = NULL;
    }
    if (b == NULL)
        b = w->open = take_locked(w);
    if (b != NULL && n <= sizeof(b->data)) {
        memcpy(b->data + b->n, line, n);
        b->n += n;
        b->lines++;
    } else {
        gate_log_writer_drop(w, 1);
    }
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

enum gate_err gate_log_writer_open(const char *target, const struct gate_log_taker *taker,
                                   uint32_t buffers, struct gate_log_writer **out)
{
    struct gate_log_writer *w = gate_calloc(1, sizeof(*w));
    int fd, e;

    if (taker != NULL)
        w->taker = *taker;
    fd = open_target(w, target);
    if (fd == NO_FD) {
        gate_free(w);
        return GATE_E_SYS;
    }
    w->sink.write = sink_write;
    w->limit = buffers;
    w->target = gate_strdup(target);
    w->fd = w->next_fd = NO_FD;
    use_fd(w, fd);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    e = gate_thread_start(&w->thread, "gate-log", writer_main, w);
    if (e == 0) {
        *out = w;
        return GATE_OK;
    }
    close_fd(w->fd);
    gate_free(w->target);
    gate_free(w);
    errno = e;
    return GATE_E_SYS;
}

static void free_buffers(struct gate_log_buffer *b)
{
    while (b != NULL) {
        struct gate_log_buffer *next = b->next;

        gate_free(b);
        b = next;
    }
}

void gate_log_writer_close(struct gate_log_writer **writer)
{
    struct gate_log_writer *w = *writer;

    *writer = NULL;
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    w->stop_by_ms = mono_ms() + 1000;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    free_buffers(w->free);
    close_fd(w->next_fd);
    close_fd(w->fd);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wake);
    gate_free(w->target);
    gate_free(w);
}

struct gate_log_buffer *gate_log_writer_take(struct gate_log_writer *w)
{
    struct gate_log_buffer *b;

    pthread_mutex_lock(&w->lock);
    b = take_locked(w);
    pthread_mutex_unlock(&w->lock);
    return b;
}

void gate_log_writer_put(struct gate_log_writer *w, struct gate_log_buffer *b)
{
    pthread_mutex_lock(&w->lock);
    if (b->n == 0) {
        b->next = w->free;
        w->free = b;
    } else {
        queue_locked(w, b);
        pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&w->lock);
}

void gate_log_writer_drop(struct gate_log_writer *w, uint64_t lines)
{
    atomic_fetch_add_explicit(&w->dropped, lines, memory_order_relaxed);
}

uint64_t gate_log_writer_dropped(const struct gate_log_writer *w)
{
    return atomic_load_explicit(&w->dropped, memory_order_relaxed);
}

int gate_log_writer_write_error(struct gate_log_writer *w)
{
    return atomic_exchange(&w->write_error, 0);
}

int gate_log_writer_reopen_error(struct gate_log_writer *w)
{
    return atomic_exchange(&w->reopen_error, 0);
}

void gate_log_writer_reopen(struct gate_log_writer *w)
{
    pthread_mutex_lock(&w->lock);
    ask_reopen_locked(w);
    pthread_mutex_unlock(&w->lock);
}

enum gate_err gate_log_writer_retarget(struct gate_log_writer *w, const char *target)
{
    int fd = open_target(w, target);
    int replaced;

    if (fd == NO_FD)
        return GATE_E_SYS;
    pthread_mutex_lock(&w->lock);
    gate_free(w->target);
    w->target = gate_strdup(target);
    replaced = w->next_fd;
    w->next_fd = fd;
    ask_reopen_locked(w);
    pthread_mutex_unlock(&w->lock);
    close_fd(replaced);
    return GATE_OK;
}

struct gate_log_sink *gate_log_writer_sink(struct gate_log_writer *w)
{
    return &w->sink;
}
