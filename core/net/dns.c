#include "net/dns.h"

#include <ares.h>
#include <pthread.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "net/dns_int.h"

/* 2 + 4 + 8 s over one server: callers have deadlines of their own. */
#define TRY_MS 2000
#define TRIES 3
#define NEGATIVE_MS 1000

/* Answers larger than this come over TCP; the size that passes everywhere unfragmented. */
#define UDP_SIZE 1232

struct gate_dns {
    struct gate_loop *loop;
    ares_channel channel;       /* NULL while it closes */
    struct gate_timer timer;    /* c-ares' next retry */
    struct gate_list socks;
    struct gate_list lookups;
    struct gate_list answered;  /* questions whose result waits for the drain */
    struct gate_dns_cache cache;
};

struct sock {
    struct gate_list node;
    struct ev_io io;
    struct gate_dns *dns;
};

/* A name that c-ares is working on, for all who asked for it meanwhile. */
struct lookup {
    struct gate_list node;
    struct gate_list queries;
    struct gate_dns *dns;
    char name[GATE_DNS_MAX_NAME + 1];
};

struct gate_dns_query {
    struct gate_list node;      /* in its lookup or in `answered` */
    struct gate_ready ready;
    struct gate_dns *dns;
    struct gate_dns_query **owner;
    gate_dns_fn *fn;
    void *arg;
    struct gate_dns_result *result;
};

/* c-ares' sockets and timer */

static void set_timer(struct gate_dns *dns)
{
    struct timeval tv;
    uint64_t ms;

    if (ares_timeout(dns->channel, NULL, &tv) == NULL) {
        gate_loop_untimer(dns->loop, &dns->timer);
        return;
    }
    ms = (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000;
    gate_loop_timer(dns->loop, &dns->timer, ms + 1);
}

static void on_timer(struct gate_timer *t)
{
    struct gate_dns *dns = gate_container_of(t, struct gate_dns, timer);

    ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_timer(dns);
}

static void on_io(struct ev_loop *ev, struct ev_io *io, int events)
{
    struct gate_dns *dns = gate_container_of(io, struct sock, io)->dns;
    int fd = io->fd;

    (void)ev;
    ares_process_fd(dns->channel, events & EV_READ ? fd : ARES_SOCKET_BAD,
                    events & EV_WRITE ? fd : ARES_SOCKET_BAD);
    set_timer(dns);     /* the watcher may be gone by now */
}

static struct sock *find_sock(struct gate_dns *dns, int fd)
{
    for (struct gate_list *n = dns->socks.next; n != &dns->socks; n = n->next) {
        struct sock *s = gate_container_of(n, struct sock, node);

        if (s->io.fd == fd)
            return s;
    }
    return NULL;
}

static void on_sock_state(void *data, ares_socket_t fd, int readable, int writable)
{
    struct gate_dns *dns = data;
    struct sock *s = find_sock(dns, fd);

    if (s == NULL) {
        if (!readable && !writable)
            return;
        s = gate_calloc(1, sizeof(*s));
        s->dns = dns;
        ev_init(&s->io, on_io);
        gate_list_push(&dns->socks, &s->node);
    }
    ev_io_stop(dns->loop->ev, &s->io);
    if (!readable && !writable) {
        gate_list_remove(&s->node);
        gate_free(s);
        return;
    }
    ev_io_set(&s->io, fd, (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
    ev_io_start(dns->loop->ev, &s->io);
}

/* Results */

static enum gate_err err_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return GATE_OK;
    case ARES_ETIMEOUT:
        return GATE_E_TIMEOUT;
    case ARES_ECANCELLED:
    case ARES_EDESTRUCTION:
        return GATE_E_CANCELLED;
    default:
        return GATE_E_RESOLVE;
    }
}

static bool is_usable(const struct ares_addrinfo_node *node)
{
    return node->ai_family == AF_INET || node->ai_family == AF_INET6;
}

static uint32_t ttl_of(const struct ares_addrinfo *info)
{
    int ttl = GATE_DNS_MAX_TTL;

    for (const struct ares_addrinfo_node *n = info->nodes; n != NULL; n = n->ai_next)
        ttl = n->ai_ttl < ttl ? n->ai_ttl : ttl;
    for (const struct ares_addrinfo_cname *n = info->cnames; n != NULL; n = n->next)
        ttl = n->ttl < ttl ? n->ttl : ttl;
    return ttl > 1 ? (uint32_t)ttl : 1;
}

static struct gate_dns_result *result_of(const struct ares_addrinfo *info, uint64_t now_ms)
{
    struct gate_dns_result *r;
    size_t count = 0;

    for (const struct ares_addrinfo_node *n = info->nodes; n != NULL; n = n->ai_next)
        count += is_usable(n);
    if (count == 0)
        return gate_dns_result_new(GATE_E_RESOLVE, ares_strerror(ARES_ENODATA), 0);
    r = gate_dns_result_new(GATE_OK, NULL,
                            count < GATE_DNS_MAX_ADDRS ? count : GATE_DNS_MAX_ADDRS);
    count = 0;
    for (const struct ares_addrinfo_node *n = info->nodes; n != NULL && count < r->count;
         n = n->ai_next) {
        struct gate_addr *a = &r->addrs[count];

        if (!is_usable(n))
            continue;
        a->len = n->ai_addrlen;
        memcpy(&a->u, n->ai_addr, n->ai_addrlen);
        gate_addr_set_port(a, 0);
        count++;
    }
    r->until_ms = now_ms + ttl_of(info) * 1000ull;
    return r;
}

/* Makes the answer ready: callbacks of ours run from the drain, never inside c-ares. */
static void answer_later(struct gate_dns_query *q, struct gate_dns_result *r)
{
    q->result = gate_dns_result_ref(r);
    gate_list_remove(&q->node);
    gate_list_push(&q->dns->answered, &q->node);
    gate_loop_ready(q->dns->loop, &q->ready);
}

static void on_addrs(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct lookup *l = arg;
    struct gate_dns *dns = l->dns;
    uint64_t now_ms = gate_loop_now(dns->loop);
    struct gate_dns_result *r;
    struct gate_list *n;

    (void)timeouts;
    if (status == ARES_SUCCESS)
        r = result_of(info, now_ms);
    else
        r = gate_dns_result_new(err_of(status), ares_strerror(status), 0);
    if (info != NULL)
        ares_freeaddrinfo(info);
    if (status == ARES_ENOTFOUND || status == ARES_ENODATA)
        r->until_ms = now_ms + NEGATIVE_MS;
    if (r->until_ms != 0)
        gate_dns_cache_put(&dns->cache, l->name, r);
    while ((n = gate_list_pop(&l->queries)) != NULL)
        answer_later(gate_container_of(n, struct gate_dns_query, node), r);
    gate_dns_result_unref(&r);
    gate_list_remove(&l->node);
    gate_free(l);
}

/* Questions */

/* May close the dns: nothing of it is touched after the callback. */
static void answer(struct gate_dns_query *q)
{
    struct gate_dns_result *r = q->result;
    uint64_t now_ms = gate_loop_now(q->dns->loop);
    uint64_t left_s = r->until_ms > now_ms ? (r->until_ms - now_ms) / 1000 : 0;
    struct gate_dns_answer a = {
        .err = r->err,
        .why = r->why,
        .addrs = r->addrs,
        .count = r->count,
        .ttl_s = left_s > 1 ? (uint32_t)left_s : 1,
    };
    gate_dns_fn *fn = q->fn;
    void *arg = q->arg;

    gate_list_remove(&q->node);
    gate_ready_cancel(&q->ready);
    if (q->owner != NULL)
        *q->owner = NULL;
    gate_free(q);
    fn(arg, &a);
    gate_dns_result_unref(&r);
}

static void on_ready(struct gate_ready *ready)
{
    answer(gate_container_of(ready, struct gate_dns_query, ready));
}

/* Lower case and NUL-terminated; false for what cannot be a name. */
static bool copy_name(struct gate_str name, char to[GATE_DNS_MAX_NAME + 1])
{
    if (name.n == 0 || name.n > GATE_DNS_MAX_NAME)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        if ((unsigned char)name.p[i] <= ' ' || name.p[i] == 0x7f)
            return false;
        to[i] = gate_lower(name.p[i]);
    }
    to[name.n] = '\0';
    return true;
}

