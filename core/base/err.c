#include "base/err.h"

#include <errno.h>
#include <stddef.h>

static const char *const names[GATE_E_COUNT] = {
    [GATE_OK] = "ok",
    [GATE_E_AGAIN] = "again",
    [GATE_E_EOF] = "eof",
    [GATE_E_RESET] = "reset",
    [GATE_E_SYS] = "system",
    [GATE_E_NOMEM] = "nomem",
    [GATE_E_LIMIT] = "limit",
    [GATE_E_TIMEOUT] = "timeout",
    [GATE_E_CANCELLED] = "cancelled",
    [GATE_E_SYNTAX] = "syntax",
    [GATE_E_INVALID] = "invalid",
    [GATE_E_NOTFOUND] = "not_found",
    [GATE_E_EXISTS] = "exists",
    [GATE_E_REFUSED] = "refused",
    [GATE_E_RESOLVE] = "resolve",
    [GATE_E_TLS] = "tls",
    [GATE_E_CLOSED] = "closed",
    [GATE_E_SCRIPT] = "script",
    [GATE_E_KILLED] = "killed",
};

static const char *const texts[GATE_E_COUNT] = {
    [GATE_OK] = "no error",
    [GATE_E_AGAIN] = "the operation would block",
    [GATE_E_EOF] = "the peer ended the connection",
    [GATE_E_RESET] = "the peer cut the connection",
    [GATE_E_SYS] = "the system refused the operation",
    [GATE_E_NOMEM] = "there is no memory within the limits",
    [GATE_E_LIMIT] = "a configured limit is reached",
    [GATE_E_TIMEOUT] = "the deadline passed",
    [GATE_E_CANCELLED] = "the operation was cancelled",
    [GATE_E_SYNTAX] = "the syntax is wrong",
    [GATE_E_INVALID] = "the value is not allowed here",
    [GATE_E_NOTFOUND] = "there is no such name",
    [GATE_E_EXISTS] = "the name is taken",
    [GATE_E_REFUSED] = "the peer refused the connection",
    [GATE_E_RESOLVE] = "the name has no address",
    [GATE_E_TLS] = "there is no TLS with the peer",
    [GATE_E_CLOSED] = "it was used after its end",
    [GATE_E_SCRIPT] = "a script raised an error",
    [GATE_E_KILLED] = "a script was stopped for its budget",
};

const char *gate_err_name(enum gate_err e)
{
    if ((unsigned)e >= GATE_E_COUNT || names[e] == NULL)
        return "unknown";
    return names[e];
}

const char *gate_err_text(enum gate_err e)
{
    if ((unsigned)e >= GATE_E_COUNT || texts[e] == NULL)
        return "an unknown error";
    return texts[e];
}

enum gate_err gate_err_from_errno(int sys_errno)
{
    switch (sys_errno) {
    case 0:
        return GATE_OK;
    case EAGAIN:
#if EWOULDBLOCK != EAGAIN
    case EWOULDBLOCK:
#endif
    case EINTR:
    case EINPROGRESS:
    case EALREADY:
        return GATE_E_AGAIN;
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
        return GATE_E_RESET;
    case ECONNREFUSED:
        return GATE_E_REFUSED;
    case ETIMEDOUT:
        return GATE_E_TIMEOUT;
    case ENOMEM:
    case ENOBUFS:
        return GATE_E_NOMEM;
    case EMFILE:
    case ENFILE:
        return GATE_E_LIMIT;
    case ECANCELED:
        return GATE_E_CANCELLED;
    case ENOENT:
        return GATE_E_NOTFOUND;
    case EEXIST:
    case EADDRINUSE:
        return GATE_E_EXISTS;
    case EBADF:
        return GATE_E_CLOSED;
    default:
        return GATE_E_SYS;
    }
}
