#include "run/canary.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define LOOK_MS 200

enum state {
    BEGINS,     /* workers get their parts */
    RUNS,
    ENDS,       /* workers are told how it ends */
    OVER
};

struct gate_canary {
    struct gate_engine *engine;
    struct gate_canary_order order;
    char conditions[600];
    enum state state;
    bool promoted;
    struct gate_live *live;             /* NULL: it is over */
    struct gate_live_trial *trials;     /* by worker; NULL: it is over */
    void (*begun)(struct gate_live *live);
    uint64_t number;
    uint64_t against;                   /* number of what served beside it */
    uint64_t began_ns;
    uint64_t ran_ms;                    /* when it was over */
    struct gate_timer look;
    uint32_t looked;                    /* workers that have, since it was due */
    struct gate_canary_figures canary;  /* as of the last look */
    struct gate_canary_figures current;
    char why[640];                      /* it ended so */
};

bool gate_canary_runs(const struct gate_engine *e)
{
    return e->canary != NULL && e->canary->state == RUNS;
}

uint64_t gate_canary_number(const struct gate_engine *e)
{
    return e->canary != NULL && e->canary->state < ENDS ? e->canary->number : 0;
}

static uint64_t ran_ms(const struct gate_canary *c)
{
    if (c->state == OVER)
        return c->ran_ms;
    return c->state == BEGINS ? 0 : (gate_clock_now_ns(&c->engine->clock) - c->began_ns) / GATE_MS;
}

static void gather(struct gate_canary *c)
{
    uint32_t n = c->engine->n_workers;

    gate_canary_sum(&c->trials->canary, n, sizeof(*c->trials), &c->canary);
    gate_canary_sum(&c->trials->current, n, sizeof(*c->trials), &c->current);
}

/* The end */

static double percent(uint64_t n, uint64_t of)
{
    return of == 0 ? 0 : 100.0 * (double)n / (double)of;
}

static void put_figures(uint64_t number, const struct gate_canary_figures *f, char *to, size_t cap)
{
    snprintf(to, cap,
             "generation %llu: %llu requests, errors %.2f%%, faults %.2f%%, kills %.2f%%, "
             "p99 %.2f ms",
             (unsigned long long)number, (unsigned long long)f->requests,
             percent(f->errors, f->requests), percent(f->faults, f->requests),
             percent(f->kills, f->requests), (double)f->p99_us / 1000);
}

static void log_end(const struct gate_canary *c)
{
    char mine[200], other[200];

    put_figures(c->number, &c->canary, mine, sizeof(mine));
    put_figures(c->against, &c->current, other, sizeof(other));
    gate_logf(&c->engine->log, c->promoted ? GATE_LOG_INFO : GATE_LOG_WARN,
              "canary %s, generation %llu serves: %s; %s; %s",
              c->promoted ? "promoted" : "withdrawn",
              (unsigned long long)(c->promoted ? c->number : c->against), c->why, mine, other);
}

/* All workers have done it. */
static void end(struct gate_canary *c)
{
    c->ran_ms = ran_ms(c);
    c->state = OVER;
    c->live->canary = NULL;
    c->live = NULL;
    gate_free(c->trials);
    c->trials = NULL;
    c->engine->canaries_promoted += c->promoted;
    c->engine->canaries_withdrawn += !c->promoted;
    log_end(c);
    if (c != c->engine->canary)
        gate_canary_free(&c);
}

static void on_promoted(struct gate_live *live)
{
    gate_live_drop_aliases(live);
    gate_live_apply(live->engine, NULL);
    end(live->canary);
    gate_reload_note(live->engine, NULL);
}

static void on_withdrawn(struct gate_live *live)
{
    end(live->canary);
}

static void promote(struct gate_canary *c)
{
    struct gate_engine *e = c->engine;

    gate_loop_untimer(&e->loop, &c->look);
    c->state = ENDS;
    c->promoted = true;
    snprintf(c->why, sizeof(c->why), "no condition held: %s", c->conditions);
    gate_live_promote(c->live, on_promoted);
    gate_kept_note(e, c->live);
}

static void withdraw(struct gate_canary *c, const char *why)
{
    gate_loop_untimer(&c->engine->loop, &c->look);
    gather(c);
    c->state = ENDS;
    snprintf(c->why, sizeof(c->why), "%s", why);
    gate_live_withdraw(c->live, on_withdrawn);
    gate_heir_provide(c->engine);
}

bool gate_canary_withdraw(struct gate_engine *e, const char *why)
{
    if (!gate_canary_runs(e))
        return false;
    withdraw(e->canary, why);
    return true;
}

/* The verdict */

static void judge(struct gate_canary *c, bool over)
{
    const struct gate_condition *held;
    char why[300];

    gather(c);
    if (c->canary.requests < GATE_CANARY_MIN) {
        snprintf(why, sizeof(why), "it has seen only %llu of the %d requests that a verdict needs",
                 (unsigned long long)c->canary.requests, GATE_CANARY_MIN);
        if (over)
            withdraw(c, why);
        return;
    }
    held = gate_conditions_check(&c->order.conditions, &c->canary, &c->current);
    if (held != NULL) {
        gate_condition_explain(held, &c->canary, &c->current, c->against, why, sizeof(why));
        withdraw(c, why);
    } else if (over) {
        promote(c);
    }
}

