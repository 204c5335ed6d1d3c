/* Peers as balance hooks see them, and the one they choose. */
#include "flow/flow_int.h"
#include "script/ffi_api.h"

/* The server as declared, without its port. */
static struct gate_str host_of(const struct gate_peer *p)
{
    struct gate_str s = gate_str_from_cstr(p->name);
    size_t n = s.n;

    if (gate_str_starts(s, GATE_STR("unix:")))
        return s;
    while (n > 0 && s.p[n - 1] != ':')
        n--;
    return n > 1 ? gate_str_of(s.p, n - 1) : s;
}

/* Strings are the peer's, which the worker's set keeps while the exchange is at this upstream; the
 * copies live as long as the exchange. */
static void view(struct gate_exchange *x, const struct gate_peer_entry *e, bool may,
                 struct gate_peer_view *v)
{
    const struct gate_peer *p = e->peer;
    struct gate_str address = gate_arena_copy(&x->arena, gate_str_from_cstr(p->text));
    struct gate_str host = gate_arena_copy(&x->arena, host_of(p));
    struct gate_str zone = gate_arena_copy(&x->arena, e->zone);

    *v = (struct gate_peer_view){
        .address = address.p,
        .address_n = (uint32_t)address.n,
        .host = host.p,
        .host_n = (uint32_t)host.n,
        .zone = zone.p,
        .zone_n = (uint32_t)zone.n,
        .port = gate_addr_port(&p->addr),
        .weight = (int32_t)e->weight,
        .healthy = !gate_peer_is_down(p, gate_loop_now(&x->worker->loop)),
        .may = may,
        .active = (int32_t)gate_peer_active(p),
        .requests = (double)gate_peer_requests(p),
        .latency = (double)gate_peer_latency_us(p) / 1e6,
    };
}

uint32_t gate_flow_peers(struct gate_exchange *x, const struct gate_peer_view **v)
{
    struct gate_flow_state *f = x->flow;
    struct gate_peer_view *views;
    const bool *may;
    uint32_t n;

    if (f->local == NULL)
        return 0;
    n = f->local->set->n;
    may = gate_balance_may(&f->local->balance, f->local->set, gate_loop_now(&x->worker->loop),
                           (const struct gate_peer *const *)f->tried, f->n_tried);
    views = gate_arena_alloc(&x->arena, (n + 1) * sizeof(*views));
    for (uint32_t i = 0; i < n; i++)
        view(x, &f->local->set->v[i], may != NULL && may[i], &views[i]);
    *v = views;
    return n;
}

static struct gate_peer *peer_of(const struct gate_peer_set *set, struct gate_str address)
{
    for (uint32_t i = 0; i < set->n; i++)
        if (gate_str_eq(gate_str_from_cstr(set->v[i].peer->text), address))
            return set->v[i].peer;
    return NULL;
}

/* Of a server as it was declared ("app.test:80") the first address that may take the request, or
 * else the first. */
static struct gate_peer *peer_named(struct gate_exchange *x, struct gate_str name)
{
    struct gate_flow_state *f = x->flow;
    const struct gate_peer_set *set = f->local->set;
    const bool *may = gate_balance_may(&f->local->balance, set, gate_loop_now(&x->worker->loop),
                                       (const struct gate_peer *const *)f->tried, f->n_tried);
    struct gate_peer *first = NULL;

    for (uint32_t i = 0; i < set->n; i++) {
        struct gate_peer *p = set->v[i].peer;

        if (!gate_str_ieq(gate_str_from_cstr(p->name), name))
            continue;
        if (may != NULL && may[i])
            return p;
        if (first == NULL)
            first = p;
    }
    return first;
}

bool gate_flow_use_peer(struct gate_exchange *x, struct gate_str address)
{
    struct gate_flow_state *f = x->flow;
    struct gate_peer *p = f->local == NULL ? NULL : peer_of(f->local->set, address);

    if (p == NULL && f->local != NULL)
        p = peer_named(x, address);
    if (p != NULL)
        f->chosen = p;
    return p != NULL;
}
