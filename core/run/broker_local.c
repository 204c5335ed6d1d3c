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

static void local_free(struct gate_broker *b)
{
    gate_listen_set_fini(&b->set);
    gate_free(b);
}

static const struct gate_broker_ops local_ops = {
    .listen = local_listen,
    .forget = local_forget,
    .ready = local_ready,
    .free = local_free,
};

struct gate_broker *gate_broker_local_new(void)
{
    struct gate_broker *b = gate_calloc(1, sizeof(*b));

    b->ops = &local_ops;
    gate_listen_set_init(&b->set);
    return b;
}
