/* Too many live generations: the oldest has to end. */
#include "base/mem.h"
#include "run/engine_int.h"

/* Generations that may be live. */
#define LIVE_MAX 8

/* By number: it may have ended meanwhile. */
struct end_mail {
    struct gate_mail mail;
    uint64_t number;
};

/* What waits goes on and sees it; clients are cut. Tunnels stay. */
static void end_seat(struct gate_run_worker *w, struct gate_seat_slot *s)
{
    if (s->seat.vm != NULL && s->seat.vm != w->base.seat->vm)
        gate_vm_expire(s->seat.vm);
    gate_session_cut(&w->base, &s->seat);
}

static void on_end(struct gate_mail *m, void *worker)
{
    struct end_mail *end = gate_container_of(m, struct end_mail, mail);
    struct gate_run_worker *w = worker;

    for (struct gate_list *n = w->seats.next; n != &w->seats; n = n->next) {
        struct gate_seat_slot *s = gate_container_of(n, struct gate_seat_slot, node);

        if (s->live->g.number == end->number)
            end_seat(w, s);
    }
    gate_free(end);
}

static void tell_end(struct gate_engine *e, struct gate_live *live)
{
    live->ended = true;
    gate_logf(&e->log, GATE_LOG_WARN, "generation %llu has to end: more than %d are live",
              (unsigned long long)live->g.number, LIVE_MAX);
    for (uint32_t i = 0; i < live->n; i++) {
        struct end_mail *m = gate_alloc(sizeof(*m));

        m->number = live->g.number;
        m->mail.deliver = on_end;
        gate_mailbox_post(&e->workers[i].base.mail, &m->mail);
    }
}

/* There are more than may live: the oldest are told to end, each once. What serves may be older
 * than canaries that were withdrawn. */
void gate_live_end_oldest(struct gate_engine *e)
{
    uint32_t n = 0;

    for (struct gate_list *at = e->generations.next; at != &e->generations; at = at->next)
        n += !gate_container_of(at, struct gate_live, node)->ended;
    for (struct gate_list *at = e->generations.next; n > LIVE_MAX; at = at->next) {
        struct gate_live *live = gate_container_of(at, struct gate_live, node);

        if (live->ended || live == e->current)
            continue;
        tell_end(e, live);
        n--;
    }
}
