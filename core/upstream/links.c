/* Shelves are per peer, most recently used first: a warm connection is taken before a cold one, and
 * the oldest idle out at the end. */
#include "upstream/links.h"

#include "base/assert.h"
#include "http/proxy_header.h"
#include "net/socket.h"

struct gate_links *gate_links_new(struct gate_loop *loop, struct gate_counters *counters)
{
    struct gate_links *links = gate_calloc(1, sizeof(*links));

    links->loop = loop;
    links->counters = counters;
    gate_slab_init(&links->slab, "link", sizeof(struct gate_link));
    gate_slab_init(&links->h2_slab, "h2 link", sizeof(struct gate_link_h2));
    gate_list_init(&links->live);
    gate_list_init(&links->locals);
    return links;
}

static struct gate_link *link_at(struct gate_list *n)
{
    return gate_container_of(n, struct gate_link, node);
}

static void close_all(struct gate_list *list, enum gate_close_reason why)
{
    while (!gate_list_empty(list)) {
        struct gate_link *l = link_at(list->next);

        gate_links_close(&l, why);
    }
}

static void drop_shelves(struct gate_upstream_local *local)
{
    uint32_t n = local->set == NULL ? 0 : local->set->n;

    for (uint32_t i = 0; i < n; i++) {
        close_all(&local->shelves[i].idle, GATE_CLOSE_LINK_IDLE);
        close_all(&local->shelves[i].shared, GATE_CLOSE_DRAIN);
    }
    gate_free(local->shelves);
    local->shelves = NULL;
}

static void local_free(struct gate_upstream_local *local)
{
    drop_shelves(local);
    gate_peer_set_unref(&local->set);
    gate_balance_state_fini(&local->balance);
    gate_free(local);
}

void gate_links_free(struct gate_links **links)
{
    struct gate_links *x = *links;
    struct gate_list *n;

    if (x == NULL)
        return;
    while ((n = gate_list_pop(&x->locals)) != NULL)
        local_free(gate_container_of(n, struct gate_upstream_local, node));
    while (!gate_list_empty(&x->live)) {
        struct gate_link *l = gate_container_of(x->live.next, struct gate_link, node);

        gate_links_close(&l, GATE_CLOSE_DRAIN);
    }
    gate_h2_pool_free(&x->h2_pool);
    gate_slab_fini(&x->h2_slab);
    gate_slab_fini(&x->slab);
    gate_free(x->table);
    gate_free(x);
    *links = NULL;
}

static uint32_t slot_of(const struct gate_links *links, const struct gate_upstream *u)
{
    uint64_t h = (uint64_t)(uintptr_t)u * 0x9e3779b97f4a7c15ull;

    return (uint32_t)(h >> 32) & (links->table_cap - 1);
}

static void table_put(struct gate_links *links, struct gate_upstream_local *local)
{
    uint32_t i = slot_of(links, local->upstream);

    while (links->table[i] != NULL)
        i = (i + 1) & (links->table_cap - 1);
    links->table[i] = local;
}

static void table_grow(struct gate_links *links)
{
    gate_free(links->table);
    links->table_cap = links->table_cap == 0 ? 16 : links->table_cap * 2;
    links->table = gate_calloc(links->table_cap, sizeof(*links->table));
    for (struct gate_list *n = links->locals.next; n != &links->locals; n = n->next)
        table_put(links, gate_container_of(n, struct gate_upstream_local, node));
}

static struct gate_shelf *shelf_of(struct gate_upstream_local *local, const struct gate_peer *peer)
{
    for (uint32_t i = 0; i < local->set->n; i++) {
        if (local->shelves[i].peer == peer)
            return &local->shelves[i];
    }
    return NULL;
}

/* The peer is gone: what is on the link ends in peace, and nothing new comes. */
static void let_go(struct gate_link *l)
{
    l->keep = false;
    if (l->idle)
        gate_links_close(&l, GATE_CLOSE_LINK_IDLE);
    else
        gate_links_offer(l);
}

/* The peers changed: links to peers that stay move to the new shelves, the others are closed. */
static void take_set(struct gate_upstream_local *local)
{
    struct gate_peer_set *old = local->set;
    struct gate_shelf *shelves = local->shelves;
    uint32_t n = old == NULL ? 0 : old->n;

    local->version = gate_upstream_version(local->upstream);
    local->set = gate_upstream_peers(local->upstream);
    local->shelves = gate_calloc(local->set->n + 1, sizeof(*local->shelves));
    for (uint32_t i = 0; i < local->set->n; i++) {
        local->shelves[i].peer = local->set->v[i].peer;
        gate_list_init(&local->shelves[i].idle);
        gate_list_init(&local->shelves[i].shared);
    }
    for (uint32_t i = 0; i < n; i++) {
        struct gate_shelf *to = shelf_of(local, shelves[i].peer);

        if (to != NULL) {
            gate_list_splice(&to->idle, &shelves[i].idle);
            gate_list_splice(&to->shared, &shelves[i].shared);
        }
        close_all(&shelves[i].idle, GATE_CLOSE_LINK_IDLE);
        while (!gate_list_empty(&shelves[i].shared))
            let_go(link_at(shelves[i].shared.next));
    }
    gate_free(shelves);
    gate_peer_set_unref(&old);
}