/* An address in place of a name: c-ares would ask for its other version. NULL: it is a name. */
static struct gate_dns_result *numeric(const char *name, uint64_t now_ms)
{
    struct gate_dns_result *r = gate_dns_result_new(GATE_OK, NULL, 1);

    if (gate_addr_parse_ip(gate_str_from_cstr(name), &r->addrs[0]) != GATE_OK)
        gate_dns_result_unref(&r);
    else
        r->until_ms = now_ms + GATE_DNS_MAX_TTL * 1000ull;
    return r;
}

static struct lookup *find_lookup(struct gate_dns *dns, const char *name)
{
    for (struct gate_list *n = dns->lookups.next; n != &dns->lookups; n = n->next) {
        struct lookup *l = gate_container_of(n, struct lookup, node);

        if (strcmp(l->name, name) == 0)
            return l;
    }
    return NULL;
}

static void ask(struct gate_dns *dns, const char *name, struct gate_dns_query *q)
{
    static const struct ares_addrinfo_hints hints = {
        .ai_family = AF_UNSPEC,
        .ai_flags = ARES_AI_NOSORT,     /* sorting opens a socket per address */
    };
    struct lookup *l = find_lookup(dns, name);

    if (l != NULL) {
        gate_list_push(&l->queries, &q->node);
        return;
    }
    l = gate_calloc(1, sizeof(*l));
    l->dns = dns;
    strcpy(l->name, name);
    gate_list_init(&l->queries);
    gate_list_push(&l->queries, &q->node);
    gate_list_push(&dns->lookups, &l->node);
    ares_getaddrinfo(dns->channel, name, NULL, &hints, on_addrs, l);
    set_timer(dns);
}

