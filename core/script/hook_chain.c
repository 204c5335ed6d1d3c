/* Chains: which functions a hook call runs, in which order (lua/README.md), made once a VM. */
#include "base/assert.h"
#include "base/mem.h"
#include "script/job_kind_int.h"
#include "script/run_int.h"

static bool is_reversed(int hook)
{
    return hook == GATE_HOOK_STORE || hook == GATE_HOOK_RESPONSE || hook == GATE_HOOK_BODY ||
           hook == GATE_HOOK_FAULT || hook == GATE_HOOK_LOG;
}

const char *gate_chain_hook_name(int hook)
{
    if (hook == GATE_CHAIN_WHEN)
        return "when";
    if (hook == GATE_CHAIN_BALANCER)
        return "balancer";
    return hook == GATE_CHAIN_HANDLER ? "handler" : gate_hook_name((enum gate_hook)hook);
}

struct gate_quarantine_key gate_chain_key(const struct gate_hook_chain *c, uint32_t at)
{
    return (struct gate_quarantine_key){
        c->hook, c->hook < GATE_HOOK_COUNT ? c->v[at - 1].policy : c->route};
}

const char *gate_chain_policy(const struct gate_vm *vm, const struct gate_hook_chain *c,
                              uint32_t at)
{
    return c->name != NULL ? c->name : vm->policy_names[c->v[at - 1].policy];
}

const char *gate_run_policy(const struct gate_hook_run *run)
{
    uint32_t at = (uint32_t)run->task.vm->io.at;

    if (run->chain->hook >= GATE_HOOK_COUNT)
        return run->chain->name;
    if (at == 0 || at > run->chain->n)
        return "?";
    return run->task.vm->policy_names[run->chain->v[at - 1].policy];
}

void gate_run_origin(const struct gate_task *t, struct gate_task_origin *to)
{
    const struct gate_hook_run *run = gate_container_of(t, struct gate_hook_run, task);
    uint32_t at = (uint32_t)t->vm->io.at;

    if (at < 1 || at > run->chain->n)
        at = 1;
    *to = (struct gate_task_origin){
        .policy = gate_run_policy(run),
        .hook = gate_chain_hook_name(run->chain->hook),
        .key = gate_chain_key(run->chain, at),
        .x = run->x,
        .spawned = &run->chain->spawned[at - 1],
    };
}

static uint64_t budget_ns(const struct gate_vm *vm, const struct gate_hook_chain *c, uint32_t i)
{
    uint32_t us = c->hook < GATE_HOOK_COUNT ? vm->config->policies[c->v[i].policy].cpu_us : 0;

    return (us == 0 ? vm->config->limits.hook_cpu_us : us) * 1000ull;
}

/* Has Lua make the function that runs the chain, and keeps the chain. */
static struct gate_hook_chain *keep(struct gate_vm *vm, struct gate_hook_chain *c)
{
    lua_State *L = vm->L;

    c->budgets = gate_calloc(2 * c->n + 1, sizeof(*c->budgets));
    c->budgets[0] = c->n | GATE_BUDGETS_SAMPLED;
    c->tallies = gate_calloc(c->n + 1, sizeof(*c->tallies));
    c->spawned = gate_calloc(c->n + 1, sizeof(*c->spawned));
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->ref_boot);
    lua_getfield(L, -1, "chain");
    lua_pushstring(L, gate_chain_hook_name(c->hook));
    lua_createtable(L, (int)c->n, 0);
    for (uint32_t i = 0; i < c->n; i++) {
        c->budgets[i + 1] = budget_ns(vm, c, i);
        lua_pushinteger(L, (lua_Integer)c->v[i].policy);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_pushinteger(L, (lua_Integer)c->route);
    if (c->name == NULL)
        lua_pushnil(L);
    else
        lua_pushstring(L, c->name);
    lua_call(L, 4, 1);
    c->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pop(L, 1);
    c->next = atomic_load_explicit(&vm->chains, memory_order_relaxed);
    atomic_store_explicit(&vm->chains, c, memory_order_release);
    return c;
}

static bool same(const struct gate_hook_chain *a, const struct gate_hook_chain *b)
{
    return a->hook == b->hook && a->n == b->n && memcmp(a->v, b->v, a->n * sizeof(a->v[0])) == 0;
}

/* Routes often use the same policies: the chain that is there already, or this one. Takes over c.
 */
static struct gate_hook_chain *unique(struct gate_vm *vm, struct gate_hook_chain *c)
{
    if (c->n == 0) {
        gate_free(c);
        return NULL;
    }
    for (struct gate_hook_chain *old = atomic_load_explicit(&vm->chains, memory_order_relaxed);
         old != NULL; old = old->next)
        if (same(old, c)) {
            gate_free(c);
            return old;
        }
    return keep(vm, c);
}

