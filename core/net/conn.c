#include "net/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"
#include "net/conn_int.h"

enum gate_err gate_conn_error(int sys_errno)
{
    switch (sys_errno) {
    case EAGAIN:
#if EAGAIN != EWOULDBLOCK
    case EWOULDBLOCK:
#endif
        return GATE_E_AGAIN;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ETIMEDOUT:
    case ENOTCONN:
    case ESHUTDOWN:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
        return GATE_E_RESET;
    default:
        return GATE_E_SYS;
    }
}

/* The plain kind */

/* recv and send without the preparation of the C library for a cancellation of the thread, which
 * nobody does here. Sanitizers watch the library's. */
#if defined(GATE_ASAN) || defined(GATE_TSAN) || !defined(SYS_recvfrom) || !defined(SYS_sendto)

static inline ssize_t receive(int fd, void *to, size_t n)
{
    return recv(fd, to, n, 0);
}

static inline ssize_t transmit(int fd, const void *from, size_t n)
{
    return send(fd, from, n, MSG_NOSIGNAL);
}

#else

static inline ssize_t receive(int fd, void *to, size_t n)
{
    return syscall(SYS_recvfrom, fd, to, n, 0, NULL, NULL);
}

static inline ssize_t transmit(int fd, const void *from, size_t n)
{
    return syscall(SYS_sendto, fd, from, n, MSG_NOSIGNAL, NULL, 0);
}

#endif

/* Judges what a read gave: bytes, the end (0), or errno. */
static enum gate_err read_result(struct gate_conn *c, ssize_t got, size_t *n)
{
    enum gate_err err;

    if (got > 0) {
        *n = (size_t)got;
        return GATE_OK;
    }
    *n = 0;
    if (got == 0)
        return GATE_E_EOF;
    err = gate_conn_error(errno);
    if (err == GATE_E_AGAIN)
        c->read_wants = GATE_WANT_READ;
    return err;
}

static enum gate_err plain_read(struct gate_conn *c, const struct iovec *iov, int count, size_t *n)
{
    ssize_t got;

    do {
        if (count == 1)
            got = receive(c->fd, iov->iov_base, iov->iov_len);
        else
            got = readv(c->fd, iov, count);
    } while (got < 0 && errno == EINTR);
    return read_result(c, got, n);
}

static enum gate_err plain_peek(struct gate_conn *c, void *to, size_t cap, size_t *n)
{
    ssize_t got;

    do
        got = recv(c->fd, to, cap, MSG_PEEK);
    while (got < 0 && errno == EINTR);
    return read_result(c, got, n);
}

/* Judges what a write gave. */
static enum gate_err write_result(struct gate_conn *c, ssize_t put, size_t *n)
{
    enum gate_err err;

    if (put >= 0) {
        *n = (size_t)put;
        return GATE_OK;
    }
    *n = 0;
    err = gate_conn_error(errno);
    if (err == GATE_E_AGAIN)
        c->write_wants = GATE_WANT_WRITE;
    return err;
}

static enum gate_err plain_write(struct gate_conn *c, const struct iovec *iov, int count, size_t *n)
{
    struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count };
    ssize_t put;

    do {
        if (count == 1)
            put = transmit(c->fd, iov->iov_base, iov->iov_len);
        else
            put = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);
    return write_result(c, put, n);
}

static enum gate_err plain_to_pipe(struct gate_conn *c, int pipe, size_t max, size_t *n)
{
    ssize_t got;

    do
        got = splice(c->fd, NULL, pipe, NULL, max, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    while (got < 0 && errno == EINTR);
    return read_result(c, got, n);
}

static enum gate_err plain_from_pipe(struct gate_conn *c, int pipe, size_t max, size_t *n)
{
    ssize_t put;

