/* Memory: the shared dictionaries of an engine, and the broker, which keeps them for the next. */
#include "run/engine_int.h"

static void on_keep(void *engine, struct gate_str name, uint64_t bytes, int fd)
{
    struct gate_engine *e = engine;
    struct gate_store_name n = gate_store_name_of(name, bytes);

    gate_broker_keep(e->broker, &n, fd);
}

static void on_drop(void *engine, struct gate_str name, uint64_t bytes)
{
    struct gate_engine *e = engine;
    struct gate_store_name n = gate_store_name_of(name, bytes);

    gate_broker_drop(e->broker, &n);
}

void gate_memory_settle(struct gate_engine *e)
{
    static const struct gate_shared_keeper keeper = { .keep = on_keep, .drop = on_drop };

    /* The end of the engine: what is kept stays so. */
    if (e->broker == NULL)
        return;
    gate_shared_settle(e->shared, &keeper, e);
}

void gate_memory_adopt(struct gate_engine *e)
{
    struct gate_store_name n;
    int fd;

    for (uint32_t i = 0; (fd = gate_broker_kept(e->broker, i, &n)) >= 0; i++) {
        struct gate_str name = gate_str_of(n.name, n.n);
        uint64_t drops = 0;

        if (gate_shared_adopt(e->shared, fd, name, n.bytes, &drops) != GATE_OK)
            gate_logf(&e->log, GATE_LOG_WARN, "dictionary '%.*s' is of another version: it begins "
                      "anew", (int)name.n, name.p);
        else if (drops > 0)
            gate_logf(&e->log, GATE_LOG_WARN, "dictionary '%.*s': %llu of its parts were being "
                      "changed when the engine died, and begin anew", (int)name.n, name.p,
                      (unsigned long long)drops);
    }
}