static void add_links(struct gate_hook_chain *c, const struct gate_config *config,
                      const uint32_t *policies, uint32_t n, uint32_t depth)
{
    for (uint32_t i = 0; i < n; i++)
        if ((config->policies[policies[i]].hooks & 1u << c->hook) != 0)
            c->v[c->n++] = (struct gate_hook_link){policies[i], depth + i};
}

static void reverse(struct gate_hook_chain *c)
{
    for (uint32_t i = 0; i < c->n / 2; i++) {
        struct gate_hook_link kept = c->v[i];

        c->v[i] = c->v[c->n - 1 - i];
        c->v[c->n - 1 - i] = kept;
    }
}

static struct gate_hook_chain *make(struct gate_vm *vm, int hook, bool global,
                                    const struct gate_route_config *route)
{
    const struct gate_config *config = vm->config;
    uint32_t n = config->n_global + (route == NULL ? 0 : route->n_use);
    struct gate_hook_chain *c = gate_calloc(1, sizeof(*c) + n * sizeof(c->v[0]));

    c->hook = hook;
    if (global)
        add_links(c, config, config->global, config->n_global, 0);
    if (route != NULL)
        add_links(c, config, route->use, route->n_use, config->n_global);
    if (is_reversed(hook))
        reverse(c);
    return unique(vm, c);
}

static struct gate_hook_chain *make_single(struct gate_vm *vm, int hook, uint32_t ordinal,
                                           struct gate_str name)
{
    struct gate_hook_chain *c = gate_calloc(1, sizeof(*c) + sizeof(c->v[0]));

    c->hook = hook;
    c->route = ordinal;
    c->n = 1;
    c->name = gate_strndup(name.p, name.n);
    return keep(vm, c);
}

static struct gate_route_chains *make_route(struct gate_vm *vm, const struct gate_route_config *r)
{
    struct gate_route_chains *rc;

    if (r->n_use == 0 && !r->when && r->action != GATE_ACTION_HANDLER)
        return NULL;
    rc = gate_calloc(1, sizeof(*rc));
    for (int hook = 0; hook < GATE_HOOK_COUNT; hook++) {
        bool own = (r->hooks & 1u << hook) != 0;

        rc->own[hook] = own ? make(vm, hook, false, r) : NULL;
        rc->all[hook] = own ? make(vm, hook, true, r) : vm->global[hook];
    }
    if (r->when)
        rc->when = make_single(vm, GATE_CHAIN_WHEN, r->ordinal, r->name);
    if (r->action == GATE_ACTION_HANDLER)
        rc->handler = make_single(vm, GATE_CHAIN_HANDLER, r->ordinal, r->name);
    return rc;
}

void gate_chains_build(struct gate_vm *vm)
{
    const struct gate_config *config = vm->config;

    vm->n_policies = config->n_policies;
    vm->n_routes = config->n_routes;
    vm->policy_names = gate_calloc(config->n_policies + 1, sizeof(*vm->policy_names));
    for (uint32_t i = 0; i < config->n_policies; i++)
        vm->policy_names[i] = gate_strndup(config->policies[i].name.p, config->policies[i].name.n);
    for (int hook = 0; hook < GATE_HOOK_COUNT; hook++)
        vm->global[hook] = make(vm, hook, true, NULL);
    vm->balancers = gate_calloc(config->n_upstreams + 1, sizeof(*vm->balancers));
    for (uint32_t i = 0; i < config->n_upstreams; i++)
        if (config->upstreams[i].balance == GATE_BALANCE_FUNCTION)
            vm->balancers[i] =
                make_single(vm, GATE_CHAIN_BALANCER, i, config->upstreams[i].name);
    vm->routes = gate_calloc(config->n_routes + 1, sizeof(*vm->routes));
    for (uint32_t i = 0; i < config->n_routes; i++)
        vm->routes[i] = make_route(vm, &config->routes[i]);
}

static void chain_free(struct gate_hook_chain *c)
{
    gate_free(c->budgets);
    gate_free(c->tallies);
    gate_free(c->spawned);
    gate_free(c->name);
    gate_free(c);
}

void gate_chains_free(struct gate_vm *vm)
{
    struct gate_hook_chain *c = atomic_load_explicit(&vm->chains, memory_order_relaxed);
    struct gate_hook_chain *next;

    for (; c != NULL; c = next) {
        next = c->next;
        chain_free(c);
    }
    gate_route_chains_free(&vm->routes, vm->n_routes);
    for (uint32_t i = 0; i < vm->n_policies; i++)
        gate_free(vm->policy_names[i]);
    gate_free(vm->balancers);
    gate_free(vm->policy_names);
}

