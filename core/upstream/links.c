/* Shelves are per peer, most recently used first: a warm connection is taken before a cold one.
 * What is not taken for long, or for a second beyond those that are kept, ends. */
#include "upstream/links.h"

#include "base/assert.h"
#include "http/proxy_header.h"

struct gate_links *gate_links_new(struct gate_loop *loop, struct gate_counters *counters,
                                  uint32_t worker)
{
    struct gate_links *links = gate_calloc(1, sizeof(*links));

    links->loop = loop;
    links->counters = counters;
    links->worker = worker;
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
        gate_tls_sessions_unref(&local->shelves[i].sessions);
    }
    gate_free(local->shelves);
    local->shelves = NULL;
}

static void local_free(struct gate_upstream_local *local)
{
    drop_shelves(local);
    gate_peer_set_unref(&local->set);
    gate_balance_state_fini(&local->balance);
    gate_upstream_unref(&local->upstream);
    gate_free(local);
}

void gate_links_free(struct gate_links **links)
{
    struct gate_links *x = *links;
    struct gate_list *n;

    if (x == NULL)
        return;
    close_all(&x->live, GATE_CLOSE_DRAIN);
    while ((n = gate_list_pop(&x->locals)) != NULL)
        local_free(gate_container_of(n, struct gate_upstream_local, node));
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

/* Those behind it move up, for a look-up ends at the first free place. */
static void table_remove(struct gate_links *links, const struct gate_upstream_local *local)
{
    uint32_t mask = links->table_cap - 1;
    uint32_t i = slot_of(links, local->upstream);
    struct gate_upstream_local *next;

    while (links->table[i] != local)
        i = (i + 1) & mask;
    links->table[i] = NULL;
    links->table_n--;
    while ((next = links->table[i = (i + 1) & mask]) != NULL) {
        links->table[i] = NULL;
        table_put(links, next);
    }
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
            to->sessions = shelves[i].sessions;
            shelves[i].sessions = NULL;
        }
        gate_tls_sessions_unref(&shelves[i].sessions);
        close_all(&shelves[i].idle, GATE_CLOSE_LINK_IDLE);
        while (!gate_list_empty(&shelves[i].shared))
            let_go(link_at(shelves[i].shared.next));
    }
    gate_free(shelves);
    gate_peer_set_unref(&old);
}

/* Looks at two in turn, each time that one comes: what has gone is never much more than what is
 * there. */
static void sweep(struct gate_links *links)
{
    for (int i = 0; i < 2 && !gate_list_empty(&links->locals); i++) {
        struct gate_upstream_local *local =
            gate_container_of(gate_list_pop(&links->locals), struct gate_upstream_local, node);

        gate_list_push(&links->locals, &local->node);
        if (!gate_upstream_gone(local->upstream))
            continue;
        if (local->version != gate_upstream_version(local->upstream))
            take_set(local);
        if (local->links > 0)
            continue;
        gate_list_remove(&local->node);
        table_remove(links, local);
        local_free(local);
    }
}

static struct gate_upstream_local *local_new(struct gate_links *links, struct gate_upstream *u)
{
    struct gate_upstream_local *local = gate_calloc(1, sizeof(*local));

    sweep(links);
    local->upstream = gate_upstream_ref(u);
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

static bool is_as(const struct gate_link *l, const struct gate_tls_client *tls)
{
    return l->tls == tls || gate_tls_client_same(l->tls, tls);
}

/* Those that have no room any more (too old, in doubt) are found out here, and leave. */
static struct gate_link *take_shared(struct gate_shelf *shelf, const struct gate_link_want *want)
{
    struct gate_list *next;

