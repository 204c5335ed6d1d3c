/* Waits: one embedded per waiting thing. A wake never runs anything: it links the waiter into
 * the ready queue. One thread. */
#ifndef GATE_NET_WAIT_H
#define GATE_NET_WAIT_H

#include "base/err.h"
#include "net/loop.h"

enum gate_wait_state { GATE_WAIT_IDLE, GATE_WAIT_ARMED, GATE_WAIT_WOKEN };

struct gate_wait {
    struct gate_ready ready;
    struct gate_timer timer;
    struct gate_loop *loop;
    /* Called from the drain with the result: GATE_OK or what wake was given; GATE_E_TIMEOUT when
     * the deadline passed. */
    void (*fn)(struct gate_wait *w, enum gate_err result);
    /* Undoes what the waiter waits for; called once by cancel of an armed wait, or by the deadline
     * (before fn). May be NULL. */
    void (*on_cancel)(struct gate_wait *w);
    void *arg;          /* of fn */
    void *user;         /* of on_cancel: whoever it waits for */
    enum gate_err result;
    uint8_t state;
};

void gate_wait_init(struct gate_wait *w, struct gate_loop *loop,
                    void (*fn)(struct gate_wait *w, enum gate_err result), void *arg);

/* Begins to wait; deadline_ms 0: none, else loop time at which it ends with GATE_E_TIMEOUT.
 * Asserts that it is idle. */
void gate_wait_arm(struct gate_wait *w, uint64_t deadline_ms,
                   void (*on_cancel)(struct gate_wait *w));

/* Ends the wait with a result; fn runs at the next drain. A wake of an idle or woken one does
 * nothing. */
void gate_wait_wake(struct gate_wait *w, enum gate_err result);

/* Only inside fn: it is called once more, with the same result, behind all that is ready, as work
 * that is known to take long. */
void gate_wait_put_off(struct gate_wait *w);

/* Ends an armed wait as its deadline would, but with this result: what it waits for is undone, and
 * fn runs at the next drain. */
void gate_wait_expire(struct gate_wait *w, enum gate_err result);

/* Ends it without calling fn; the waiter is idle. on_cancel runs when the wait was armed; one that
 * was woken has nothing left to undo (what it was given is the caller's to return: see state). Safe
 * in every state. */
void gate_wait_cancel(struct gate_wait *w);

#endif
