/* Memory: what outlives an engine in the hands of the broker: its shared dictionaries, the secrets
 * of its tickets, and its legacy (heir.c). */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "run/engine_int.h"
#include "run/sealed.h"

static void on_keep(void *engine, struct gate_str name, uint64_t bytes, int fd)
{
    struct gate_engine *e = engine;
    struct gate_store_name n = gate_store_name_of(GATE_STORE_DICT, name, bytes);

    gate_broker_keep(e->broker, &n, fd);
}

static void on_drop(void *engine, struct gate_str name, uint64_t bytes)
{
    struct gate_engine *e = engine;
    struct gate_store_name n = gate_store_name_of(GATE_STORE_DICT, name, bytes);

    gate_broker_drop(e->broker, &n);
}

void gate_memory_keep_tickets(struct gate_engine *e)
{
    struct gate_store_name name = gate_store_name_of(GATE_STORE_TICKETS, GATE_STR_NONE, 0);
    struct gate_tls_secrets secrets;
    int fd;

    if (!e->broker->lasts || !gate_tls_tickets_news(e->tickets, &secrets))
        return;
    if (gate_sealed_write(gate_str_of((const char *)&secrets, sizeof(secrets)), &fd) == GATE_OK) {
        gate_broker_keep(e->broker, &name, fd);
        close(fd);
    } else {
        gate_logf(&e->log, GATE_LOG_WARN, "the secrets of session tickets cannot be kept in "
                  "memory: %s; after a crash clients begin new sessions", strerror(errno));
    }
    explicit_bzero(&secrets, sizeof(secrets));
}

void gate_memory_settle(struct gate_engine *e)
{
    static const struct gate_shared_keeper keeper = { .keep = on_keep, .drop = on_drop };

    /* The end of the engine: what is kept stays so. */
    if (e->broker == NULL)
        return;
    gate_shared_settle(e->shared, &keeper, e);
    gate_memory_keep_tickets(e);
}

/* Takes over the descriptor. */
static void adopt_dictionary(struct gate_engine *e, const struct gate_store_name *n, int fd)
{
    struct gate_str name = gate_str_of(n->name, n->n);
    uint64_t drops = 0;

    if (gate_shared_adopt(e->shared, fd, name, n->number, &drops) != GATE_OK)
        gate_logf(&e->log, GATE_LOG_WARN, "dictionary '%.*s' is of another version: it begins "
                  "anew", (int)name.n, name.p);
    else if (drops > 0)
        gate_logf(&e->log, GATE_LOG_WARN, "dictionary '%.*s': %llu of its parts were being "
                  "changed when the engine died, and begin anew", (int)name.n, name.p,
                  (unsigned long long)drops);
}

static enum gate_err adopt_tickets(struct gate_engine *e, int fd)
{
    struct gate_tls_secrets secrets;
    enum gate_err err;
    char *bytes;
    size_t n;

    err = gate_sealed_read(fd, &bytes, &n);
    if (err != GATE_OK)
        return err;
    if (n == sizeof(secrets)) {
        memcpy(&secrets, bytes, n);
        gate_tls_tickets_adopt(e->tickets, &secrets);
        explicit_bzero(&secrets, n);
    } else {
        err = GATE_E_SYNTAX;
    }
    gate_sealed_free(bytes, n);
    return err;
}

void gate_memory_adopt(struct gate_engine *e)
{
    struct gate_legacy legacy;
    struct gate_store_name n;
    enum gate_err err;
    int fd;

    gate_legacy_init(&legacy);
    for (uint32_t i = 0; (fd = gate_broker_kept(e->broker, i, &n)) >= 0; i++) {
        if (n.kind == GATE_STORE_DICT) {
            adopt_dictionary(e, &n, fd);
            continue;
        }
        err = n.kind == GATE_STORE_TICKETS ? adopt_tickets(e, fd)
                                           : gate_legacy_add(&legacy, &n, fd);
        if (err != GATE_OK)
            gate_logf(&e->log, GATE_LOG_WARN, "what an engine has left cannot be read");
        close(fd);
    }
    gate_heir_enter(e, &legacy);
    gate_legacy_fini(&legacy);
}
