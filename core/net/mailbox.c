#include "net/mailbox.h"

#include <stddef.h>

/* Takes all mails, oldest first: the senders push on a stack, which is turned round here. */
static struct gate_mail *take_all(struct gate_mailbox *box)
{
    struct gate_mail *from = atomic_exchange_explicit(&box->head, NULL, memory_order_acquire);
    struct gate_mail *first = NULL;

    while (from != NULL) {
        struct gate_mail *next = from->next;

        from->next = first;
        first = from;
        from = next;
    }
    return first;
}

static void deliver_all(struct gate_mailbox *box)
{
    void *receiver = box->receiver;
    struct gate_mail *m = take_all(box);

    while (m != NULL) {
        struct gate_mail *next = m->next;

        m->deliver(m, receiver);
        m = next;
    }
}

static void on_ready(struct gate_ready *r)
{
    deliver_all(gate_container_of(r, struct gate_mailbox, ready));
}

static void on_async(struct ev_loop *ev, struct ev_async *async, int events)
{
    struct gate_mailbox *box = gate_container_of(async, struct gate_mailbox, async);

    (void)ev;
    (void)events;
    gate_loop_ready(box->loop, &box->ready);
}

void gate_mailbox_open(struct gate_mailbox *box, struct gate_loop *loop, void *receiver)
{
    atomic_init(&box->head, NULL);
    gate_ready_init(&box->ready, on_ready);
    box->loop = loop;
    box->receiver = receiver;
    ev_async_init(&box->async, on_async);
    ev_async_start(loop->ev, &box->async);
}

void gate_mailbox_close(struct gate_mailbox *box)
{
    while (atomic_load_explicit(&box->head, memory_order_relaxed) != NULL)
        deliver_all(box);
    gate_ready_cancel(&box->ready);
    ev_async_stop(box->loop->ev, &box->async);
}

void gate_mailbox_post(struct gate_mailbox *box, struct gate_mail *m)
{
    struct gate_mail *head = atomic_load_explicit(&box->head, memory_order_relaxed);

    do {
        m->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&box->head, &head, m, memory_order_release,
                                                    memory_order_relaxed));
    /* After the push the mail may already be gone. Who found the box empty rings; the others'
     * ring is still on its way. */
    if (head == NULL)
        ev_async_send(box->loop->ev, &box->async);
}
