/* Lock: a word that one thread at a time holds, in memory that several processes map. When the
 * holder dies, however it dies, the kernel marks the word, and whoever takes it next is told.
 *
 * This is the kernel's own protocol of robust futexes (get_robust_list(2)): the word holds the
 * thread's id, and while a thread takes or holds one, `list_op_pending` of its robust list says
 * where it is. Mutexes of the C library do the same and more, and cost three times as much; here a
 * thread holds one lock at a time, for a microsecond. So those who wait spin, and after a while
 * sleep in between; giving is a plain store. */
#ifndef GATE_SHARED_LOCK_INT_H
#define GATE_SHARED_LOCK_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/futex.h>

/* The thread's own part, found out when it takes its first lock. */
struct gate_lock_self {
    uint32_t tid;
    struct robust_list_head *robust;
};

extern _Thread_local struct gate_lock_self gate_lock_me;

void gate_lock_learn(struct gate_lock_self *me);
bool gate_lock_wait(uint32_t *word, uint32_t tid);

/* True: its last holder died with it. A thread takes no second one. */
static inline bool gate_lock_take(uint32_t *word)
{
    struct gate_lock_self *me = &gate_lock_me;
    uint32_t nobody = 0;

    if (__builtin_expect(me->tid == 0, 0))
        gate_lock_learn(me);
    me->robust->list_op_pending =
        (struct robust_list *)((char *)word - me->robust->futex_offset);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (__builtin_expect(__atomic_compare_exchange_n(word, &nobody, me->tid, false,
                                                     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED), 1))
        return false;
    return gate_lock_wait(word, me->tid);
}

static inline void gate_lock_give(uint32_t *word)
{
    __atomic_store_n(word, 0, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    gate_lock_me.robust->list_op_pending = NULL;
}

#endif
