/* Renewal: the VM of a worker stays full of what its modules keep, and calls that come at the wrong
 * time end for it. All workers get fresh VMs: what serves is loaded again, from its bundle, not
 * from its files. Seldom, for modules forget what they knew. */
#include "base/mem.h"
#include "run/canary.h"
#include "run/reload.h"

/* Between two renewals; doubled, up to the longest, while VMs are full again before it is over. */
#define WAIT_LEAST (60 * GATE_SEC)
#define WAIT_MOST  (600 * GATE_SEC)

struct ask {
    struct gate_mail mail;
    struct gate_run_worker *worker;
    struct gate_vm_fullness full;
};

static double mib(uint64_t bytes)
{
    return (double)bytes / (1024 * 1024);
}

static void say(struct gate_engine *e, const struct ask *a, const char *what)
{
    gate_logf(&e->log, GATE_LOG_WARN,
              "worker %u: its scripts keep %.1f of %.1f MiB (vm_memory) for long, so that calls "
              "may end for want of memory; %s",
              a->worker->base.index, mib(a->full.kept), mib(a->full.cap), what);
}

/* One line for each generation that is full and has to stay. */
static void say_once(struct gate_engine *e, const struct ask *a, const char *why)
{
    if (!e->renewals.told)
        say(e, a, why);
    e->renewals.told = true;
}

/* The time until the next: longer when VMs were full again before it was over. */
static uint64_t wait_after(const struct gate_engine *e)
{
    const struct gate_renewals *r = &e->renewals;

    if (r->full_ns - e->current->made_ns >= r->wait_ns)
        return WAIT_LEAST;
    return r->wait_ns >= WAIT_MOST / 2 ? WAIT_MOST : r->wait_ns * 2;
}

static void renew(struct gate_engine *e, const struct ask *a, uint64_t now)
{
    struct gate_renewals *r = &e->renewals;
    struct gate_reload_wish wish = { .why = GATE_RELOAD_RENEW };
    char text[120];

    r->wait_ns = wait_after(e);
    r->next_ns = now + r->wait_ns;
    r->count++;
    snprintf(text, sizeof(text),
             "all workers get fresh VMs, and modules begin anew; not again within %llu s",
             (unsigned long long)(r->wait_ns / GATE_SEC));
    say(e, a, text);
    gate_reload_start(e, &wish);
}

/* The generation that serves is full. */
static void consider(struct gate_engine *e, const struct ask *a)
{
    struct gate_renewals *r = &e->renewals;
    uint64_t now = gate_clock_now_ns(&e->clock);
    char why[100];

    if (r->full != e->current->g.number) {
        r->full = e->current->g.number;
        r->full_ns = now;
        r->told = false;
    }
    if (e->host != NULL) {
        say_once(e, a, "activate another generation for fresh VMs");
    } else if (a->full.born > a->full.cap / 10 * 9) {
        say_once(e, a, "the file itself needs so much, and a fresh VM would be as full: raise "
                       "vm_memory");
    } else if (now >= r->next_ns) {
        renew(e, a, now);
    } else {
        snprintf(why, sizeof(why), "workers get fresh VMs in %llu s if that stays so",
                 (unsigned long long)((r->next_ns - now) / GATE_SEC));
        say_once(e, a, why);
    }
}

/* What is under way makes new VMs, or will have ended when the worker asks again. The VM may be
 * gone already: it is only compared. */
static void on_ask(struct gate_mail *m, void *engine)
{
    struct ask *a = gate_container_of(m, struct ask, mail);
    struct gate_engine *e = engine;
    const struct gate_live *now = e->current;

    if (!e->draining && e->reload == NULL && !gate_canary_runs(e) &&
        now->slots[a->worker->base.index].seat.vm == a->full.vm)
        consider(e, a);
    gate_free(a);
}

void gate_renewal_ask(struct gate_worker *worker, const struct gate_vm_fullness *f)
{
    struct gate_run_worker *w = gate_container_of(worker, struct gate_run_worker, base);
    struct ask *a = gate_alloc(sizeof(*a));

    a->mail.deliver = on_ask;
    a->worker = w;
    a->full = *f;
    gate_mailbox_post(&w->engine->mail, &a->mail);
}
