/* Mailboxes: messages between threads. Any thread posts, the owner's loop receives; a message
 * owns what it carries. Lock-free push (C11 atomics), one ev_async; thread-safe as said. */
#ifndef GATE_NET_MAILBOX_H
#define GATE_NET_MAILBOX_H

#include <ev.h>
#include <stdatomic.h>

#include "net/loop.h"

struct gate_mail {
    struct gate_mail *next;
    /* Runs on the receiver's loop (never nested in a script); owns the mail and frees it. */
    void (*deliver)(struct gate_mail *m, void *receiver);
};

struct gate_mailbox {
    _Atomic(struct gate_mail *) head;
    struct ev_async async;
    struct gate_ready ready;
    struct gate_loop *loop;
    void *receiver;
};

/* On the owner's thread. */
void gate_mailbox_open(struct gate_mailbox *box, struct gate_loop *loop, void *receiver);

/* Delivers what is left, then closes. Nobody may post any more. */
void gate_mailbox_close(struct gate_mailbox *box);

/* From any thread. Order is kept per sender. */
void gate_mailbox_post(struct gate_mailbox *box, struct gate_mail *m);

#endif
