#include "net/socket.h"

#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static enum gate_err set_flag(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0 ? GATE_OK : GATE_E_SYS;
}

static int open_stream(int family)
{
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Closes and keeps errno, which the caller reads. */
static enum gate_err give_up(int fd, enum gate_err err)
{
    int saved = errno;

    close(fd);
    errno = saved;
    return err;
}

static bool is_any6(const struct gate_addr *a)
{
    return a->u.sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->u.in6.sin6_addr);
}

static enum gate_err listen_on(int fd, const struct gate_addr *addr, int backlog)
{
    if (bind(fd, &addr->u.sa, addr->len) != 0)
        return GATE_E_SYS;
    return listen(fd, backlog > 0 ? backlog : INT_MAX) == 0 ? GATE_OK : GATE_E_SYS;
}

void gate_socket_nodelay(int fd)
{
    set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

enum gate_err gate_socket_listen(const struct gate_addr *addr, int backlog, int *out)
{
    struct gate_addr any4;
    enum gate_err err = GATE_OK;
    int fd = open_stream(addr->u.sa.sa_family);

    *out = -1;
    if (fd < 0 && errno == EAFNOSUPPORT && is_any6(addr)) {
        /* A kernel without IPv6: any address means those that there are. */
        any4 = (struct gate_addr){ .len = sizeof(any4.u.in4) };
        any4.u.in4.sin_family = AF_INET;
        any4.u.in4.sin_port = addr->u.in6.sin6_port;
        addr = &any4;
        fd = open_stream(AF_INET);
    }
    if (fd < 0)
        return GATE_E_SYS;
    if (addr->u.sa.sa_family == AF_INET6)
        err = set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, !is_any6(addr));
    if (err == GATE_OK)
        err = set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (err == GATE_OK)
        err = set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    gate_socket_nodelay(fd);    /* accepted sockets inherit it */
    if (err == GATE_OK)
        err = listen_on(fd, addr, backlog);
    if (err != GATE_OK)
        return give_up(fd, err);
    *out = fd;
    return GATE_OK;
}

/* Path of a Unix address with its NUL; false for an abstract name. */
static bool path_of(const struct gate_addr *addr, char path[sizeof(addr->u.un.sun_path) + 1])
{
    size_t n = addr->len - offsetof(struct sockaddr_un, sun_path);

    if (addr->len <= offsetof(struct sockaddr_un, sun_path) || addr->u.un.sun_path[0] == '\0')
        return false;
    memcpy(path, addr->u.un.sun_path, n);
    path[n] = '\0';
    return true;
}

/* True when a socket lies at the path and nobody accepts there. */
static bool is_stale(const struct gate_addr *addr, const char *path)
{
    struct stat st;
    bool stale;
    int fd;

    if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    fd = open_stream(AF_UNIX);
    if (fd < 0)
        return false;
    stale = connect(fd, &addr->u.sa, addr->len) != 0 && errno == ECONNREFUSED;
    close(fd);
    return stale;
}

static enum gate_err bind_unix(int fd, const struct gate_addr *addr)
{
    char path[sizeof(addr->u.un.sun_path) + 1];

    if (bind(fd, &addr->u.sa, addr->len) == 0)
        return GATE_OK;
    if (errno != EADDRINUSE)
        return GATE_E_SYS;
    if (path_of(addr, path) && is_stale(addr, path)) {
        if (unlink(path) != 0)
            return GATE_E_SYS;
        if (bind(fd, &addr->u.sa, addr->len) == 0)
            return GATE_OK;
    }
    errno = EADDRINUSE;
    return GATE_E_EXISTS;
}

enum gate_err gate_socket_listen_unix(const struct gate_addr *addr, int mode, int backlog, int *out)
{
    char path[sizeof(addr->u.un.sun_path) + 1];
    int fd = open_stream(AF_UNIX);
    enum gate_err err;

