/* Errors: every result of a core function that can fail, named and worded once. */
#ifndef GATE_BASE_ERR_H
#define GATE_BASE_ERR_H

/* Zero is success. GATE_E_AGAIN means "would block"; it is a state, never logged. */
enum gate_err {
    GATE_OK = 0,
    GATE_E_AGAIN,     /* would block; retried when the loop says so */
    GATE_E_EOF,       /* the peer ended its side in order */
    GATE_E_RESET,     /* the peer cut the connection (ECONNRESET, EPIPE) */
    GATE_E_SYS,       /* another system error; errno says which */
    GATE_E_NOMEM,     /* no memory within the limits */
    GATE_E_LIMIT,     /* a configured limit is reached */
    GATE_E_TIMEOUT,   /* the deadline passed */
    GATE_E_CANCELLED, /* the waiter gave up */
    GATE_E_SYNTAX,    /* bytes that do not follow the grammar */
    GATE_E_INVALID,   /* a value that is not allowed here */
    GATE_E_NOTFOUND,  /* no such name */
    GATE_E_EXISTS,    /* the name is taken */
    GATE_E_REFUSED,   /* the peer refused (ECONNREFUSED) */
    GATE_E_RESOLVE,   /* the name has no address */
    GATE_E_CLOSED,    /* used after its end */
    GATE_E_SCRIPT,    /* a script raised an error */
    GATE_E_KILLED,    /* a script was stopped for its budget */
    GATE_E_TLS,       /* no TLS with the peer, or it is not believed */
    GATE_E_COUNT
};

/* Short stable name ("timeout"), for logs and metrics. Never NULL. */
const char *gate_err_name(enum gate_err e);

/* A sentence part for people ("the deadline passed"). Never NULL. */
const char *gate_err_text(enum gate_err e);

/* Maps errno to an error; EAGAIN, EINTR and EINPROGRESS become GATE_E_AGAIN. */
enum gate_err gate_err_from_errno(int sys_errno);

#endif
