/* Private to run/: the engine and what hangs on it. All is the control thread's but for what is
 * said to be another's. */
#ifndef GATE_RUN_ENGINE_INT_H
#define GATE_RUN_ENGINE_INT_H

#include <pthread.h>
#include <semaphore.h>

#include "admin/hook_totals.h"
#include "admin/report.h"
#include "admin/server.h"
#include "base/log_writer.h"
#include "exchange/worker.h"
#include "net/offload.h"
#include "run/broker.h"
#include "run/canary_order.h"
#include "run/crash.h"
#include "run/host.h"
#include "run/legacy.h"
#include "run/load.h"
#include "run/options.h"
#include "script/secrets.h"
#include "script/watchdog.h"
#include "session/session.h"
#include "shared/shared.h"
#include "tls/tickets.h"

struct gate_engine;
struct gate_live;
struct gate_resolver;

/* A worker: the thread, and what run/ keeps beside struct gate_worker. Its own thread's but for
 * what is said. */
struct gate_run_worker {
    struct gate_worker base;
    struct gate_engine *engine;
    pthread_t thread;               /* control's */
    sem_t up;                       /* posted when the loop can take mail, or cannot be had */
    enum gate_err start_err;
    int start_errno;                /* of the thread, when it could not start */
    uint32_t pipes;                 /* that its loop may open */
    struct gate_list acceptors;
    struct gate_timer unpause;      /* after EMFILE */
    struct gate_timer leave;        /* acceptors of addresses that go */
    struct gate_timer drain;        /* looks whether all is over */
    uint64_t drain_by_ms;           /* when what is left is cut */
    struct gate_log_pace accept_pace; /* lines about accepts that failed */
    bool paused;
    bool stopping;
    bool ended;                     /* control's: the thread is gone */
    struct gate_list seats;         /* struct gate_seat_slot, all that this worker has */
    _Atomic uint32_t pong;          /* number of the last ping that was answered; anybody reads */
    _Atomic bool clean;             /* ended with nothing left over */
    _Atomic uint64_t stall_ns;      /* the longest that a reload kept its loop; anybody reads */
    char crash_stack[GATE_CRASH_STACK];
};

/* A worker's seat in a generation, and the mails that carry it to and fro. Each request counts in
 * it, so that the slots of two workers share no cache line. */
struct gate_seat_slot {
    struct gate_generation_seat seat;
    struct gate_live *live;
    struct gate_run_worker *owner;
    struct gate_list node;          /* the worker's */
    struct gate_mail swap;          /* to the worker: the move */
    void (*move)(struct gate_run_worker *w, struct gate_seat_slot *s); /* serve it, and others */
    struct gate_mail swapped;       /* to control: done */
    struct gate_ready idle;         /* on the worker: nobody uses it any more */
    struct gate_mail gone;          /* to control: detached, may be freed */
    struct gate_timer old;          /* on the worker: what a retired one has to do later */
    uint64_t exit_ms;               /* loop time at which its waits end; 0: not retired */
    struct gate_live_trial *trial;  /* while it is a canary's; borrowed */
} __attribute__((aligned(GATE_CACHE_LINE)));

/* What a canary comes to on one worker; on cache lines of its own likewise. */
struct gate_live_trial {
    uint32_t share;                 /* of GATE_CANARY_WHOLE */
    struct gate_canary_tally canary;
    struct gate_canary_tally current;
    struct gate_live *live;         /* the canary */
    struct gate_mail look;          /* to the worker: gate_canary_look */
    struct gate_mail looked;        /* to control: done */
} __attribute__((aligned(GATE_CACHE_LINE)));

/* A generation with what it was made from. */
struct gate_live {
    struct gate_list node;          /* engine->generations, oldest first */
    struct gate_generation g;
    struct gate_engine *engine;
    struct gate_bundle *bundle;
    struct gate_str code;           /* of its VMs (gate_vm_code_text); owned */
    struct gate_secrets secrets;    /* that its file has read */
    uint64_t from;                  /* the one that it brings back or renews; 0: read anew */
    uint64_t made_ns;
    bool ended;                     /* told to end: there were too many */
    struct gate_listen_point **points;  /* by listener */
    uint32_t session_limit;         /* of each worker */
    uint32_t handshake_limit;
    struct gate_tls_server **tls;   /* by listener; owned, as are its references */
    bool access_log;
    bool access_json;
    struct gate_upstream **upstreams;   /* by ordinal, for its seats; NULL: it has never served */
    struct gate_upstream **tried;   /* the same while it was a canary; NULL: it was none */
    char **aliases;                 /* live_upstreams.c; NULL: none */
    uint32_t n;                     /* seats */
    uint32_t swapped;               /* of the present order to all workers */
    void (*moved)(struct gate_live *live);  /* then called */
    struct gate_canary *canary;     /* it is on trial; NULL: it is not, or not any more */
    uint32_t gone;
    struct gate_seat_slot *slots;
};

