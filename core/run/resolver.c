#include "run/resolver.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "net/dns.h"

#define PREPARE_MS 3000
#define RETRY_FIRST_MS 1000
#define RETRY_LAST_MS 30000
#define TTL_MAX_S 3600
/* Addresses that DNS no longer confirms are used this long. */
#define STALE_MS (3600ull * 1000)
#define ADDRS_MAX 64

/* One host name, whatever servers have it. */
struct name {
    struct gate_list node;
    struct gate_resolver *r;
    char *host;                 /* owned */
    struct gate_dns_query *query;
    struct gate_timer timer;
    struct gate_addr *addrs;    /* the last good answer, port 0; owned */
    size_t n;
    uint64_t good_ms;           /* loop time of it */
    uint32_t retry_ms;          /* of the next try while it fails; 0: it does not */
    bool answered;
    bool wanted;                /* mark of apply */
};

struct gate_resolver {
    struct gate_loop *loop;
    struct gate_registry *registry;
    struct gate_log *log;
    struct gate_dns *dns;       /* NULL until a name comes up */
    struct gate_list names;
    struct gate_timer limit;    /* of prepare */
    void (*done)(void *arg);    /* NULL: nobody waits */
    void *arg;
};

static void ask(struct name *x);

static void on_limit(struct gate_timer *t)
{
    struct gate_resolver *r = gate_container_of(t, struct gate_resolver, limit);
    void (*done)(void *) = r->done;

    r->done = NULL;
    if (done != NULL)
        done(r->arg);
}

struct gate_resolver *gate_resolver_new(struct gate_loop *loop, struct gate_registry *registry,
                                        struct gate_log *log)
{
    struct gate_resolver *r = gate_calloc(1, sizeof(*r));

    r->loop = loop;
    r->registry = registry;
    r->log = log;
    gate_list_init(&r->names);
    gate_timer_init(&r->limit, on_limit);
    return r;
}

static void forget(struct name *x)
{
    gate_dns_cancel(&x->query);
    gate_loop_untimer(x->r->loop, &x->timer);
    gate_list_remove(&x->node);
    gate_free(x->host);
    gate_free(x->addrs);
    gate_free(x);
}

void gate_resolver_free(struct gate_resolver **resolver)
{
    struct gate_resolver *r = *resolver;

    *resolver = NULL;
    if (r == NULL)
        return;
    while (!gate_list_empty(&r->names))
        forget(gate_container_of(r->names.next, struct name, node));
    gate_loop_untimer(r->loop, &r->limit);
    if (r->dns != NULL)
        gate_dns_close(&r->dns);
    gate_free(r);
}

static bool is_named(const struct name *x, struct gate_str host)
{
    return gate_str_ieq(gate_str_from_cstr(x->host), host);
}

static struct name *find(struct gate_resolver *r, struct gate_str host)
{
    for (struct gate_list *n = r->names.next; n != &r->names; n = n->next) {
        struct name *x = gate_container_of(n, struct name, node);

        if (is_named(x, host))
            return x;
    }
    return NULL;
}

/* What a server of the registry resolves to now. */
struct handing {
    struct name *only;      /* NULL: every name */
    struct gate_resolver *r;
};

static void hand_over(void *arg, struct gate_upstream *u, struct gate_str server,
                      struct gate_str host, uint16_t port)
{
    struct handing *h = arg;
    struct gate_addr addrs[ADDRS_MAX];
    struct name *x = h->only != NULL ? h->only : find(h->r, host);

    if (x == NULL || !is_named(x, host))
        return;
    x->wanted = true;
    if (!x->answered)
        return;
    for (size_t i = 0; i < x->n; i++) {
        addrs[i] = x->addrs[i];
        gate_addr_set_port(&addrs[i], port);
    }
    gate_upstream_resolved(u, server, addrs, x->n);
}

static bool all_answered(const struct gate_resolver *r)
{
    for (struct gate_list *n = r->names.next; n != &r->names; n = n->next) {
        if (!gate_container_of(n, struct name, node)->answered)
            return false;
    }
    return true;
}

static void on_timer(struct gate_timer *t)
{
    ask(gate_container_of(t, struct name, timer));
}

