#include <stdio.h>

#include "run/cli.h"

static void say_shadowed(void *arg, const struct gate_route_config *route,
                         const struct gate_route_config *by)
{
    (void)arg;
    printf("%.*s: route %.*s gets no request: %.*s (%.*s) goes before it and takes them all\n",
           (int)route->at.n, route->at.p, (int)route->name.n, route->name.p, (int)by->name.n,
           by->name.p, (int)by->at.n, by->at.p);
}

static void say_right(const struct gate_options *o, const struct gate_loaded *l)
{
    const struct gate_config *c = l->config;

    printf("%s is right: %u listener%s, %u route%s, %u upstream%s, %u polic%s\n", o->file,
           c->n_listeners, c->n_listeners == 1 ? "" : "s", c->n_routes, c->n_routes == 1 ? "" : "s",
           c->n_upstreams, c->n_upstreams == 1 ? "" : "s", c->n_policies,
           c->n_policies == 1 ? "y" : "ies");
    if (c->n_listeners == 0)
        puts("it says no address to listen on: run needs --listen");
    /* A route hook may choose any route. */
    if ((c->global_hooks & (1u << GATE_HOOK_ROUTE)) == 0)
        gate_router_each_shadowed(l->router, say_shadowed, NULL);
}

int gate_cli_check(const struct gate_options *o)
{
    struct gate_bundle *bundle = NULL;
    struct gate_load_errors errors;
    struct gate_loaded loaded;
    bool right;

    gate_load_errors_init(&errors);
    right = gate_cli_load(o, true, &bundle, &loaded, &errors) == GATE_OK;
    if (o->json) {
        gate_load_errors_json(&errors, stdout);
        putchar('\n');
    } else if (right) {
        say_right(o, &loaded);
    } else {
        gate_load_errors_text(&errors, stderr);
    }
    if (right) {
        gate_loaded_fini(&loaded);
        gate_bundle_free(&bundle);
    }
    gate_load_errors_fini(&errors);
    return right ? 0 : 1;
}
