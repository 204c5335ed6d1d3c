/* Chains: which functions a hook call runs, in which order (LUA_API.md section 3), made once a VM.
 */
#include "base/mem.h"
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

const char *gate_run_policy(const struct gate_hook_run *run)
{
    uint32_t at = (uint32_t)run->task.vm->io.at;

    if (run->chain->hook >= GATE_HOOK_COUNT)
        return run->chain->name;
    if (at == 0 || at > run->chain->n)
        return "?";
    return run->task.vm->policy_names[run->chain->v[at - 1].policy];
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

    c->budgets = gate_calloc(c->n + 1, sizeof(*c->budgets));
    c->budgets[0] = c->n;
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
    c->next = vm->chains;
    vm->chains = c;
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
    for (struct gate_hook_chain *old = vm->chains; old != NULL; old = old->next)
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
        rc->own[hook] = make(vm, hook, false, r);
        rc->all[hook] = make(vm, hook, true, r);
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

void gate_chains_free(struct gate_vm *vm)
{
    if (vm->config == NULL)
        return;
    while (vm->chains != NULL) {
        struct gate_hook_chain *c = vm->chains;

        vm->chains = c->next;
        gate_free(c->budgets);
        gate_free(c->name);
        gate_free(c);
    }
    for (uint32_t i = 0; i < vm->config->n_routes; i++)
        gate_free(vm->routes[i]);
    for (uint32_t i = 0; i < vm->config->n_policies; i++)
        gate_free(vm->policy_names[i]);
    gate_free(vm->routes);
    gate_free(vm->balancers);
    gate_free(vm->policy_names);
    memset(vm->global, 0, sizeof(vm->global));
    vm->routes = NULL;
    vm->balancers = NULL;
    vm->policy_names = NULL;
    vm->config = NULL;
}

struct gate_hook_chain *gate_chain_of(struct gate_vm *vm, const struct gate_exchange *x, int hook,
                                      enum gate_hook_scope scope)
{
    const struct gate_route_config *route = x->match.route;
    struct gate_route_chains *rc = route == NULL ? NULL : vm->routes[route->ordinal];

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
