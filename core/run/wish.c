/* Wishes: what is asked of the generations, by whom, and what comes when one load goes on. */
#include "run/canary.h"
#include "run/reload.h"

const char *gate_wish_name(enum gate_reload_why why)
{
    switch (why) {
    case GATE_RELOAD_ROLLBACK:
        return "rollback";
    case GATE_RELOAD_CANARY:
        return "canary";
    case GATE_RELOAD_ACTIVATE:
        return "activation";
    case GATE_RELOAD_RENEW:
        return "renewal";
    default:
        return "reload";
    }
}

void gate_wish_answer(struct gate_engine *e, const struct gate_reload_wish *wish, int status,
                      const char *text)
{
    for (uint32_t i = 0; i < wish->n_tickets; i++)
        gate_admin_answer(e->admin, wish->tickets[i], status, text);
}

/* An order ends a canary that runs. To bring back what serves is to end it, and nothing more. True:
 * that was all. */
static bool ends_canary(struct gate_engine *e, const struct gate_reload_wish *wish)
{
    char text[100];
    bool back;

    if (wish->why == GATE_RELOAD_WATCH || !gate_canary_runs(e))
        return false;
    snprintf(text, sizeof(text), "replaced by a %s", gate_wish_name(wish->why));
    back = wish->why == GATE_RELOAD_ROLLBACK && wish->number == 0;
    gate_canary_withdraw(e, back ? "rolled back" : text);
    if (!back)
        return false;
    snprintf(text, sizeof(text), "the canary is withdrawn, generation %llu serves\n",
             (unsigned long long)e->current->g.number);
    gate_wish_answer(e, wish, 200, text);
    return true;
}

void gate_wish_grant(struct gate_engine *e, const struct gate_reload_wish *wish)
{
    if (!ends_canary(e, wish))
        gate_reload_start(e, wish);
}

/* Whoever waits for a canary must not take another load's answer for a verdict, nor the other way
 * round. */
static void drop_waiting(struct gate_engine *e, struct gate_reload_wish *next)
{
    gate_wish_answer(e, next, 409, "another order has come after this one\n");
    next->n_tickets = 0;
}

/* One load goes on, and may have read what is old by now: the wish comes next. Of several the last
 * one counts; all who wait hear of it. */
static void queue(struct gate_engine *e, const struct gate_reload_wish *wish)
{
    struct gate_reload_wish *next = &e->next;

    if (!e->has_next)
        next->n_tickets = 0;
    /* A change that is seen must not undo a rollback that somebody asks for at this moment. */
    if (!e->has_next || wish->why != GATE_RELOAD_WATCH) {
        if (next->why == GATE_RELOAD_CANARY || wish->why == GATE_RELOAD_CANARY)
            drop_waiting(e, next);
        next->why = wish->why;
        next->number = wish->number;
        next->canary = wish->canary;
    }
    e->has_next = true;
    if (wish->n_tickets == 1 && next->n_tickets < GATE_RELOAD_TICKETS)
        next->tickets[next->n_tickets++] = wish->tickets[0];
    else if (wish->n_tickets == 1)
        gate_admin_answer(e->admin, wish->tickets[0], 503, "too many wait for a reload\n");
}

static void take_wish(struct gate_engine *e, struct gate_reload_wish *wish,
                      const struct gate_handle *ticket)
{
    if (ticket != NULL)
        wish->tickets[wish->n_tickets++] = *ticket;
    if (!e->draining && e->reload == NULL)
        gate_wish_grant(e, wish);
    else if (!e->draining)
        queue(e, wish);
    else if (ticket != NULL)
        gate_admin_answer(e->admin, *ticket, 503, "the gateway is draining\n");
}

void gate_reload_begin(struct gate_engine *e, enum gate_reload_why why,
                       const struct gate_handle *ticket)
{
    struct gate_reload_wish wish = { .why = why };

    take_wish(e, &wish, ticket);
}

void gate_reload_rollback(struct gate_engine *e, uint64_t number, const struct gate_handle *ticket)
{
    struct gate_reload_wish wish = { .why = GATE_RELOAD_ROLLBACK, .number = number };

    take_wish(e, &wish, ticket);
}

void gate_reload_canary(struct gate_engine *e, const struct gate_canary_order *order,
                        const struct gate_handle *ticket)
{
    struct gate_reload_wish wish = { .why = GATE_RELOAD_CANARY, .canary = *order };

    take_wish(e, &wish, ticket);
}