/* All workers have looked: the verdict, or the next look. */
static void looked(struct gate_canary *c)
{
    uint64_t ran = ran_ms(c), left;

    /* An order has ended it meanwhile. Or the gateway ends, and everything with it. */
    if (c->state != RUNS || c->engine->draining)
        return;
    judge(c, ran >= c->order.for_ms);
    if (c->state != RUNS)
        return;
    left = c->order.for_ms - ran;
    gate_loop_timer(&c->engine->loop, &c->look, left < LOOK_MS ? left : LOOK_MS);
}

static void on_worker_looked(struct gate_mail *m, void *engine)
{
    struct gate_canary *c =
        gate_container_of(m, struct gate_live_trial, looked)->live->canary;

    (void)engine;
    if (++c->looked == c->engine->n_workers)
        looked(c);
}

static void on_worker_look(struct gate_mail *m, void *worker)
{
    struct gate_live_trial *trial = gate_container_of(m, struct gate_live_trial, look);
    struct gate_run_worker *w = worker;

    if (w->ended)
        return;
    gate_canary_look(&w->base);
    trial->looked.deliver = on_worker_looked;
    gate_mailbox_post(&w->engine->mail, &trial->looked);
}

/* What a look mails is back before the end of a canary can be: mail keeps its order. */
static void on_look(struct gate_timer *t)
{
    struct gate_canary *c = gate_container_of(t, struct gate_canary, look);
    struct gate_engine *e = c->engine;

    c->looked = 0;
    for (uint32_t i = 0; i < e->n_workers && !e->draining; i++) {
        c->trials[i].look.deliver = on_worker_look;
        gate_mailbox_post(&e->workers[i].base.mail, &c->trials[i].look);
    }
}

/* The beginning */

static void on_begun(struct gate_live *live)
{
    struct gate_canary *c = live->canary;
    struct gate_engine *e = live->engine;
    char share[16], time[24];

    c->state = RUNS;
    c->began_ns = gate_clock_now_ns(&e->clock);
    gate_canary_order_share_text(c->order.share, share);
    gate_canary_order_time_text(c->order.for_ms, time);
    gate_logf(&e->log, GATE_LOG_INFO,
              "canary: generation %llu gets %s of new requests for %s, beside generation %llu; "
              "withdrawn if %s",
              (unsigned long long)c->number, share, time, (unsigned long long)c->against,
              c->conditions);
    gate_loop_timer(&e->loop, &c->look, LOOK_MS);
    c->begun(live);
}

/* Until it is promoted, what it is made of does not serve by itself: not when its files are
 * touched, nor when an engine dies of it. */
static void give_up(struct gate_canary *c)
{
    gate_given_up_add(c->engine, &(struct gate_given_up){
        .hash = c->live->g.hash, .number = c->number, .why = GATE_GIVEN_UP_CANARY });
    gate_heir_provide(c->engine);
}

void gate_canary_begin(struct gate_engine *e, struct gate_live *live,
                       const struct gate_canary_order *order,
                       void (*begun)(struct gate_live *live))
{
    struct gate_canary *c = gate_calloc(1, sizeof(*c));

    /* The one before may still have to hear from a worker; then it goes by itself. */
    if (e->canary != NULL && e->canary->state == OVER)
        gate_canary_free(&e->canary);
    e->canary = live->canary = c;
    c->engine = e;
    gate_timer_init(&c->look, on_look);
    c->order = *order;
    gate_conditions_text(&order->conditions, c->conditions, sizeof(c->conditions));
    c->begun = begun;
    c->live = live;
    c->number = live->g.number;
    c->against = e->current->g.number;
    c->trials = gate_calloc_lines(e->n_workers * sizeof(*c->trials));
    for (uint32_t i = 0; i < e->n_workers; i++) {
        c->trials[i].share = order->share;
        c->trials[i].live = live;
    }
    give_up(c);
    gate_live_try(live, c->trials, on_begun);
}

/* Words for others */

bool gate_canary_report(struct gate_engine *e, struct gate_report_canary *out)
{
    static const char *const states[] = { "begins", "runs", "ends" };
    struct gate_canary *c = e->canary;

    if (c == NULL)
        return false;
    if (c->state == RUNS)
        gather(c);
    *out = (struct gate_report_canary){
        .number = c->number,
        .against = c->against,
        .state = c->state != OVER ? states[c->state] : c->promoted ? "promoted" : "withdrawn",
        .why = c->why,
        .conditions = c->conditions,
        .over = c->state == OVER,
        .share = c->order.share,
        .for_ms = c->order.for_ms,
        .ran_ms = ran_ms(c),
        .needed = GATE_CANARY_MIN,
        .canary = &c->canary,
        .current = &c->current,
        .promoted = e->canaries_promoted,
        .withdrawn = e->canaries_withdrawn,
    };
    return true;
}

void gate_canary_gone(struct gate_live *live)
{
    struct gate_canary *c = live->canary;

    live->canary = NULL;
    if (c != NULL && c != live->engine->canary)
        gate_canary_free(&c);
}

void gate_canary_free(struct gate_canary **canary)
{
    struct gate_canary *c = *canary;

    *canary = NULL;
    if (c == NULL)
        return;
    gate_loop_untimer(&c->engine->loop, &c->look);
    gate_free(c->trials);
    gate_free(c);
}
