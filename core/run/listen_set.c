#include "run/listen_set.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/socket.h"

void gate_listen_set_init(struct gate_listen_set *set)
{
    gate_list_init(&set->points);
}

static bool is_unix(const struct gate_addr *a)
{
    return a->u.sa.sa_family == AF_UNIX;
}

/* Removes the socket file, unless somebody has put another one in its place. Ours is closed: one
 * that does not refuse belongs to a successor, whose queue may be full for the moment (EAGAIN). */
static void remove_file(const struct gate_addr *a)
{
    char path[sizeof(a->u.un.sun_path) + 1];
    size_t n = a->len - offsetof(struct sockaddr_un, sun_path);
    struct stat st;
    int probe;

    if (a->u.un.sun_path[0] == '\0')
        return;
    memcpy(path, a->u.un.sun_path, n);
    path[n] = '\0';
    if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return;
    if (gate_socket_connect(a, &probe) == GATE_OK)
        close(probe);
    else if (errno == ECONNREFUSED)
        unlink(path);
}

void gate_listen_set_release(struct gate_listen_point **point)
{
    struct gate_listen_point *p = *point;

    *point = NULL;
    gate_list_remove(&p->node);
    for (uint32_t i = 0; i < p->n; i++)
        close(p->fds[i]);
    gate_free(p);
}

void gate_listen_set_drop(struct gate_listen_point **point)
{
    struct gate_addr bound = (*point)->bound;

    gate_listen_set_release(point);
    if (is_unix(&bound))
        remove_file(&bound);
}

void gate_listen_set_fini(struct gate_listen_set *set)
{
    while (!gate_list_empty(&set->points)) {
        struct gate_listen_point *p =
            gate_container_of(set->points.next, struct gate_listen_point, node);

        gate_listen_set_drop(&p);
    }
}

struct gate_listen_point *gate_listen_set_find(struct gate_listen_set *set,
                                               const struct gate_listen_wish *wish)
{
    for (struct gate_list *n = set->points.next; n != &set->points; n = n->next) {
        struct gate_listen_point *p = gate_container_of(n, struct gate_listen_point, node);

        if (p->wish.nth == wish->nth && gate_addr_eq(&p->wish.addr, &wish->addr))
            return p;
    }
    return NULL;
}

/* SO_REUSEPORT lets a second gateway of the same user share the port and steal half of the
 * connections: a bind without it finds that out. */
static enum gate_err check_free(const struct gate_addr *addr)
{
    int fd = socket(addr->u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1, off = 0, e;

    if (fd < 0)
        return errno == EAFNOSUPPORT ? GATE_OK : GATE_E_SYS;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (addr->u.sa.sa_family == AF_INET6) {
        bool any = IN6_IS_ADDR_UNSPECIFIED(&addr->u.in6.sin6_addr);

        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, any ? &off : &on, sizeof(on));
    }
    e = bind(fd, &addr->u.sa, addr->len) == 0 ? 0 : errno;
    close(fd);
    errno = e;
    return e == 0 ? GATE_OK : GATE_E_SYS;
}

static enum gate_err open_tcp(struct gate_listen_point *p)
{
    struct gate_addr addr = p->wish.addr;
    enum gate_err err = check_free(&addr);

    for (p->n = 0; err == GATE_OK && p->n < p->wish.sockets; p->n++) {
        err = gate_socket_listen(&addr, p->wish.backlog, &p->fds[p->n]);
        if (err != GATE_OK)
            break;
        if (p->n == 0)
            err = gate_socket_name(p->fds[0], &p->bound);
        gate_addr_set_port(&addr, gate_addr_port(&p->bound));
    }
    return err;
}

static enum gate_err open_point(struct gate_listen_point *p)
{
    enum gate_err err;
    int e;

    if (is_unix(&p->wish.addr)) {
        p->bound = p->wish.addr;
        err = gate_socket_listen_unix(&p->wish.addr, p->wish.mode, p->wish.backlog, &p->fds[0]);
        p->n = err == GATE_OK;
        return err;
    }
    err = open_tcp(p);
    if (err == GATE_OK)
        return err;
    e = errno;
    while (p->n > 0)
        close(p->fds[--p->n]);
    errno = e;
    return err;
}

enum gate_err gate_listen_set_get(struct gate_listen_set *set, const struct gate_listen_wish *wish,
                                  struct gate_listen_point **out)
{
    struct gate_listen_point *p = gate_listen_set_find(set, wish);
    enum gate_err err;

    if (p == NULL) {
        p = gate_calloc(1, sizeof(*p));
        p->wish = *wish;
        if (p->wish.sockets > GATE_LISTEN_MAX)
            p->wish.sockets = GATE_LISTEN_MAX;
        err = open_point(p);
        if (err != GATE_OK) {
            int e = errno;

            gate_free(p);
            errno = e;
            return err;
        }
        gate_list_push(&set->points, &p->node);
    }
    *out = p;
    return GATE_OK;
}

struct gate_listen_point *gate_listen_set_add(struct gate_listen_set *set,
                                              const struct gate_listen_wish *wish,
                                              const struct gate_addr *bound, const int *fds,
                                              uint32_t n)
{
    struct gate_listen_point *p = gate_calloc(1, sizeof(*p));

    p->wish = *wish;
    p->bound = *bound;
    p->n = n;
    memcpy(p->fds, fds, n * sizeof(fds[0]));
    gate_list_push(&set->points, &p->node);
    return p;
}

uint32_t gate_listen_sockets(uint32_t workers, uint32_t processors)
{
    uint32_t n = workers;

    while (n < processors && n + workers <= GATE_LISTEN_MAX)
        n += workers;
    return n;
}

static const char *mend_of(const struct gate_addr *addr, int e)
{
    bool file = is_unix(addr);

    switch (e) {
    case EADDRINUSE:
        return file ? "stop who accepts there, remove what is no socket, or choose another path"
                    : "stop what listens there (ss -ltnp shows it), or choose another port";
    case EACCES:
    case EPERM:
        return file ? "choose a folder that this user may write to"
                    : "ports below 1024 need root or CAP_NET_BIND_SERVICE: choose a higher one";
    case EADDRNOTAVAIL:
        return "no interface of this machine has that address: use one that it has, or \":port\"";
    case ENOENT:
    case ENOTDIR:
        return "make the folder first";
    case EMFILE:
    case ENFILE:
        return "raise the limit of open files (ulimit -n)";
    default:
        return "check the address in gate.listen or --listen";
    }
}

void gate_listen_explain(const struct gate_addr *addr, int sys_errno, char *to, size_t cap)
{
    char text[GATE_ADDR_TEXT];

    gate_addr_format(addr, text, sizeof(text));
    snprintf(to, cap, "cannot listen on %s: %s; %s", text, strerror(sys_errno),
             mend_of(addr, sys_errno));
}
