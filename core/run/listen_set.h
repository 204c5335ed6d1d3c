/* Listen set: the listening sockets of a process by address, opened once and kept until the address
 * goes. One thread; owned by the supervisor, or by a broker. */
#ifndef GATE_RUN_LISTEN_SET_H
#define GATE_RUN_LISTEN_SET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/list.h"

/* Sockets of one address; below the kernel's limit of descriptors in one message (253). */
#define GATE_LISTEN_MAX 240

/* What is wanted: plain data, also on the wire between engine and supervisor. */
struct gate_listen_wish {
    struct gate_addr addr;
    uint32_t nth;           /* of wishes with the same address (port 0 may stand twice) */
    uint32_t sockets;       /* 1 for Unix sockets */
    int32_t mode;           /* -1: umask */
    int32_t backlog;        /* 0: the system's */
};

/* An address and its sockets. In an engine under a supervisor the descriptors are duplicates. */
struct gate_listen_point {
    struct gate_list node;
    struct gate_listen_wish wish;
    struct gate_addr bound;     /* with the port that port 0 got */
    uint32_t n;
    int fds[GATE_LISTEN_MAX];
    bool asked;                 /* supervisor: since the present engine started */
    bool wanted;                /* engine: by the generation that serves */
    _Atomic uint32_t users;     /* engine: acceptors on these sockets, of all workers */
};

struct gate_listen_set {
    struct gate_list points;
};

void gate_listen_set_init(struct gate_listen_set *set);

/* Closes everything; files of Unix sockets are removed. */
void gate_listen_set_fini(struct gate_listen_set *set);

/* The point of a wish, opened if there is none. GATE_E_SYS, GATE_E_EXISTS: errno says why not;
 * nothing is left open. */
enum gate_err gate_listen_set_get(struct gate_listen_set *set, const struct gate_listen_wish *wish,
                                  struct gate_listen_point **out);

/* The point of a wish, or NULL. */
struct gate_listen_point *gate_listen_set_find(struct gate_listen_set *set,
                                               const struct gate_listen_wish *wish);

/* A point whose sockets somebody else has opened; they are the set's from now on.
 * n <= GATE_LISTEN_MAX. */
struct gate_listen_point *gate_listen_set_add(struct gate_listen_set *set,
                                              const struct gate_listen_wish *wish,
                                              const struct gate_addr *bound, const int *fds,
                                              uint32_t n);

/* Closes one point and removes the file of a Unix socket. Clears the pointer. */
void gate_listen_set_drop(struct gate_listen_point **point);

/* The same, but the file stays: its owner is another process. */
void gate_listen_set_release(struct gate_listen_point **point);

/* Sockets of a TCP address for W workers: the smallest multiple of W that is at least the
 * processors allowed to this process. */
uint32_t gate_listen_sockets(uint32_t workers, uint32_t processors);

/* One line about a failed listen, with what mends it. */
void gate_listen_explain(const struct gate_addr *addr, int sys_errno, char *to, size_t cap);

#endif
