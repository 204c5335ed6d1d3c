/* Changes: what serves, as the program decides: activation of what is loaded, rollback to what
 * was. */
#include <errno.h>

#include "run/gateway_int.h"
#include "run/reload.h"

struct gate_gateway_change {
    struct gate_gateway_order order;
    bool back;                  /* a rollback */
    uint64_t number;            /* of what is to serve; of a rollback, 0: the one before */
    uint64_t as;                /* that it serves under */
    struct gate_errors *errors; /* of a change that came to nothing */
};

static void refuse(struct gate_gateway_change *c, int result, const char *why)
{
    c->errors = gate_gateway_error(why);
    gate_gateway_answer(&c->order, result);
}

static void run_change(struct gate_gateway_order *o)
{
    struct gate_gateway_change *c = gate_container_of(o, struct gate_gateway_change, order);
    struct gate_gateway *gw = o->gw;
    struct gate_reload_wish wish = {
        .why = c->back ? GATE_RELOAD_ROLLBACK : GATE_RELOAD_ACTIVATE,
        .number = c->number,
        .as = c->as,
    };

    if (gw->engine.draining) {
        refuse(c, ESHUTDOWN, "the gateway is draining");
        return;
    }
    if (!c->back) {
        wish.made = gate_gateway_take_made(gw, c->number);
        if (wish.made == NULL) {
            refuse(c, ENOENT, "no loaded generation of that number waits for activation");
            return;
        }
    }
    gw->change = c;
    gate_reload_start(&gw->engine, &wish);
}

/* The order may be gone once it is answered. */
static void finish(struct gate_gateway *gw, int result)
{
    struct gate_gateway_change *c = gw->change;

    gw->change = NULL;
    gate_gateway_answer(&c->order, result);
}

void gate_gateway_ready(struct gate_host *h, uint64_t number)
{
    struct gate_gateway *gw = gate_container_of(h, struct gate_gateway, host);

    if (gw->setup.on_ready != NULL)
        gw->setup.on_ready(gw->setup.arg, number);
    finish(gw, 0);
}

void gate_gateway_refused(struct gate_host *h, const struct gate_load_errors *errors)
{
    struct gate_gateway *gw = gate_container_of(h, struct gate_gateway, host);
    struct gate_gateway_change *c = gw->change;

    c->errors = gate_gateway_errors(errors);
    if (gw->setup.on_refused != NULL)
        gw->setup.on_refused(gw->setup.arg, c->as, c->errors);
    finish(gw, EINVAL);
}

static int change(struct gate_gateway *gw, struct gate_gateway_change *c,
                  struct gate_errors **errors)
{
    int result;

    if (gate_gateway_is_control(gw)) {
        gate_gateway_give_errors(gate_gateway_error("a callback cannot wait for a change"), errors);
        return EDEADLK;
    }
    pthread_mutex_lock(&gw->changes);
    result = gate_gateway_ask(gw, &c->order, run_change);
    pthread_mutex_unlock(&gw->changes);
    if (result == ESHUTDOWN && c->errors == NULL)
        c->errors = gate_gateway_error("the gateway has ended");
    gate_gateway_give_errors(c->errors, errors);
    return result;
}

int gate_activate(struct gate_gateway *gw, uint64_t generation, struct gate_errors **errors)
{
    struct gate_gateway_change c = { .number = generation, .as = generation };

    return change(gw, &c, errors);
}

int gate_rollback(struct gate_gateway *gw, uint64_t generation, uint64_t *now,
                  struct gate_errors **errors)
{
    struct gate_gateway_change c = { .back = true, .number = generation };
    int result;

    pthread_mutex_lock(&gw->lock);
    c.as = ++gw->last_number;
    pthread_mutex_unlock(&gw->lock);
    result = change(gw, &c, errors);
    if (result == 0 && now != NULL)
        *now = c.as;
    return result;
}