void gate_route_chains_free(struct gate_route_chains ***chains, uint32_t n_routes)
{
    struct gate_route_chains **v = *chains;

    *chains = NULL;
    for (uint32_t i = 0; v != NULL && i < n_routes; i++)
        gate_free(v[i]);
    gate_free(v);
}

static bool has_function(const struct gate_route_config *r)
{
    return r->when || r->action == GATE_ACTION_HANDLER;
}

/* Data holds no functions: those of routes are the same in both, in the same order. Chains of
 * policies alone are made when they are first wanted. */
struct gate_route_chains **gate_vm_route_chains(const struct gate_vm *vm,
                                                struct gate_route_chains *const *old,
                                                const struct gate_config *from,
                                                const struct gate_config *to)
{
    struct gate_route_chains **v = gate_calloc(to->n_routes + 1, sizeof(v[0]));
    uint32_t at = 0;

    if (old == NULL)
        old = vm->routes;
    for (uint32_t i = 0; i < to->n_routes; i++) {
        if (!has_function(&to->routes[i]))
            continue;
        while (at < from->n_routes && !has_function(&from->routes[at]))
            at++;
        GATE_ASSERT(at < from->n_routes);
        v[i] = gate_alloc(sizeof(*v[i]));
        *v[i] = *old[at++];
    }
    return v;
}

/* The chains of the matched route. */
static struct gate_route_chains *chains_of(struct gate_vm *vm, const struct gate_exchange *x)
{
    const struct gate_route_config *route = x->match.route;
    struct gate_route_chains **all = x->seat->chains != NULL ? x->seat->chains : vm->routes;

    if (route == NULL)
        return NULL;
    if (GATE_UNLIKELY(all[route->ordinal] == NULL && route->n_use > 0))
        all[route->ordinal] = make_route(vm, route);
    return all[route->ordinal];
}

struct gate_hook_chain *gate_chain_of(struct gate_vm *vm, const struct gate_exchange *x, int hook,
                                      enum gate_hook_scope scope)
{
    struct gate_route_chains *rc = chains_of(vm, x);

    if (hook == GATE_CHAIN_WHEN)
        return rc == NULL ? NULL : rc->when;
    if (hook == GATE_CHAIN_HANDLER)
        return rc == NULL ? NULL : rc->handler;
    if (scope == GATE_SCOPE_GLOBAL || (rc == NULL && scope == GATE_SCOPE_ALL))
        return vm->global[hook];
    if (rc == NULL)
        return NULL;
    return scope == GATE_SCOPE_ROUTE ? rc->own[hook] : rc->all[hook];
}

bool gate_hook_decodes(const struct gate_exchange *x, enum gate_hook hook)
{
    const struct gate_hook_chain *chain =
        gate_chain_of(x->seat->vm, x, (int)hook, GATE_SCOPE_ALL);

    for (uint32_t i = 0; chain != NULL && i < chain->n; i++)
        if (x->seat->vm->config->policies[chain->v[i].policy].decode)
            return true;
    return false;
}

static uint64_t read_tally(const _Atomic uint64_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

/* Calls of a link: the runs that began there or before, less those that ended before. The numbers
 * move while they are read. */
static void tell_chain(const struct gate_vm *vm, const struct gate_hook_chain *c,
                       void (*fn)(void *arg, const struct gate_hook_count *c), void *arg)
{
    int64_t running = 0;

    for (uint32_t i = 0; i < c->n; i++) {
        const struct gate_hook_tally *t = &c->tallies[i];
        struct gate_hook_count count = {
            .policy = gate_chain_policy(vm, c, i + 1),
            .hook = gate_chain_hook_name(c->hook),
            .runs = read_tally(&t->begun),
            .errors = read_tally(&t->errors),
            .kills = read_tally(&t->kills),
            .barred = read_tally(&t->barred),
            .quarantined = gate_quarantine_any(vm->quarantine) &&
                           gate_quarantine_holds(vm->quarantine, gate_chain_key(c, i + 1)),
            .cpu_ns = __atomic_load_n(&c->budgets[c->n + 1 + i], __ATOMIC_RELAXED),
        };

        running += (int64_t)count.runs;
        count.calls = running > 0 ? (uint64_t)running : 0;
        running -= (int64_t)read_tally(&t->ended);
        fn(arg, &count);
    }
}

void gate_vm_each_hook(const struct gate_vm *vm,
                       void (*fn)(void *arg, const struct gate_hook_count *c), void *arg)
{
    for (const struct gate_hook_chain *c = atomic_load_explicit(&vm->chains, memory_order_acquire);
         c != NULL; c = c->next)
        tell_chain(vm, c, fn, arg);
    gate_job_kinds_each(vm, fn, arg);
}
