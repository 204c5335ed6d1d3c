/* Broker: where an engine gets from what outlives it, its listening sockets and what engines leave
 * to the next (dictionaries, bundles); one interface, two back ends: the supervisor
 * (broker_remote.c), or the process itself (broker_local.c). Control thread only. */
#ifndef GATE_RUN_BROKER_H
#define GATE_RUN_BROKER_H

#include "net/loop.h"
#include "run/listen_set.h"
#include "run/wire.h"

struct gate_broker;

struct gate_broker_ops {
    enum gate_err (*listen)(struct gate_broker *b, const struct gate_listen_wish *wish,
                            struct gate_listen_point **out);
    void (*forget)(struct gate_broker *b, struct gate_listen_point **point);
    void (*ready)(struct gate_broker *b, uint32_t drain_ms);
    void (*keep)(struct gate_broker *b, const struct gate_store_name *name, int fd);
    void (*drop)(struct gate_broker *b, const struct gate_store_name *name);
    int (*kept)(struct gate_broker *b, uint32_t i, struct gate_store_name *name);
    void (*free)(struct gate_broker *b);
};

struct gate_broker {
    const struct gate_broker_ops *ops;
    struct gate_listen_set set;     /* what this process holds */
    bool lasts;                     /* what it keeps is there for later engines */
};

/* The sockets of a wish, the same point as long as it is not forgotten. Waits for the
 * supervisor, at most 5 s. GATE_E_SYS, GATE_E_EXISTS: errno says why it cannot be had. */
static inline enum gate_err gate_broker_listen(struct gate_broker *b,
                                               const struct gate_listen_wish *wish,
                                               struct gate_listen_point **out)
{
    return b->ops->listen(b, wish, out);
}

/* Nobody watches the point's sockets any more: closes them, the owner's first, so that the last
 * close is one that every epoll set sees. Clears the pointer. */
static inline void gate_broker_forget(struct gate_broker *b, struct gate_listen_point **point)
{
    b->ops->forget(b, point);
}

/* The engine serves. Addresses that it has not asked for are closed by their owner. */
static inline void gate_broker_ready(struct gate_broker *b, uint32_t drain_ms)
{
    b->ops->ready(b, drain_ms);
}

/* Memory that later engines are to have too; the descriptor stays the caller's. */
static inline void gate_broker_keep(struct gate_broker *b, const struct gate_store_name *name,
                                    int fd)
{
    b->ops->keep(b, name, fd);
}

/* No engine needs it any more. */
static inline void gate_broker_drop(struct gate_broker *b, const struct gate_store_name *name)
{
    b->ops->drop(b, name);
}

/* The i-th piece that an earlier engine has left: a descriptor, which is the caller's, or -1. */
static inline int gate_broker_kept(struct gate_broker *b, uint32_t i,
                                   struct gate_store_name *name)
{
    return b->ops->kept(b, i, name);
}

/* Closes what is left. Clears the pointer. */
static inline void gate_broker_free(struct gate_broker **b)
{
    struct gate_broker *x = *b;

    *b = NULL;
    if (x != NULL)
        x->ops->free(x);
}

struct gate_broker *gate_broker_local_new(void);

/* What the supervisor orders: GATE_WIRE_DRAIN, QUIT, RELOAD, REOPEN. */
typedef void gate_broker_command(void *arg, enum gate_wire_kind command);

/* `fd` is the engine's end of the pair, non-blocking, taken over. When the supervisor is gone
 * `orphaned` is called once, and the process is its own broker from then on. Both are called from
 * the loop. */
struct gate_broker *gate_broker_remote_new(struct gate_loop *loop, int fd,
                                           gate_broker_command *command,
                                           void (*orphaned)(void *arg), void *arg);

#endif