    do
        put = splice(pipe, NULL, c->fd, NULL, max, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    while (put < 0 && errno == EINTR);
    return write_result(c, put, n);
}

static size_t plain_pending(const struct gate_conn *c)
{
    (void)c;
    return 0;
}

static enum gate_err plain_shut(struct gate_conn *c)
{
    return shutdown(c->fd, SHUT_WR) == 0 ? GATE_OK : gate_conn_error(errno);
}

static void plain_fini(struct gate_conn *c)
{
    (void)c;
}

const struct gate_conn_ops gate_conn_plain = {
    .name = "plain",
    .read = plain_read,
    .write = plain_write,
    .peek = plain_peek,
    .to_pipe = plain_to_pipe,
    .from_pipe = plain_from_pipe,
    .pending = plain_pending,
    .shut = plain_shut,
    .fini = plain_fini,
};

/* Watching. What an operation waits for is not always what it is named after (a TLS write may
 * want to read), so that each event may concern either side. One event calls one callback, after
 * which the conn may be gone; the other side's watcher stays on and epoll reports it again. */

static bool read_waits_for(const struct gate_conn *c, enum gate_want want)
{
    return c->reading && !c->full &&
           (c->read_wants == GATE_WANT_WRITE) == (want == GATE_WANT_WRITE);
}

static bool write_waits_for(const struct gate_conn *c, enum gate_want want)
{
    return c->writing && (c->write_wants == GATE_WANT_READ) == (want == GATE_WANT_READ);
}

void gate_conn_settle(struct gate_conn *c)
{
    struct ev_loop *ev = c->loop->ev;

    if (read_waits_for(c, GATE_WANT_READ) || write_waits_for(c, GATE_WANT_READ))
        ev_io_start(ev, &c->in);
    else if (c->reading)
        ev_io_stop(ev, &c->in);     /* the reader waits for a write: bytes that come would spin */
    if (read_waits_for(c, GATE_WANT_WRITE) || write_waits_for(c, GATE_WANT_WRITE))
        ev_io_start(ev, &c->out);
    else
        ev_io_stop(ev, &c->out);
}

/* Either side may take bytes in that nobody is told of. Linked before the call, because the conn
 * may be gone after it. A plain conn has nothing pending. */
static void link_pending(struct gate_conn *c)
{
    if (c->ops != &gate_conn_plain)
        gate_loop_ready(c->loop, &c->ready);
}

static void call_readable(struct gate_conn *c)
{
    link_pending(c);
    c->on_readable(c);
}

static void call_writable(struct gate_conn *c)
{
    c->writing = false;
    c->write_wants = GATE_WANT_NOTHING;
    gate_conn_settle(c);
    link_pending(c);
    c->on_writable(c);
}

static void on_in(struct ev_loop *ev, struct ev_io *in, int events)
{
    struct gate_conn *c = gate_container_of(in, struct gate_conn, in);

    (void)events;
    if (write_waits_for(c, GATE_WANT_READ))
        call_writable(c);
    else if (read_waits_for(c, GATE_WANT_READ))
        call_readable(c);
    else
        ev_io_stop(ev, in);
}

static void on_out(struct ev_loop *ev, struct ev_io *out, int events)
{
    struct gate_conn *c = gate_container_of(out, struct gate_conn, out);

    (void)events;
    if (read_waits_for(c, GATE_WANT_WRITE)) {
        c->read_wants = GATE_WANT_NOTHING;
        gate_conn_settle(c);
        call_readable(c);
    } else if (write_waits_for(c, GATE_WANT_WRITE)) {
        call_writable(c);
    } else {
        ev_io_stop(ev, out);
    }
}

static void on_pending(struct gate_ready *r)
{
    struct gate_conn *c = gate_container_of(r, struct gate_conn, ready);

    if (c->full && c->pipe->held == 0) {
        c->full = false;
        gate_conn_settle(c);
        if (c->reading)
            call_readable(c);
    } else if (c->reading && c->ops->pending(c) > 0) {
        call_readable(c);
    }
}

static void watch_pending(struct gate_conn *c)
{
    if (c->reading && c->ops->pending(c) > 0)
        gate_loop_ready(c->loop, &c->ready);
}

void gate_conn_reading(struct gate_conn *c, bool on)
{
    if (c->reading == on)
        return;
    c->reading = on;
    if (!on)
        return;
    gate_conn_settle(c);
    watch_pending(c);
}

void gate_conn_want_write(struct gate_conn *c)
{
    c->writing = true;
    gate_conn_settle(c);
}

/* Chains and pipes */

#define SEND_IOV 64

static enum gate_err send_pipe(struct gate_conn *c, const struct gate_chain *out, size_t *n)
{
    struct gate_slice front = {0};
    struct gate_pipe *pipe;
    enum gate_err err;