    for (struct gate_list *n = shelf->shared.next; n != &shelf->shared; n = next) {
        struct gate_link *l = link_at(n);

        next = n->next;
        if (gate_link_room(l) == 0) {
            gate_links_offer(l);
        } else if (l->serial > want->after && is_as(l, want->tls)) {
            occupy(l);
            return l;
        }
    }
    return NULL;
}

/* The one that was used last. What a server says unasked inside TLS is with us already, and would
 * pass for the next answer. */
static struct gate_link *find_idle(struct gate_shelf *shelf, const struct gate_tls_client *tls)
{
    struct gate_list *n = shelf->idle.next;

    while (n != &shelf->idle) {
        struct gate_link *l = link_at(n);

        n = n->next;
        if (!is_as(l, tls))
            continue;
        if (tls == NULL || l->conn.ops->pending(&l->conn) == 0 || gate_link_is_silent(l))
            return l;
        gate_links_close(&l, GATE_CLOSE_LINK_DIRTY);
    }
    return NULL;
}

static struct gate_link *take_idle(struct gate_links *links, struct gate_shelf *shelf,
                                   const struct gate_tls_client *tls)
{
    struct gate_link *l = find_idle(shelf, tls);

    if (l == NULL)
        return NULL;
    gate_list_remove(&l->node);
    l->shelved = l->idle = false;
    l->local->idle--;
    /* Its idle time ends here, not when the first bytes have left. */
    gate_deadline_set(links->loop, &l->deadline, UINT64_MAX);
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
        l = take_shared(shelf, want);
    if (l == NULL && want->http2 != GATE_HTTP2_ALWAYS && want->after == 0)
        l = take_idle(links, shelf, want->tls);
    if (l != NULL && l->requests > 0)
        gate_counters_add(links->counters, GATE_C_LINKS_REUSED, 1);
    return l;
}

struct gate_tls_sessions *gate_links_sessions(struct gate_upstream_local *local,
                                              const struct gate_peer *peer,
                                              struct gate_tls_client *tls)
{
    struct gate_shelf *shelf = shelf_of(local, peer);

    return shelf == NULL ? NULL : gate_tls_sessions_of(&shelf->sessions, tls);
}

struct gate_link *gate_links_make(struct gate_links *links, struct gate_upstream_local *local,
                                  struct gate_peer *peer, int fd)
{
    struct gate_link *l = gate_slab_take(&links->slab);

    gate_link_init(l, links->loop, fd);
    l->links = links;
    l->local = local;
    local->links++;
    l->peer = peer;
    l->serial = ++links->serial;
    l->share = gate_peer_hold(peer, links->worker);
    gate_peer_count_connections(l->share, 1);
    gate_counters_add(links->counters, GATE_C_LINKS_OPENED, 1);
    gate_list_push(&links->live, &l->node);
    return l;
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

/* How long the link that is put down now may lie there. Links beyond what is kept are no waste yet:
 * where more requests run at a time than that, each of them would be made anew at once. */
static uint32_t idle_ms_of(const struct gate_upstream_local *local)
{
    bool surplus = local->idle > local->idle_max;

    if (surplus && (local->idle_ms == 0 || local->idle_ms > GATE_LINK_SURPLUS_MS))
        return GATE_LINK_SURPLUS_MS;
    return local->idle_ms;
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
    local->idle++;
    gate_link_h1_park(l, idle_ms_of(local));
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
    uint32_t idle_ms;

    gate_links_offer(l);
    if (!l->shelved || local->idle_max == 0) {
        gate_links_close(&l, why);
        return;
    }
    if (l->idle)
        return;
    l->idle = true;
    local->idle++;
    idle_ms = idle_ms_of(local);
    gate_deadline_set(l->links->loop, &l->deadline,
                      idle_ms == 0 ? UINT64_MAX : gate_loop_now(l->links->loop) + idle_ms);
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
    gate_peer_count_connections(l->share, -1);
    gate_peer_release(&l->peer, l->share);
    gate_tls_client_unref(&l->tls);
    l->local->links--;
    gate_counters_add(links->counters, GATE_C_LINKS_CLOSED, 1);
    gate_counters_close(links->counters, why);
    l->magic = 0;
    gate_slab_give(&links->slab, l);
}