/* What can be said without asking anybody, with a reference for the caller; NULL: ask. */
static struct gate_dns_result *known(struct gate_dns *dns, struct gate_str name,
                                     char lower[GATE_DNS_MAX_NAME + 1])
{
    uint64_t now_ms = gate_loop_now(dns->loop);
    struct gate_dns_result *cached;

    if (dns->channel == NULL)
        return gate_dns_result_new(GATE_E_CANCELLED, ares_strerror(ARES_EDESTRUCTION), 0);
    if (!copy_name(name, lower))
        return gate_dns_result_new(GATE_E_RESOLVE, ares_strerror(ARES_EBADNAME), 0);
    cached = gate_dns_cache_peek(&dns->cache, lower, now_ms);
    return cached != NULL ? gate_dns_result_ref(cached) : numeric(lower, now_ms);
}

void gate_dns_resolve(struct gate_dns *dns, struct gate_str name, gate_dns_fn *fn, void *arg,
                      struct gate_dns_query **query)
{
    struct gate_dns_query *q = gate_calloc(1, sizeof(*q));
    char lower[GATE_DNS_MAX_NAME + 1];
    struct gate_dns_result *r = known(dns, name, lower);

    gate_list_init(&q->node);
    gate_ready_init(&q->ready, on_ready);
    q->dns = dns;
    q->owner = query;
    q->fn = fn;
    q->arg = arg;
    if (query != NULL)
        *query = q;
    if (r == NULL) {
        ask(dns, lower, q);
        return;
    }
    answer_later(q, r);
    gate_dns_result_unref(&r);
}

/* A lookup that nobody waits for any more runs on: its result goes to the cache. */
void gate_dns_cancel(struct gate_dns_query **query)
{
    struct gate_dns_query *q = *query;

    *query = NULL;
    if (q == NULL)
        return;
    gate_list_remove(&q->node);
    gate_ready_cancel(&q->ready);
    gate_dns_result_unref(&q->result);
    gate_free(q);
}

/* Life */

/* c-ares counts its users without a lock, and each gateway of a process is one. */
static pthread_mutex_t library_lock = PTHREAD_MUTEX_INITIALIZER;

static void library_init(void)
{
    pthread_mutex_lock(&library_lock);
    ares_library_init(ARES_LIB_INIT_ALL);
    pthread_mutex_unlock(&library_lock);
}

static void library_cleanup(void)
{
    pthread_mutex_lock(&library_lock);
    ares_library_cleanup();
    pthread_mutex_unlock(&library_lock);
}

static enum gate_err open_channel(struct gate_dns *dns, const struct gate_dns_options *options)
{
    struct ares_options o = {
        .flags = ARES_FLAG_EDNS,
        .ednspsz = UDP_SIZE,
        .timeout = options->timeout_ms,
        .tries = options->tries,
        .sock_state_cb = on_sock_state,
        .sock_state_cb_data = dns,
    };
    int mask = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
               ARES_OPT_SOCK_STATE_CB;

    if (ares_init_options(&dns->channel, &o, mask) != ARES_SUCCESS)
        return GATE_E_SYS;
    if (options->servers == NULL ||
        ares_set_servers_ports_csv(dns->channel, options->servers) == ARES_SUCCESS)
        return GATE_OK;
    ares_destroy(dns->channel);
    return GATE_E_INVALID;
}

enum gate_err gate_dns_open_with(struct gate_dns **out, struct gate_loop *loop,
                                 const struct gate_dns_options *options)
{
    struct gate_dns *dns = gate_calloc(1, sizeof(*dns));
    enum gate_err err;

    library_init();
    dns->loop = loop;
    gate_timer_init(&dns->timer, on_timer);
    gate_list_init(&dns->socks);
    gate_list_init(&dns->lookups);
    gate_list_init(&dns->answered);
    err = open_channel(dns, options);
    if (err != GATE_OK) {
        gate_free(dns);
        library_cleanup();
        return err;
    }
    gate_dns_cache_init(&dns->cache);
    *out = dns;
    return GATE_OK;
}

enum gate_err gate_dns_open(struct gate_dns **out, struct gate_loop *loop, const char *servers)
{
    struct gate_dns_options options = {
        .servers = servers,
        .timeout_ms = TRY_MS,
        .tries = TRIES,
    };

    return gate_dns_open_with(out, loop, &options);
}

void gate_dns_close(struct gate_dns **dnsp)
{
    struct gate_dns *dns = *dnsp;
    ares_channel channel;

    *dnsp = NULL;
    if (dns == NULL)
        return;
    channel = dns->channel;
    dns->channel = NULL;
    gate_loop_untimer(dns->loop, &dns->timer);
    ares_destroy(channel);      /* ends every lookup */
    while (!gate_list_empty(&dns->answered))
        answer(gate_container_of(dns->answered.next, struct gate_dns_query, node));
    GATE_ASSERT(gate_list_empty(&dns->lookups) && gate_list_empty(&dns->socks));
    gate_dns_cache_fini(&dns->cache);
    gate_free(dns);
    library_cleanup();
}