static void note_failure(struct name *x, const struct gate_dns_answer *a)
{
    uint64_t now = gate_loop_now(x->r->loop);

    if (x->retry_ms == 0)
        gate_logf(x->r->log, GATE_LOG_WARN, "cannot resolve %s: %s; %s", x->host,
                  a->why == NULL ? gate_err_text(a->err) : a->why,
                  x->n > 0 ? "its last addresses stay in use" : "it has no address yet");
    x->retry_ms = x->retry_ms == 0 ? RETRY_FIRST_MS : x->retry_ms * 2;
    if (x->retry_ms > RETRY_LAST_MS)
        x->retry_ms = RETRY_LAST_MS;
    if (x->n > 0 && now - x->good_ms > STALE_MS)
        x->n = 0;
    gate_loop_timer(x->r->loop, &x->timer, x->retry_ms);
}

static void note_addresses(struct name *x, const struct gate_dns_answer *a)
{
    uint32_t ttl = a->ttl_s < TTL_MAX_S ? a->ttl_s : TTL_MAX_S;

    if (x->retry_ms != 0)
        gate_logf(x->r->log, GATE_LOG_INFO, "%s resolves again", x->host);
    x->retry_ms = 0;
    x->n = a->count < ADDRS_MAX ? a->count : ADDRS_MAX;
    x->addrs = gate_realloc(x->addrs, x->n * sizeof(*x->addrs));
    memcpy(x->addrs, a->addrs, x->n * sizeof(*x->addrs));
    x->good_ms = gate_loop_now(x->r->loop);
    gate_loop_timer(x->r->loop, &x->timer, (ttl == 0 ? 1 : ttl) * 1000ull);
}

static void on_answer(void *arg, const struct gate_dns_answer *a)
{
    struct name *x = arg;
    struct gate_resolver *r = x->r;
    struct handing h = { .only = x, .r = r };

    x->query = NULL;
    if (a->err == GATE_E_CANCELLED)
        return;
    if (a->err == GATE_OK && a->count > 0)
        note_addresses(x, a);
    else
        note_failure(x, a);
    x->answered = true;
    gate_registry_names(r->registry, hand_over, &h);
    if (r->done != NULL && all_answered(r)) {
        gate_loop_untimer(r->loop, &r->limit);
        on_limit(&r->limit);
    }
}

static void ask(struct name *x)
{
    if (x->query == NULL)
        gate_dns_resolve(x->r->dns, gate_str_from_cstr(x->host), on_answer, x, &x->query);
}

static void want(struct gate_resolver *r, struct gate_str host)
{
    struct name *x = find(r, host);

    if (x != NULL)
        return;
    if (r->dns == NULL && gate_dns_open(&r->dns, r->loop, NULL) != GATE_OK) {
        gate_logf(r->log, GATE_LOG_ERROR, "cannot resolve %.*s: DNS cannot be opened: %s",
                  (int)host.n, host.p, strerror(errno));
        return;
    }
    x = gate_calloc(1, sizeof(*x));
    x->r = r;
    x->host = gate_strndup(host.p, host.n);
    gate_timer_init(&x->timer, on_timer);
    gate_list_push(&r->names, &x->node);
    ask(x);
}

void gate_resolver_prepare(struct gate_resolver *r, const struct gate_config *config,
                           void (*done)(void *arg), void *arg)
{
    for (uint32_t i = 0; i < config->n_upstreams; i++) {
        const struct gate_upstream_config *u = &config->upstreams[i];

        for (uint32_t k = 0; k < u->n_servers; k++) {
            if (!u->servers[k].numeric)
                want(r, u->servers[k].host);
        }
    }
    if (all_answered(r)) {
        done(arg);
        return;
    }
    r->done = done;
    r->arg = arg;
    gate_loop_timer(r->loop, &r->limit, PREPARE_MS);
}

void gate_resolver_apply(struct gate_resolver *r)
{
    struct handing h = { .r = r };
    struct gate_list *next;

    for (struct gate_list *n = r->names.next; n != &r->names; n = n->next)
        gate_container_of(n, struct name, node)->wanted = false;
    gate_registry_names(r->registry, hand_over, &h);
    for (struct gate_list *n = r->names.next; n != &r->names; n = next) {
        struct name *x = gate_container_of(n, struct name, node);

        next = n->next;
        if (!x->wanted)
            forget(x);
    }
}