/* What was said of a log that loses lines. */
struct gate_log_watch {
    uint64_t dropped;               /* of which it was said */
    uint64_t told_ms;               /* when; 0: never */
};

struct gate_reload;
struct gate_watcher;

struct gate_kept {
    struct gate_bundle *bundle;     /* NULL: none */
    uint64_t number;                /* of the last generation that was made from it */
    uint64_t hash;
    int64_t made_s;
    bool left;                      /* the next engine would find it */
};

/* What this engine knows of the one before it; heir.c. */
struct gate_heir {
    bool present;                   /* kept[0] is to serve again */
    uint64_t from;                  /* as in struct gate_legacy_record */
    uint64_t made_ns;
    uint64_t canary;
};

/* What counters said when somebody last asked for /top. */
struct gate_sample {
    uint64_t ns;                    /* 0: nobody has */
    uint64_t cpu_ns[GATE_WORKERS_MAX];
    uint64_t requests[GATE_WORKERS_MAX];
    struct gate_hook_totals hooks;
};

/* What was asked for. */
enum gate_reload_why {
    GATE_RELOAD_START,
    GATE_RELOAD_HEIR,       /* the start after a crash: what served then */
    GATE_RELOAD_ORDER,      /* a signal, or a command */
    GATE_RELOAD_WATCH,      /* files have changed */
    GATE_RELOAD_ROLLBACK,
    GATE_RELOAD_CANARY,
    GATE_RELOAD_ACTIVATE,   /* the host has a generation that is loaded */
    GATE_RELOAD_RENEW       /* a VM stays full: what serves, with fresh ones */
};

#define GATE_RELOAD_TICKETS 16

struct gate_reload_wish {
    enum gate_reload_why why;
    uint64_t number;        /* of a rollback: the generation; 0: the one before */
    struct gate_canary_order canary;
    struct gate_made *made; /* of an activation; owned */
    uint64_t as;            /* number of the generation that comes of it; 0: the next */
    struct gate_handle tickets[GATE_RELOAD_TICKETS];    /* who waits on the control socket */
    uint32_t n_tickets;
};

/* What bury.c keeps. */
struct gate_burials {
    struct gate_list waiting;       /* struct grave */
    struct gate_list under_way;     /* the thread's, while it works */
    struct gate_timer rest;         /* until those that wait are freed */
    struct gate_mail done;          /* by the thread */
    pthread_t thread;
    bool works;
};

/* What renewal.c keeps. */
struct gate_renewals {
    uint64_t count;                 /* since the start */
    uint64_t next_ns;               /* none before */
    uint64_t wait_ns;               /* between the last one and the next */
    uint64_t full;                  /* number of the last generation that was full */
    uint64_t full_ns;               /* since when */
    bool told;                      /* the log has been told why that one stays */
};

struct gate_engine {
    const struct gate_options *options;
    const char *name;               /* of the gateway, for messages */
    struct gate_host *host;         /* NULL: the process is the engine's own */
    struct gate_clock clock;
    struct gate_log log;            /* any thread */
    struct gate_log_fd_sink first_sink;
    struct gate_log_writer *error_writer;
    struct gate_log_writer *access_writer;  /* NULL: never asked for */
    struct gate_loop loop;
    struct gate_mailbox mail;       /* any thread posts */
    struct gate_broker *broker;
    struct gate_watchdog *watchdog;
    struct gate_offload *offload;
    struct gate_ip_counts *ip_counts;
    struct gate_tunnel_counts *tunnels;
    struct gate_registry *registry;     /* NULL: no worker was started yet */
    struct gate_tls_tickets *tickets;   /* any thread */
    struct gate_shared *shared;     /* any thread */
    struct gate_resolver *resolver;     /* NULL likewise */
    struct gate_admin *admin;       /* NULL: no control socket */
    struct gate_run_worker *workers;
    uint32_t n_workers;             /* 0 until the first load */
    uint32_t processors;
    struct gate_list generations;
    struct gate_live *current;
    struct gate_canary *canary;     /* the last one, or the one that runs; NULL: there was none */
    uint64_t canaries_promoted;
    uint64_t canaries_withdrawn;
    struct gate_reload *reload;     /* the load that goes on; NULL: none */
    struct gate_reload_wish next;   /* asked for meanwhile */
    bool has_next;
    struct gate_renewals renewals;
    struct gate_watcher *watcher;   /* NULL: files are not watched */
    struct gate_kept kept[GATE_KEPT_MAX];   /* newest first */
    struct gate_given_up given_up[GATE_GIVEN_UP_MAX];   /* oldest first */
    uint32_t n_given_up;
    struct gate_heir heir;
    uint64_t last_number;           /* none was higher */
    struct gate_route_totals totals;    /* of generations that are gone */
    struct gate_hook_totals hooks;      /* of VMs that are gone */
    struct gate_sample sample;
    struct gate_burials burials;
    bool closing;                   /* no thread is started any more */
    uint64_t started_ns;
    uint64_t reloads;
    uint64_t reloads_failed;
    int64_t reload_s;
    char *reload_error;             /* of the last one; NULL: it went well */
    bool draining;
    bool quitting;
    uint32_t drained;               /* workers that are done */
    struct gate_timer tick;         /* pings */
    struct gate_timer terms;        /* of certificates: a look once a day */
    uint32_t pings;
    char *log_target;               /* owned */
    char *access_target;
    struct gate_log_watch error_watch;
    struct gate_log_watch access_watch;
    struct ev_io signals;
    int signal_fd;                  /* -1: the supervisor's orders only */
    int status;                     /* of the process */
};

