/* Wire: what supervisor and engine tell each other, over a socket pair that keeps messages whole
 * (SOCK_SEQPACKET), listening sockets and memory that outlives engines passed along. No state. */
#ifndef GATE_RUN_WIRE_H
#define GATE_RUN_WIRE_H

#include "run/listen_set.h"
#include "run/store.h"

enum gate_wire_kind {
    /* From the engine. Each answer repeats the number of its question. */
    GATE_WIRE_LISTEN,       /* wish; answered by SOCKETS */
    GATE_WIRE_FORGET,       /* wish: nobody accepts there any more; answered by FORGOTTEN */
    GATE_WIRE_READY,        /* it serves; number: the drain limit in ms */
    GATE_WIRE_KEEP,         /* memory, with its descriptor: to be handed to later engines */
    GATE_WIRE_DROP,         /* memory: nobody uses it any more */
    GATE_WIRE_KEPT,         /* number: which one; answered by MEMORY */
    GATE_WIRE_HEARD,        /* number of RELOADs: they are the engine's from now on */
    /* From the supervisor. */
    GATE_WIRE_SOCKETS,      /* err, sys_errno; bound and the descriptors, as many as wish.sockets */
    GATE_WIRE_FORGOTTEN,
    GATE_WIRE_MEMORY,       /* err GATE_E_NOTFOUND: there are no more; memory and the descriptor */
    GATE_WIRE_DRAIN,
    GATE_WIRE_QUIT,
    GATE_WIRE_RELOAD,
    GATE_WIRE_REOPEN
};

struct gate_wire {
    uint32_t kind;
    int32_t err;            /* enum gate_err */
    int32_t sys_errno;
    uint32_t number;
    struct gate_listen_wish wish;
    struct gate_addr bound;
    struct gate_store_name memory;
};

/* Sends with n descriptors, which stay the caller's. Waits, a second at most, while the pair is
 * full or there is no memory. GATE_E_RESET: the other side is gone. */
enum gate_err gate_wire_send(int fd, const struct gate_wire *m, const int *fds, uint32_t n);

/* Receives one; the descriptors (at most GATE_LISTEN_MAX, close-on-exec) are the caller's. With a
 * non-blocking socket GATE_E_AGAIN; GATE_E_EOF when the other side is gone. */
enum gate_err gate_wire_receive(int fd, struct gate_wire *m, int fds[GATE_LISTEN_MAX],
                                uint32_t *n);

#endif
