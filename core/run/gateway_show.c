/* What a program can see of its gateway. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/gateway_int.h"
#include "run/version.h"

const char *gate_version(void)
{
    return GATE_VERSION;
}

struct address {
    struct gate_gateway_order order;
    size_t i;
    char *to;
    size_t cap;
};

static void run_address(struct gate_gateway_order *o)
{
    struct address *a = gate_container_of(o, struct address, order);
    const struct gate_live *live = o->gw->engine.current;
    char text[GATE_ADDR_TEXT];
    size_t n;

    if (live == NULL || a->i >= live->g.config->n_listeners) {
        gate_gateway_answer(o, ENOENT);
        return;
    }
    n = gate_addr_format(&live->points[a->i]->bound, text, sizeof(text));
    if (n < a->cap) {
        memcpy(a->to, text, n);
        a->to[n] = '\0';
    }
    gate_gateway_answer(o, n < a->cap ? 0 : ENOSPC);
}

int gate_address(struct gate_gateway *gw, size_t i, char *to, size_t cap)
{
    struct address a = { .i = i, .to = to, .cap = cap };

    return gate_gateway_ask(gw, &a.order, run_address);
}

struct view {
    struct gate_gateway_order order;
    enum gate_admin_page page;
    FILE *to;
};

static void run_view(struct gate_gateway_order *o)
{
    struct view *v = gate_container_of(o, struct view, order);

    gate_control_admin_ops_host.show(&o->gw->engine, v->page, false, v->to);
    gate_gateway_answer(o, 0);
}

static bool find_page(const char *name, enum gate_admin_page *out)
{
    static const char *const names[] = {
        [GATE_PAGE_STATUS] = "status", [GATE_PAGE_METRICS] = "metrics",
        [GATE_PAGE_GENERATIONS] = "generations", [GATE_PAGE_ROUTES] = "routes",
        [GATE_PAGE_UPSTREAMS] = "upstreams", [GATE_PAGE_TOP] = "top",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (enum gate_admin_page)i;
            return true;
        }
    }
    return false;
}

int gate_show(struct gate_gateway *gw, const char *page, char **text, size_t *n)
{
    struct view v;
    size_t unused;
    int result;

    *text = NULL;
    if (!find_page(page, &v.page))
        return ENOENT;
    v.to = open_memstream(text, n == NULL ? &unused : n);
    if (v.to == NULL)
        return errno;
    result = gate_gateway_ask(gw, &v.order, run_view);
    fclose(v.to);
    if (result != 0) {
        free(*text);
        *text = NULL;
    }
    return result;
}

int gate_add_module(struct gate_gateway *gw, const char *name,
                    const struct gate_module_function *functions, size_t n)
{
    switch (gate_natives_add(gw->host.natives, name, functions, n)) {
    case GATE_OK:
        return 0;
    case GATE_E_EXISTS:
        return EEXIST;
    default:
        return EINVAL;
    }
}
