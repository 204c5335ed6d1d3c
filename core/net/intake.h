/* Intake: the blocks that a connection is read into whose bytes are taken at once (HTTP/2): small
 * reads share a block, and reads that come back full get more of them. One thread; embedded. */
#ifndef GATE_NET_INTAKE_H
#define GATE_NET_INTAKE_H

#include "net/conn.h"

struct gate_intake {
    struct gate_block *block; /* the next read begins in it; NULL: in a new one */
    uint8_t blocks;           /* how many the next read offers, less one */
};

/* Takes n bytes that lie in b. May not close the connection. */
typedef void gate_intake_fn(void *to, struct gate_block *b, const char *p, size_t n);

/* One read. GATE_OK: *n bytes were handed to fn; *full: they filled the space, and another read may
 * get more. Else what gate_conn_read says, or GATE_E_NOMEM. */
enum gate_err gate_intake_read(struct gate_intake *in, struct gate_conn *c, gate_intake_fn *fn,
                               void *to, size_t *n, bool *full);

/* Gives the block back: a connection that is idle holds none. */
void gate_intake_rest(struct gate_intake *in);

#endif
