/* Lifetime of exchanges. Everything they point to is theirs (arena), counted (seat, peer, blocks)
 * or borrowed from what they pin. */
#include "exchange/exchange.h"

#include "base/assert.h"

#define EXCHANGE_MAGIC 0x45584348u

static void first_id(struct gate_worker *w)
{
    static const char hex[] = "0123456789abcdef";
    uint64_t prefix = w->id_prefix;

    for (int i = 0; i < 10; i++, prefix >>= 4)
        w->id[i] = hex[prefix & 15];
    memset(w->id + 10, '0', 10);
}

/* The worker's prefix and a number that counts on, as text. */
static void make_id(struct gate_worker *w, struct gate_exchange *x)
{
    char *p = w->id + sizeof(w->id) - 1;

    if (w->id[0] == '\0')
        first_id(w);
    for (; *p == 'f' && p >= w->id + 10; p--)
        *p = '0';
    if (p >= w->id + 10)
        *p = *p == '9' ? 'a' : (char)(*p + 1);
    memcpy(x->id, w->id, sizeof(w->id));
    x->id_len = sizeof(w->id);
}

struct gate_exchange *gate_exchange_new(struct gate_worker *w)
{
    struct gate_exchange *x = gate_slab_take(&w->exchange_slab);

    memset(x, 0, offsetof(struct gate_exchange, match.captures));
    x->magic = EXCHANGE_MAGIC;
    x->worker = w;
    x->handle = gate_handle_make(&w->exchanges, x);
    x->seat = gate_seat_ref(gate_worker_seat(w));
    gate_list_push(&w->live, &x->node);
    gate_arena_init(&x->arena, &w->loop.chunks);
    gate_list_init(&x->resume.node);
    gate_timer_init(&x->timer, NULL);
    x->upstream = GATE_NO_ORDINAL;
    x->times.begin = w->loop.now_ns;
    make_id(w, x);
    return x;
}

void gate_exchange_free(struct gate_exchange **ptr)
{
    struct gate_exchange *x = *ptr;
    struct gate_worker *w;

    *ptr = NULL;
    if (x == NULL)
        return;
    GATE_CHECK_MAGIC(x, EXCHANGE_MAGIC);
    GATE_ASSERT(x->attempt == NULL && x->hook == NULL && x->down == NULL);
    w = x->worker;
    x->magic = 0;
    gate_list_remove(&x->node);
    gate_ready_cancel(&x->resume);
    gate_loop_untimer(&w->loop, &x->timer);
    if (GATE_UNLIKELY(x->deadline != NULL))
        gate_loop_untimer(&w->loop, x->deadline);
    gate_pump_fini(&x->up);
    gate_pump_fini(&x->dn);
    gate_block_unref(&x->res.block);
    gate_block_unref(&x->head_block);
    gate_tls_info_unref(&x->tls);
    gate_peer_release(&x->peer, x->peer_share);
    gate_arena_clear(&x->arena);
    gate_handle_end(&w->exchanges, x->handle);
    gate_seat_unref(&x->seat);
    gate_slab_give(&w->exchange_slab, x);
}

void gate_exchange_fault(struct gate_exchange *x, enum gate_fault_code code, int status,
                         const char *why)
{
    if (x->fault != GATE_FAULT_NONE)
        return;
    x->fault = code;
    x->fault_status = status;
    x->fault_why = why;
    gate_counters_add(&x->worker->counters, GATE_C_FAULTS, 1);
}