static struct gate_upstream_local *local_new(struct gate_links *links, struct gate_upstream *u)
{
    struct gate_upstream_local *local = gate_calloc(1, sizeof(*local));

    local->upstream = u;
    gate_list_push(&links->locals, &local->node);
    links->table_n++;
    if (links->table_n * 2 > links->table_cap)
        table_grow(links);
    else
        table_put(links, local);
    take_set(local);
    return local;
}

struct gate_upstream_local *gate_links_local(struct gate_links *links, struct gate_upstream *u,
                                             const struct gate_upstream_config *config)
{
    struct gate_upstream_local *local = NULL;
    uint32_t i = links->table_cap == 0 ? 0 : slot_of(links, u);

    while (links->table_cap > 0 && (local = links->table[i]) != NULL && local->upstream != u)
        i = (i + 1) & (links->table_cap - 1);
    if (local == NULL)
        local = local_new(links, u);
    else if (local->version != gate_upstream_version(u))
        take_set(local);
    local->ops = gate_balance_ops_of(config->balance);
    /* A connection that speaks for one client is not lent to another. */
    local->idle_max = config->proxy_protocol != GATE_PROXY_NONE ? 0 : config->idle;
    local->idle_ms = config->idle_timeout_ms;
    local->max_requests = config->max_requests;
    local->max_age_ms = config->max_age_ms;
    local->budget_percent = config->budget_percent;
    return local;
}

#define RETRY_COST       1000
#define RETRY_PER_SECOND 10
#define RETRY_MAX        (100 * RETRY_COST)

void gate_local_count_request(struct gate_upstream_local *local)
{
    local->retry_milli += local->budget_percent * (RETRY_COST / 100);
    if (local->retry_milli > RETRY_MAX)
        local->retry_milli = RETRY_MAX;
}

bool gate_local_take_retry(struct gate_upstream_local *local, uint64_t now_ms)
{
    uint64_t passed = now_ms - local->retry_refill_ms;

    local->retry_refill_ms = now_ms;
    local->retry_milli += (passed > 10000 ? 10000 : passed) * RETRY_PER_SECOND;
    if (local->retry_milli > RETRY_MAX)
        local->retry_milli = RETRY_MAX;
    if (local->retry_milli < RETRY_COST)
        return false;
    local->retry_milli -= RETRY_COST;
    return true;
}

struct gate_h2_pool *gate_links_h2_pool(struct gate_links *links)
{
    if (links->h2_pool == NULL)
        links->h2_pool = gate_h2_pool_new();
    return links->h2_pool;
}

/* ------------------------------------------------------------------ taking */

static void occupy(struct gate_link *l)
{
    l->claims++;
    if (l->idle)
        l->local->idle--;
    l->idle = false;
    if (gate_link_room(l) == 0)
        gate_links_offer(l);
}

/* Those that have no room any more (too old, in doubt) are found out here, and leave. */
static struct gate_link *take_shared(struct gate_shelf *shelf, uint64_t after)
{
    struct gate_list *next;

    for (struct gate_list *n = shelf->shared.next; n != &shelf->shared; n = next) {
        struct gate_link *l = link_at(n);

        next = n->next;
        if (gate_link_room(l) == 0) {
            gate_links_offer(l);
        } else if (l->serial > after) {
            occupy(l);
            return l;
        }
    }
    return NULL;
}

static struct gate_link *take_idle(struct gate_links *links, struct gate_shelf *shelf)
{
    struct gate_link *l = link_at(gate_list_pop(&shelf->idle));

    l->shelved = l->idle = false;
    l->local->idle--;
    gate_list_push(&links->live, &l->node);
    return l;
}

struct gate_link *gate_links_take(struct gate_links *links, struct gate_upstream_local *local,
                                  struct gate_peer *peer, const struct gate_link_want *want)
{
    struct gate_shelf *shelf = want->alone ? NULL : shelf_of(local, peer);
    struct gate_link *l = NULL;

    if (shelf == NULL)
        return NULL;
    if (GATE_UNLIKELY(want->http2 != GATE_HTTP2_NEVER))
        l = take_shared(shelf, want->after);
    if (l == NULL && want->http2 != GATE_HTTP2_ALWAYS && want->after == 0 &&
        !gate_list_empty(&shelf->idle))
        l = take_idle(links, shelf);
    if (l != NULL && l->requests > 0)
        gate_counters_add(links->counters, GATE_C_LINKS_REUSED, 1);
    return l;
}

enum gate_err gate_links_dial(struct gate_links *links, struct gate_upstream_local *local,
                              struct gate_peer *peer, const struct gate_link_want *want,
                              struct gate_link **out)
{
    struct gate_link *l;
    int fd = -1;
    enum gate_err e = gate_socket_connect(&peer->addr, &fd);