    gate_chain_front(out, &front);
    pipe = gate_pipe_of(&front);
    err = c->ops->from_pipe(c, pipe->out, front.n, n);
    if (err == GATE_OK)
        gate_pipe_drained(pipe, *n);
    return err;
}

static __attribute__((noinline)) enum gate_err send_many(struct gate_conn *c,
                                                         const struct gate_chain *out, size_t *n)
{
    struct iovec iov[SEND_IOV];
    int count = gate_chain_iov(out, iov, SEND_IOV);

    return count > 0 ? gate_conn_write(c, iov, count, n) : send_pipe(c, out, n);
}

enum gate_err gate_conn_send(struct gate_conn *c, struct gate_chain *out, size_t *n)
{
    struct iovec one;
    enum gate_err err;

    if (out->count == 1 && gate_chain_iov(out, &one, 1) == 1)
        err = gate_conn_write(c, &one, 1, n);
    else
        err = send_many(c, out, n);
    if (err == GATE_OK)
        gate_chain_drop(out, *n);
    return err;
}

static void pipe_give(struct gate_conn *c)
{
    struct gate_block *b = &c->pipe->block;

    c->pipe->on_empty = NULL;
    c->pipe = NULL;
    c->full = false;
    gate_block_unref(&b);
}

static void on_pipe_empty(void *conn)
{
    struct gate_conn *c = conn;

    if (c->loop != NULL)
        gate_loop_ready(c->loop, &c->ready);
}

/* A pipe that is not empty may be full: how many bytes fit depends on how they lie in memory, and
 * the system does not tell a full pipe from an empty socket. So it is emptied first. */
static enum gate_err splice_later(struct gate_conn *c)
{
    c->full = true;
    c->pipe->on_empty = on_pipe_empty;
    c->pipe->arg = c;
    gate_conn_settle(c);
    return GATE_E_AGAIN;
}

enum gate_err gate_conn_splice(struct gate_conn *c, size_t max, struct gate_chain *to, size_t *n)
{
    enum gate_err err;

    *n = 0;
    if (c->ops->to_pipe == NULL)
        return GATE_E_LIMIT;
    if (c->pipe == NULL)
        c->pipe = gate_pipe_take(to->pool);
    if (c->pipe == NULL)
        return GATE_E_LIMIT;
    if (c->pipe->held > 0)
        return splice_later(c);
    err = c->ops->to_pipe(c, c->pipe->in, max < GATE_PIPE_SIZE ? max : GATE_PIPE_SIZE, n);
    if (err == GATE_OK) {
        gate_pipe_filled(c->pipe, *n, to);
    } else if (err == GATE_E_SYS && errno == EINVAL) { /* not with this kind of socket */
        pipe_give(c);
        err = GATE_E_LIMIT;
    }
    return err;
}

void gate_conn_splice_end(struct gate_conn *c)
{
    if (c->pipe != NULL)
        pipe_give(c);
}

/* Life */

void gate_conn_open(struct gate_conn *c, struct gate_loop *loop, int fd, gate_conn_fn *on_readable,
                    gate_conn_fn *on_writable)
{
    c->ops = &gate_conn_plain;
    c->loop = loop;
    c->on_readable = on_readable;
    c->on_writable = on_writable;
    ev_io_init(&c->in, on_in, fd, EV_READ);
    ev_io_init(&c->out, on_out, fd, EV_WRITE);
    gate_ready_init(&c->ready, on_pending);
    c->fd = fd;
    c->pipe = NULL;
    c->full = false;
    c->cut = false;
    c->read_wants = GATE_WANT_NOTHING;
    c->write_wants = GATE_WANT_NOTHING;
    c->reading = false;
    c->writing = false;
}

/* libev takes the descriptor out of the old epoll set when it next hears of it there; closing
 * does it too. */
void gate_conn_detach(struct gate_conn *c)
{
    ev_io_stop(c->loop->ev, &c->in);
    ev_io_stop(c->loop->ev, &c->out);
    gate_ready_cancel(&c->ready);
    c->loop = NULL;
}

void gate_conn_attach(struct gate_conn *c, struct gate_loop *loop)
{
    GATE_ASSERT(c->loop == NULL);
    c->loop = loop;
    gate_conn_settle(c);
    watch_pending(c);
}

void gate_conn_close(struct gate_conn *c)
{
    if (c->fd < 0)
        return;
    if (c->loop != NULL)
        gate_conn_detach(c);
    gate_conn_splice_end(c);
    c->ops->fini(c);
    close(c->fd);
    c->fd = -1;
    c->reading = false;
    c->writing = false;
}

void gate_conn_abort(struct gate_conn *c)
{
    struct linger reset = { .l_onoff = 1, .l_linger = 0 };

    c->cut = true;
    if (c->fd >= 0)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    gate_conn_close(c);
}
