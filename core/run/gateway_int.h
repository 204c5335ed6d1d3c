/* Gateway, inside: what stands behind moongate.h: an engine without a process of its own, and the
 * control thread that runs it. */
#ifndef GATE_RUN_GATEWAY_INT_H
#define GATE_RUN_GATEWAY_INT_H

#include "moongate.h"
#include "run/engine_int.h"
#include "script/native.h"

struct gate_gateway_change;

struct gate_gateway {
    struct gate_engine engine;  /* control's; log, clock, watchdog, shared: any thread's */
    struct gate_host host;
    struct gate_options options;    /* never change, but for workers, once (lock) */
    struct gate_setup setup;        /* without the pointers of options */
    pthread_t control;
    sem_t up;                       /* posted when the engine is open, or cannot be had */
    int open_error;
    bool left_over;                 /* a script would not end */
    pthread_mutex_t changes;        /* held by who changes what serves: one after the other */
    struct gate_gateway_change *change; /* control's: what is under way */
    pthread_mutex_t lock;           /* of all below */
    pthread_cond_t changed;
    bool over;                      /* no order is taken any more */
    bool drains;                    /* was told to: nothing is loaded any more */
    bool ended;
    uint32_t users;                 /* calls that use the engine on other threads */
    uint64_t last_number;
    struct gate_list made;          /* struct gate_made: loaded, waiting for activation */
    uint32_t n_made;                /* and those that are being loaded */
    struct gate_list files;         /* gateway_files.c only */
};

/* What another thread wants of control. */
struct gate_gateway_order {
    struct gate_mail mail;
    struct gate_gateway *gw;
    void (*run)(struct gate_gateway_order *o);  /* on control; answers, now or later */
    sem_t answered;
    int result;
};

/* Has the order run on control and waits for its answer. ESHUTDOWN: the gateway is over. */
int gate_gateway_ask(struct gate_gateway *gw, struct gate_gateway_order *o,
                     void (*run)(struct gate_gateway_order *o));

/* On control. The order may be gone afterwards. */
void gate_gateway_answer(struct gate_gateway_order *o, int result);

static inline bool gate_gateway_is_control(const struct gate_gateway *gw)
{
    return pthread_equal(pthread_self(), gw->control);
}

/* Keeps the engine open until the end; false: it is over. */
bool gate_gateway_use(struct gate_gateway *gw);
void gate_gateway_unuse(struct gate_gateway *gw);

/* gateway_files.c. The files as they are now as the bundle of `main`; on failure *why says what is
 * wrong with that file. */
enum gate_err gate_gateway_bundle(struct gate_gateway *gw, const char *main,
                                  struct gate_bundle **out, char *why, size_t cap);
void gate_gateway_drop_files(struct gate_gateway *gw);

/* gateway_load.c. Frees what waits for activation. The caller has the lock. */
void gate_gateway_drop_made_locked(struct gate_gateway *gw);

/* Takes one out of those; NULL: there is none of that number. */
struct gate_made *gate_gateway_take_made(struct gate_gateway *gw, uint64_t number);

/* gateway_change.c. What the engine tells its host of a wish. */
void gate_gateway_ready(struct gate_host *h, uint64_t number);
void gate_gateway_refused(struct gate_host *h, const struct gate_load_errors *errors);

/* gateway_errors.c. Copies, for the program; of one error without a place. */
struct gate_errors *gate_gateway_errors(const struct gate_load_errors *from);
struct gate_errors *gate_gateway_error(const char *message);

/* Hands a list over to who wants it (may be NULL), or frees it. */
void gate_gateway_give_errors(struct gate_errors *list, struct gate_errors **to);

#endif