    if (e != GATE_OK && e != GATE_E_AGAIN)
        return e;
    l = gate_slab_take(&links->slab);
    gate_link_init(l, links->loop, fd);
    l->links = links;
    l->local = local;
    l->peer = peer;
    l->serial = ++links->serial;
    l->http2 = want->http2;
    l->claims = want->http2 != GATE_HTTP2_NEVER;
    l->alone = want->alone;
    gate_peer_ref(peer);
    atomic_fetch_add_explicit(&peer->connections, 1, memory_order_relaxed);
    gate_counters_add(links->counters, GATE_C_LINKS_OPENED, 1);
    gate_list_push(&links->live, &l->node);
    *out = l;
    if (e == GATE_OK) {
        gate_link_ready(l, l->http2 == GATE_HTTP2_ALWAYS ? GATE_LINK_H2 : GATE_LINK_H1);
        gate_links_offer(l);
        return GATE_OK;
    }
    gate_links_offer(l);
    gate_conn_want_write(&l->conn);
    gate_deadline_set(
        links->loop, &l->deadline,
        want->connect_ms == 0 ? UINT64_MAX : gate_loop_now(links->loop) + want->connect_ms);
    return GATE_E_AGAIN;
}

/* ------------------------------------------------------------------ putting */

bool gate_links_worn(const struct gate_link *l)
{
    const struct gate_upstream_local *local = l->local;

    if (local->max_requests > 0 && l->requests + l->claims >= local->max_requests)
        return true;
    return local->max_age_ms > 0 &&
           gate_loop_now(l->conn.loop) - l->born_ms >= local->max_age_ms;
}

/* The one of two idle links that has been so for longer; a may be NULL. */
static struct gate_link *older(struct gate_link *a, struct gate_link *b)
{
    return a == NULL || b->deadline.at_ms < a->deadline.at_ms ? b : a;
}

/* The link that has been idle the longest, over all shelves of the upstream. */
static void close_oldest(struct gate_upstream_local *local)
{
    struct gate_link *oldest = NULL;

    for (uint32_t i = 0; i < local->set->n; i++) {
        struct gate_shelf *shelf = &local->shelves[i];

        if (!gate_list_empty(&shelf->idle))
            oldest = older(oldest, link_at(shelf->idle.prev));
        for (struct gate_list *n = shelf->shared.next; n != &shelf->shared; n = n->next)
            if (link_at(n)->idle)
                oldest = older(oldest, link_at(n));
    }
    if (oldest != NULL)
        gate_links_close(&oldest, GATE_CLOSE_LINK_IDLE);
}

void gate_links_put(struct gate_link *l)
{
    struct gate_upstream_local *local = l->local;
    struct gate_shelf *shelf = NULL;

    gate_link_h1_settle(l);
    if (gate_link_h1_clean(l) && local->idle_max > 0 && !gate_links_worn(l))
        shelf = shelf_of(local, l->peer);
    if (shelf == NULL) {
        gate_links_close(&l, l->keep ? GATE_CLOSE_ASKED : GATE_CLOSE_LINK_ENDED);
        return;
    }
    gate_list_remove(&l->node);
    gate_list_push_front(&shelf->idle, &l->node);
    l->shelved = l->idle = true;
    gate_link_h1_park(l, local->idle_ms);
    if (++local->idle > local->idle_max)
        close_oldest(local);
}

void gate_links_offer(struct gate_link *l)
{
    struct gate_shelf *shelf = gate_link_room(l) > 0 ? shelf_of(l->local, l->peer) : NULL;

    if (l->shelved == (shelf != NULL))
        return;
    l->shelved = shelf != NULL;
    gate_list_remove(&l->node);
    gate_list_push_front(l->shelved ? &shelf->shared : &l->links->live, &l->node);
}

void gate_links_rest(struct gate_link *l, enum gate_close_reason why)
{
    struct gate_upstream_local *local = l->local;
    uint32_t idle_ms = local->idle_ms;

    gate_links_offer(l);
    if (!l->shelved || local->idle_max == 0) {
        gate_links_close(&l, why);
        return;
    }
    if (l->idle)
        return;
    gate_deadline_set(l->links->loop, &l->deadline,
                      idle_ms == 0 ? UINT64_MAX : gate_loop_now(l->links->loop) + idle_ms);
    l->idle = true;
    if (++local->idle > local->idle_max)
        close_oldest(local);
}

void gate_links_close(struct gate_link **link, enum gate_close_reason why)
{
    struct gate_link *l = *link;
    struct gate_links *links;

    *link = NULL;
    if (l == NULL)
        return;
    links = l->links;
    if (l->idle)
        l->local->idle--;
    gate_list_remove(&l->node);
    gate_deadline_stop(links->loop, &l->deadline);
    if (GATE_UNLIKELY(l->h2 != NULL))
        gate_link_h2_leave(l);
    gate_conn_close(&l->conn);
    gate_link_h2_fini(l);
    gate_link_h1_fini(l);
    atomic_fetch_sub_explicit(&l->peer->connections, 1, memory_order_relaxed);
    gate_peer_unref(&l->peer);
    gate_counters_add(links->counters, GATE_C_LINKS_CLOSED, 1);
    gate_counters_close(links->counters, why);
    l->magic = 0;
    gate_slab_give(&links->slab, l);
}