    *out = -1;
    if (fd < 0)
        return GATE_E_SYS;
    /* The file is born with the descriptor's mode less the umask: never wider than asked for. */
    if (mode >= 0 && fchmod(fd, (mode_t)mode) != 0)
        return give_up(fd, GATE_E_SYS);
    err = bind_unix(fd, addr);
    if (err != GATE_OK)
        return give_up(fd, err);
    if (mode >= 0 && path_of(addr, path) && chmod(path, (mode_t)mode) != 0)
        return give_up(fd, GATE_E_SYS);
    if (listen(fd, backlog > 0 ? backlog : INT_MAX) != 0)
        return give_up(fd, GATE_E_SYS);
    *out = fd;
    return GATE_OK;
}

/* There is no room for one more socket here, whoever is at its other end. */
static bool is_lack(int sys_errno)
{
    return sys_errno == EMFILE || sys_errno == ENFILE || sys_errno == ENOBUFS ||
           sys_errno == ENOMEM;
}

/* "Error handling" of accept(2): what an accept tells may be of one connection only. */
static enum gate_err accept_error(int sys_errno)
{
    if (is_lack(sys_errno))
        return GATE_E_LIMIT;
    switch (sys_errno) {
    case EAGAIN:
        return GATE_E_AGAIN;
    case ECONNABORTED:
    case EPROTO:
    case EPERM:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case ETIMEDOUT:
        return GATE_E_RESET;
    default:
        return GATE_E_SYS;
    }
}

enum gate_err gate_socket_accept(int listener, int *out, struct gate_addr *peer)
{
    int fd;

    do {
        peer->len = sizeof(peer->u);
        fd = accept4(listener, &peer->u.sa, &peer->len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    *out = fd;
    return fd >= 0 ? GATE_OK : accept_error(errno);
}

/* EAGAIN of a Unix socket is a full backlog, not a connect under way. */
static enum gate_err connect_error(int sys_errno)
{
    switch (sys_errno) {
    case EINPROGRESS:
    case EINTR:
    case EALREADY:
        return GATE_E_AGAIN;
    case EAGAIN:
    case ECONNREFUSED:
    case ENOENT:
        return GATE_E_REFUSED;
    case ETIMEDOUT:
        return GATE_E_TIMEOUT;
    case ECONNRESET:
        return GATE_E_RESET;
    default:
        return GATE_E_SYS;
    }
}

enum gate_err gate_socket_connect(const struct gate_addr *addr, int *out)
{
    int fd = open_stream(addr->u.sa.sa_family);
    enum gate_err err = GATE_OK;

    *out = -1;
    if (fd < 0)
        return is_lack(errno) ? GATE_E_LIMIT : GATE_E_SYS;
    if (addr->u.sa.sa_family != AF_UNIX)
        gate_socket_nodelay(fd);
    if (connect(fd, &addr->u.sa, addr->len) != 0)
        err = connect_error(errno);
    if (err != GATE_OK && err != GATE_E_AGAIN)
        return give_up(fd, err);
    *out = fd;
    return err;
}

enum gate_err gate_socket_connected(int fd)
{
    struct gate_addr peer;
    socklen_t n = sizeof(int);
    int error = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
        return GATE_E_SYS;
    if (error != 0) {
        errno = error;
        return connect_error(error);
    }
    peer.len = sizeof(peer.u);
    if (getpeername(fd, &peer.u.sa, &peer.len) == 0)
        return GATE_OK;
    return errno == ENOTCONN ? GATE_E_AGAIN : GATE_E_SYS;
}

size_t gate_socket_unsent(int fd)
{
    int n = 0;

    return ioctl(fd, SIOCOUTQ, &n) == 0 && n > 0 ? (size_t)n : 0;
}

enum gate_err gate_socket_name(int fd, struct gate_addr *out)
{
    out->len = sizeof(out->u);
    return getsockname(fd, &out->u.sa, &out->len) == 0 ? GATE_OK : GATE_E_SYS;
}
