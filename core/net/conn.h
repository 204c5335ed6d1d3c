/* Conns: a non-blocking byte stream: plain, TLS (tls/tls.h), or faulty in tests. One thread;
 * whoever opened it owns it and closes it. Operations say what they wait for: want-read and
 * want-write are apart from the operation (TLS). */
#ifndef GATE_NET_CONN_H
#define GATE_NET_CONN_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/pipe.h"
#include "net/loop.h"

struct gate_conn;

enum gate_want { GATE_WANT_NOTHING = 0, GATE_WANT_READ = 1, GATE_WANT_WRITE = 2 };

struct gate_conn_ops {
    const char *name;
    /* Reads into iov. GATE_OK with *n > 0, GATE_E_AGAIN (c->read_wants says for what),
     * GATE_E_EOF, GATE_E_RESET, GATE_E_SYS. Of TLS an end that was not announced (close_notify) is
     * GATE_E_RESET, and GATE_E_TLS says that a server has refused our part of the handshake. */
    enum gate_err (*read)(struct gate_conn *c, const struct iovec *iov, int count, size_t *n);
    /* Writes; GATE_OK with *n > 0 (may be short), GATE_E_AGAIN (c->write_wants says for what),
     * GATE_E_RESET, GATE_E_SYS. After GATE_E_AGAIN or a short write the same bytes come next, with
     * or without others behind them: TLS may have sealed them. */
    enum gate_err (*write)(struct gate_conn *c, const struct iovec *iov, int count, size_t *n);
    /* Looks at bytes without taking them. Same results as read. */
    enum gate_err (*peek)(struct gate_conn *c, void *to, size_t cap, size_t *n);
    /* Moves up to max bytes into a pipe, or out of one. Same results as read and write. NULL for a
     * kind whose bytes must pass through memory. */
    enum gate_err (*to_pipe)(struct gate_conn *c, int pipe, size_t max, size_t *n);
    enum gate_err (*from_pipe)(struct gate_conn *c, int pipe, size_t max, size_t *n);
    /* Bytes that can be read although the descriptor is not readable (TLS records already taken
     * in). */
    size_t (*pending)(const struct gate_conn *c);
    /* Ends our direction in order. GATE_E_AGAIN is possible (TLS close_notify): call again. */
    enum gate_err (*shut)(struct gate_conn *c);
    /* Releases what the kind itself holds (TLS says goodbye first); the descriptor is closed by
     * gate_conn_close. */
    void (*fini)(struct gate_conn *c);
};

/* Errors are found by trying. May close or free the conn. */
typedef void gate_conn_fn(struct gate_conn *c);

/* Embedded in its owner (session, link). */
struct gate_conn {
    const struct gate_conn_ops *ops;
    struct gate_loop *loop;
    gate_conn_fn *on_readable;  /* a read may get further; called while reading is on */
    gate_conn_fn *on_writable;  /* a write may get further; called once for each want_write */
    struct ev_io in;            /* EV_READ; stays on until it fires without a reader */
    struct ev_io out;           /* EV_WRITE; only after a write has blocked */
    struct gate_pipe *pipe;     /* what it reads by splice goes in here; a reference, or NULL */
    struct gate_ready ready;    /* linked while bytes may be pending that epoll knows nothing of */
    int fd;
    uint8_t read_wants;         /* enum gate_want of the last GATE_E_AGAIN of read */
    uint8_t write_wants;
    bool reading : 1;           /* the owner wants on_readable */
    bool writing : 1;           /* the owner wants on_writable */
    bool full : 1;              /* reading stands still until the pipe is empty */
    bool cut : 1;               /* closed by gate_conn_abort: the kind says no goodbye */
};

/* Takes the descriptor over (a non-blocking socket); its kind is plain. Nothing is watched yet. */
void gate_conn_open(struct gate_conn *c, struct gate_loop *loop, int fd, gate_conn_fn *on_readable,
                    gate_conn_fn *on_writable);

/* Stops watching and closes. Safe on a closed one (fd -1). */
void gate_conn_close(struct gate_conn *c);

/* Closes with a reset (SO_LINGER 0): the peer must see that something is cut. */
void gate_conn_abort(struct gate_conn *c);

static inline bool gate_conn_is_open(const struct gate_conn *c)
{
    return c->fd >= 0;
}

/* Whether on_readable is wanted. Turning it off costs nothing: the watcher is stopped when bytes
 * come that nobody wants, and only then turning it on again costs a system call. A conn with
 * pending bytes is made ready by the next turn. */
void gate_conn_reading(struct gate_conn *c, bool on);

/* Asks for on_writable, once. */
void gate_conn_want_write(struct gate_conn *c);

/* Watches what the last GATE_E_AGAIN asked for. The calls here do it by themselves. */
void gate_conn_settle(struct gate_conn *c);

static inline enum gate_err gate_conn_read(struct gate_conn *c, const struct iovec *iov, int count,
                                           size_t *n)
{
    enum gate_err err = c->ops->read(c, iov, count, n);

    if (err == GATE_E_AGAIN && c->read_wants == GATE_WANT_WRITE)
        gate_conn_settle(c);
    return err;
}

static inline enum gate_err gate_conn_write(struct gate_conn *c, const struct iovec *iov, int count,
                                            size_t *n)
{
    return c->ops->write(c, iov, count, n);
}

/* Sends from the front of the chain, memory or a pipe's bytes, with one call, and drops what was
 * sent. Results as of write. */
enum gate_err gate_conn_send(struct gate_conn *c, struct gate_chain *out, size_t *n);

/* Reads up to max bytes into a pipe and appends them to `to`. Results as of read; GATE_E_AGAIN also
 * while the bytes of the last call are in the pipe (c->full until they have left, on_readable
 * follows then), and GATE_E_LIMIT when there is no pipe for this conn: read into memory. */
enum gate_err gate_conn_splice(struct gate_conn *c, size_t max, struct gate_chain *to, size_t *n);

/* The last splice of a message is done: gives the pipe back as soon as it is empty. */
void gate_conn_splice_end(struct gate_conn *c);

/* Takes the conn off its loop, descriptor and state kept, and puts it on another (in that loop's
 * thread). */
void gate_conn_detach(struct gate_conn *c);
void gate_conn_attach(struct gate_conn *c, struct gate_loop *loop);

/* The plain kind: recv/readv, send/writev on the descriptor. */
extern const struct gate_conn_ops gate_conn_plain;

#endif
