#include "base/mem.h"
#include "run/broker.h"

static enum gate_err local_listen(struct gate_broker *b, const struct gate_listen_wish *wish,
                                  struct gate_listen_point **out)
{
    return gate_listen_set_get(&b->set, wish, out);
}

static void local_forget(struct gate_broker *b, struct gate_listen_point **point)
{
    (void)b;
    gate_listen_set_drop(point);
}

static void local_ready(struct gate_broker *b, uint32_t drain_ms)
{
    (void)b;
    (void)drain_ms;
}

/* The process holds its memory itself, and nobody comes after it. */
static void local_keep(struct gate_broker *b, const struct gate_store_name *name, int fd)
{
    (void)b;
    (void)name;
    (void)fd;
}

static void local_drop(struct gate_broker *b, const struct gate_store_name *name)
{
    (void)b;
    (void)name;
}

static int local_kept(struct gate_broker *b, uint32_t i, struct gate_store_name *name)
{
    (void)b;
    (void)i;
    (void)name;
    return -1;
}

static void local_free(struct gate_broker *b)
{
    gate_listen_set_fini(&b->set);
    gate_free(b);
}

static const struct gate_broker_ops local_ops = {
    .listen = local_listen,
    .forget = local_forget,
    .ready = local_ready,
    .keep = local_keep,
    .drop = local_drop,
    .kept = local_kept,
    .free = local_free,
};

struct gate_broker *gate_broker_local_new(void)
{
    struct gate_broker *b = gate_calloc(1, sizeof(*b));

    b->ops = &local_ops;
    gate_listen_set_init(&b->set);
    return b;
}