/* worker.c. Starts the thread; returns when it can take mail. `pipes`: its share of those of the
 * process. GATE_E_SYS: errno says why it cannot be had. */
enum gate_err gate_run_worker_start(struct gate_run_worker *w, struct gate_engine *e,
                                    uint32_t index, uint32_t pipes);

/* Stops accepting, lets sessions end until drain_ms are over, then ends. The engine hears of it
 * by gate_control_drained. */
void gate_run_worker_drain(struct gate_run_worker *w, uint32_t drain_ms);

/* Ends at once: what is open is cut. */
void gate_run_worker_quit(struct gate_run_worker *w);
/* After it was drained: waits for its thread. Then, when nobody posts to it any more, takes all
 * down; false: something is left that cannot be. */
void gate_run_worker_join(struct gate_run_worker *w);
bool gate_run_worker_end(struct gate_run_worker *w);
void gate_run_worker_ping(struct gate_run_worker *w, uint32_t number);

/* The test clock was moved. */
void gate_run_worker_refresh(struct gate_run_worker *w);

/* acceptor.c, on the worker's thread. Makes the acceptors those of this generation; others
 * leave. */
void gate_acceptors_apply(struct gate_run_worker *w, const struct gate_live *live);

/* Takes what has queued up, then stops all. */
void gate_acceptors_stop(struct gate_run_worker *w);
void gate_acceptors_init(struct gate_run_worker *w);

/* memory.c: what outlives engines, and whoever keeps it. Takes over what an earlier engine left. */
void gate_memory_adopt(struct gate_engine *e);

/* Gives dictionaries that are used to be kept, and lets go of those that nobody uses. */
void gate_memory_settle(struct gate_engine *e);

/* Gives the secrets of tickets to be kept, when there are new ones. */
void gate_memory_keep_tickets(struct gate_engine *e);

/* heir.c. Leaves all that the next engine needs to know; after each change of it. */
void gate_heir_provide(struct gate_engine *e);

/* It needs this bundle no more. */
void gate_heir_forget(struct gate_engine *e, uint64_t hash);

/* Takes over what was left to this one. */
void gate_heir_enter(struct gate_engine *e, struct gate_legacy *legacy);

/* The generation that serves again is as old as it was. Then: tells of it. */
void gate_heir_age(const struct gate_engine *e, struct gate_live *live);
void gate_heir_announce(struct gate_engine *e);

/* live.c: generations that hang on the engine. Takes over a reference to the bundle, and
 * configuration and router. */
struct gate_live *gate_live_new(struct gate_engine *e, struct gate_bundle *bundle,
                                struct gate_loaded *loaded);

/* Its requests run in the VMs of `old`, which was made of the same code. */
void gate_live_keep_vms(struct gate_live *live, const struct gate_live *old);

/* Mails its seats to the workers. Afterwards gate_reload_swapped is called once. */
void gate_live_publish(struct gate_live *live);

/* Canary: mails its seats to the workers, which give it a share of their requests; `trials` (one a
 * worker) outlives that. Then it serves, or it goes as an old one does. Each of the three calls
 * back once all workers have done it; the next one may come only then. */
void gate_live_try(struct gate_live *live, struct gate_live_trial *trials,
                   void (*tried)(struct gate_live *live));
void gate_live_promote(struct gate_live *live, void (*promoted)(struct gate_live *live));
void gate_live_withdraw(struct gate_live *live, void (*withdrawn)(struct gate_live *live));

/* Requests that are under way on it. */
uint64_t gate_live_active(const struct gate_live *live);

/* Bytes: its VMs, unless a newer generation has them too, and its configuration. */
uint64_t gate_live_memory(const struct gate_live *live);

/* live_oldest.c. Tells the oldest generations to end when there are too many. */
void gate_live_end_oldest(struct gate_engine *e);

