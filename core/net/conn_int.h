/* What kinds of conn share. Private to net. */
#ifndef GATE_NET_CONN_INT_H
#define GATE_NET_CONN_INT_H

#include "net/conn.h"

/* errno of a failed call on a connected socket as a conn's result. */
enum gate_err gate_conn_error(int sys_errno);

#endif
