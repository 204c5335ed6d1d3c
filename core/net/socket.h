/* Sockets: opening, options and naming; every descriptor is non-blocking and close-on-exec. No
 * state. */
#ifndef GATE_NET_SOCKET_H
#define GATE_NET_SOCKET_H

#include "base/addr.h"
#include "base/err.h"

/* Listening TCP socket with SO_REUSEADDR, SO_REUSEPORT, TCP_DEFER_ACCEPT off; IPv6 any is dual
 * stack. *fd is the caller's. GATE_E_SYS: errno says why. backlog 0: the system's limit. */
enum gate_err gate_socket_listen(const struct gate_addr *addr, int backlog, int *fd);

/* Listening Unix socket; a stale file (nobody accepts) is replaced, a live one is GATE_E_EXISTS.
 * mode -1: umask decides. */
enum gate_err gate_socket_listen_unix(const struct gate_addr *addr, int mode, int backlog, int *fd);

/* Accepts one. GATE_E_AGAIN: none there. GATE_E_LIMIT: EMFILE, ENFILE, ENOBUFS, ENOMEM: pause.
 * GATE_E_RESET: that one is lost, the next may be fine; so may be none, for ever. GATE_E_SYS: none
 * can be accepted. errno says why. */
enum gate_err gate_socket_accept(int listener, int *fd, struct gate_addr *peer);

/* Starts a connect; GATE_OK done at once, GATE_E_AGAIN in progress (writable tells), other
 * errors with *fd closed; GATE_E_LIMIT: there are no descriptors, and nobody was asked. TCP_NODELAY
 * is set. */
enum gate_err gate_socket_connect(const struct gate_addr *addr, int *fd);

/* Result of a connect in progress: GATE_OK, GATE_E_AGAIN or the failure (errno set). */
enum gate_err gate_socket_connected(int fd);
void gate_socket_nodelay(int fd);

/* Bytes the kernel still holds of what was sent (SIOCOUTQ); 0 when unknown. */
size_t gate_socket_unsent(int fd);

/* Local address of a socket (the port that port 0 got). */
enum gate_err gate_socket_name(int fd, struct gate_addr *out);

#endif
