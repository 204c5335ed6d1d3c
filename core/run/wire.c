#include "run/wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What cannot be sent at once is tried again for so long. */
#define SEND_TRIES   50
#define SEND_WAIT_MS 20

/* Room for the descriptors of one message, aligned as cmsg(3) wants it. */
union fd_room {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int) * GATE_LISTEN_MAX)];
};

/* The pair is full, or the kernel has no memory for a message just now. */
static void wait_for_room(int fd, enum gate_err err)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    poll(&p, err == GATE_E_AGAIN, SEND_WAIT_MS);
}

enum gate_err gate_wire_send(int fd, const struct gate_wire *m, const int *fds, uint32_t n)
{
    union fd_room room;
    struct iovec iov = { .iov_base = (void *)m, .iov_len = sizeof(*m) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (n > 0) {
        struct cmsghdr *c;

        memset(&room, 0, sizeof(room));
        msg.msg_control = &room;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * n);
        c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * n);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
    }
    for (int tries = 0;; tries++) {
        ssize_t sent = sendmsg(fd, &msg, MSG_NOSIGNAL);
        enum gate_err err;

        if (sent >= 0)
            return sent == (ssize_t)sizeof(*m) ? GATE_OK : GATE_E_SYNTAX;
        err = errno == ETOOMANYREFS ? GATE_E_NOMEM : gate_err_from_errno(errno);
        if ((err != GATE_E_AGAIN && err != GATE_E_NOMEM) || tries == SEND_TRIES)
            return err;
        wait_for_room(fd, err);
    }
}

static void take_fds(struct msghdr *msg, int *fds, uint32_t *n)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        size_t bytes;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        bytes = c->cmsg_len - CMSG_LEN(0);
        memcpy(fds, CMSG_DATA(c), bytes);
        *n = (uint32_t)(bytes / sizeof(int));
    }
}

/* A message for which there is no memory just now stays where it is. */
static enum gate_err receive_error(int sys_errno)
{
    enum gate_err err = sys_errno == ECONNRESET ? GATE_E_EOF : gate_err_from_errno(sys_errno);

    return err == GATE_E_NOMEM ? GATE_E_AGAIN : err;
}

enum gate_err gate_wire_receive(int fd, struct gate_wire *m, int fds[GATE_LISTEN_MAX], uint32_t *n)
{
    union fd_room room;
    struct iovec iov = { .iov_base = m, .iov_len = sizeof(*m) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &room,
                          .msg_controllen = sizeof(room) };
    ssize_t got;

    *n = 0;
    do {
        got = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got == 0)
        return GATE_E_EOF;
    if (got < 0)
        return receive_error(errno);
    take_fds(&msg, fds, n);
    if (got == (ssize_t)sizeof(*m))
        return GATE_OK;
    while (*n > 0)
        close(fds[--*n]);
    return GATE_E_SYNTAX;
}
