#include "net/conn_fault.h"

#include <errno.h>

#include "base/assert.h"
#include "net/conn_int.h"

#define MAX_IOV 64

/* The plan hangs on a pointer that libev leaves to us, so that a conn does not grow for its
 * tests. */
static struct gate_fault_plan *plan_of(const struct gate_conn *c)
{
    return c->in.data;
}

/* Counts the operation; true when it is the one that fails. */
static bool fails(struct gate_fault_plan *plan, enum gate_err *err)
{
    if (++plan->calls != plan->fail_at)
        return false;
    errno = plan->fail_errno;
    *err = gate_conn_error(plan->fail_errno);
    return true;
}

/* Copies iov up to `max` bytes (0: all); returns how many entries are used. */
static int cut(const struct iovec *iov, int count, size_t max, struct iovec to[MAX_IOV])
{
    int n = 0;

    if (max == 0)
        max = SIZE_MAX;
    for (int i = 0; i < count && n < MAX_IOV && max > 0; i++) {
        to[n] = iov[i];
        if (to[n].iov_len > max)
            to[n].iov_len = max;
        max -= to[n].iov_len;
        n++;
    }
    return n;
}

/* What becomes of an operation before it is tried: GATE_OK lets it through. */
static enum gate_err before(struct gate_fault_plan *plan, bool *again, uint8_t *wants,
                            enum gate_want want)
{
    enum gate_err err;

    if (fails(plan, &err))
        return err;
    if (!*again)
        return GATE_OK;
    *again = false;
    *wants = (uint8_t)want;
    return GATE_E_AGAIN;
}

static enum gate_err before_read(struct gate_conn *c)
{
    struct gate_fault_plan *plan = plan_of(c);

    return before(plan, &plan->again_read, &c->read_wants, GATE_WANT_READ);
}

static enum gate_err before_write(struct gate_conn *c)
{
    struct gate_fault_plan *plan = plan_of(c);

    return before(plan, &plan->again_write, &c->write_wants, GATE_WANT_WRITE);
}

static enum gate_err fault_read(struct gate_conn *c, const struct iovec *iov, int count, size_t *n)
{
    struct gate_fault_plan *plan = plan_of(c);
    struct iovec few[MAX_IOV];
    enum gate_err err = before_read(c);

    *n = 0;
    if (err != GATE_OK)
        return err;
    count = cut(iov, count, plan->max_bytes, few);
    err = gate_conn_plain.read(c, few, count, n);
    plan->again_read = plan->again_after_each && err == GATE_OK;
    return err;
}

static enum gate_err fault_write(struct gate_conn *c, const struct iovec *iov, int count, size_t *n)
{
    struct gate_fault_plan *plan = plan_of(c);
    struct iovec few[MAX_IOV];
    enum gate_err err = before_write(c);

    *n = 0;
    if (err != GATE_OK)
        return err;
    count = cut(iov, count, plan->max_bytes, few);
    err = gate_conn_plain.write(c, few, count, n);
    plan->again_write = plan->again_after_each && err == GATE_OK;
    return err;
}

static size_t at_most(const struct gate_fault_plan *plan, size_t n)
{
    return plan->max_bytes != 0 && n > plan->max_bytes ? plan->max_bytes : n;
}

static enum gate_err fault_to_pipe(struct gate_conn *c, int pipe, size_t max, size_t *n)
{
    struct gate_fault_plan *plan = plan_of(c);
    enum gate_err err = before_read(c);

    *n = 0;
    if (err != GATE_OK)
        return err;
    err = gate_conn_plain.to_pipe(c, pipe, at_most(plan, max), n);
    plan->again_read = plan->again_after_each && err == GATE_OK;
    return err;
}

static enum gate_err fault_from_pipe(struct gate_conn *c, int pipe, size_t max, size_t *n)
{
    struct gate_fault_plan *plan = plan_of(c);
    enum gate_err err = before_write(c);

    *n = 0;
    if (err != GATE_OK)
        return err;
    err = gate_conn_plain.from_pipe(c, pipe, at_most(plan, max), n);
    plan->again_write = plan->again_after_each && err == GATE_OK;
    return err;
}

/* Never sets again_read: who peeks before each read would get nowhere. */
static enum gate_err fault_peek(struct gate_conn *c, void *to, size_t cap, size_t *n)
{
    enum gate_err err = before_read(c);

    *n = 0;
    if (err != GATE_OK)
        return err;
    return gate_conn_plain.peek(c, to, at_most(plan_of(c), cap), n);
}

static size_t fault_pending(const struct gate_conn *c)
{
    return gate_conn_plain.pending(c);
}

static enum gate_err fault_shut(struct gate_conn *c)
{
    enum gate_err err;

    if (fails(plan_of(c), &err))
        return err;
    return gate_conn_plain.shut(c);
}

static void fault_fini(struct gate_conn *c)
{
    c->in.data = NULL;
}

const struct gate_conn_ops gate_conn_faulty = {
    .name = "faulty",
    .read = fault_read,
    .write = fault_write,
    .peek = fault_peek,
    .to_pipe = fault_to_pipe,
    .from_pipe = fault_from_pipe,
    .pending = fault_pending,
    .shut = fault_shut,
    .fini = fault_fini,
};

void gate_conn_fault_wrap(struct gate_conn *c, struct gate_fault_plan *plan)
{
    GATE_ASSERT(c->ops == &gate_conn_plain && gate_conn_is_open(c));
    c->ops = &gate_conn_faulty;
    c->in.data = plan;
}
