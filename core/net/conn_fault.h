/* Fault conn: a kind of conn that is as unkind as the network may be: short reads and writes,
 * would-block in every state, an errno at a chosen call. Debug builds only use it when
 * GATE_FAULT is set in the environment; tests wrap conns directly. One thread. */
#ifndef GATE_NET_CONN_FAULT_H
#define GATE_NET_CONN_FAULT_H

#include "net/conn.h"

struct gate_fault_plan {
    uint32_t max_bytes;     /* of one read or write; 0: no limit */
    bool again_after_each;  /* GATE_E_AGAIN after every successful operation */
    uint32_t fail_at;       /* this operation (counted from 1) fails; 0: none */
    int fail_errno;
    uint32_t calls;         /* operations so far */
    bool again_read;        /* state: the next read answers GATE_E_AGAIN */
    bool again_write;
};

/* Turns an open plain conn into a faulty one; the plan is the caller's and outlives the conn. */
void gate_conn_fault_wrap(struct gate_conn *c, struct gate_fault_plan *plan);

extern const struct gate_conn_ops gate_conn_faulty;

#endif