/* bury.c. Frees a VM off the loop, some time later. Clears the pointer. When the engine closes,
 * the last one frees what is left. */
void gate_bury_begin(struct gate_engine *e);
void gate_bury(struct gate_engine *e, struct gate_vm **vm);
void gate_bury_end(struct gate_engine *e);

/* Never published, or all of its seats are gone. */
void gate_live_free(struct gate_live **live);

/* live_upstreams.c. Gives the upstreams of all live generations, and of `next` (may be NULL), to
 * the registry. */
void gate_live_apply(struct gate_engine *e, const struct gate_config *next);

/* Those that differ from the upstream of that name in `beside` are given to the registry under
 * another name, until the generation serves and the names are dropped. */
void gate_live_alias(struct gate_live *live, const struct gate_live *beside);
void gate_live_drop_aliases(struct gate_live *live);

/* As the registry has them now, by ordinal, held; and the end of such an array. */
struct gate_upstream **gate_live_upstreams(const struct gate_live *live);
void gate_live_drop_upstreams(struct gate_live *live, struct gate_upstream ***upstreams);

/* Sums over all generations, gone ones included: by route, by policy and hook. */
void gate_live_totals(struct gate_engine *e, struct gate_route_totals *out);
void gate_live_hooks(struct gate_engine *e, struct gate_hook_totals *out);

/* terms.c: says which certificates of what serves have ended, now and every day from now on. */
void gate_terms_init(struct gate_engine *e);
void gate_terms_tell(struct gate_engine *e);

/* renewal.c. On the worker: its VM stays full. Control decides, and may do nothing. */
void gate_renewal_ask(struct gate_worker *w, const struct gate_vm_fullness *f);

/* kept.c: bundles for rollback. Notes that a generation serves. */
void gate_kept_note(struct gate_engine *e, const struct gate_live *live);

/* The bundle of a generation; 0: the one that served before. NULL: it is not kept. */
const struct gate_kept *gate_kept_find(const struct gate_engine *e, uint64_t number);
void gate_kept_drop(struct gate_engine *e);

/* given_up.c. NULL: these files may serve as soon as they are seen. */
const struct gate_given_up *gate_given_up_find(const struct gate_engine *e, uint64_t hash);
void gate_given_up_add(struct gate_engine *e, const struct gate_given_up *g);
void gate_given_up_drop(struct gate_engine *e, uint64_t hash);

/* wish.c. Loads the gateway anew; `ticket` (may be NULL) waits on the control socket. One after
 * the other: what is asked for meanwhile comes next. */
void gate_reload_begin(struct gate_engine *e, enum gate_reload_why why,
                       const struct gate_handle *ticket);
void gate_reload_rollback(struct gate_engine *e, uint64_t number,
                          const struct gate_handle *ticket);
void gate_reload_canary(struct gate_engine *e, const struct gate_canary_order *order,
                        const struct gate_handle *ticket);

/* reload.c. All workers serve what was published. */
void gate_reload_swapped(struct gate_engine *e);

/* A load has ended that nothing came of, or (error NULL) that serves. Takes over the text. */
void gate_reload_note(struct gate_engine *e, char *error);

/* canary.c. The generation goes, with a trial that has not come to its end. */
void gate_canary_gone(struct gate_live *live);

/* Begins to watch the files of the gateway. */
void gate_reload_watch(struct gate_engine *e);

/* engine.c. The engine on its control thread: open (options, name and host are set, all else is
 * zero), gate_control_run, close. False: something did not end, and what it may use is left. */
enum gate_err gate_engine_open(struct gate_engine *e, int supervisor_fd);
bool gate_engine_close(struct gate_engine *e);

/* Threads that serve a gateway whose first configuration is `c`. */
uint32_t gate_engine_workers(const struct gate_options *o, const struct gate_config *c);

/* control.c. Runs the control loop until the engine has ended. */
void gate_control_run(struct gate_engine *e);
void gate_control_drain(struct gate_engine *e);
void gate_control_quit(struct gate_engine *e);
void gate_control_reopen(struct gate_engine *e);
void gate_control_command(void *engine, enum gate_wire_kind command);
void gate_control_orphaned(void *engine);

/* A worker has stopped accepting at some address: closes those that nobody watches. */
void gate_control_left(struct gate_engine *e);
void gate_control_drained(struct gate_engine *e);

/* Signals of the terminal and of service managers come to this process. */
void gate_control_signals(struct gate_engine *e);

/* log_watch.c. Says which logs lose lines, and why; every second. */
void gate_log_watch(struct gate_engine *e);

/* control_admin.c; the second only shows, the third moves the clock too (--test-clock). */
extern const struct gate_admin_ops gate_control_admin_ops;
extern const struct gate_admin_ops gate_control_admin_ops_host;
extern const struct gate_admin_ops gate_control_admin_ops_test;

#endif
