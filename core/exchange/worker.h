/* Worker: what exchanges, scripts and sessions use of their worker thread. run/ fills and owns it;
 * one thread, but for the counters, which anybody reads. */
#ifndef GATE_EXCHANGE_WORKER_H
#define GATE_EXCHANGE_WORKER_H

#include "base/assert.h"
#include "base/counters.h"
#include "base/handle.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "exchange/canary.h"
#include "exchange/generation.h"
#include "http/date.h"
#include "net/loop.h"
#include "net/mailbox.h"

struct gate_access_log; /* flow/access_log.h */
struct gate_watchdog;   /* script/watchdog.h */
struct gate_links;      /* upstream/links.h: this worker's links and shelves */
struct gate_offload;
struct gate_ip_counts;
struct gate_tunnel_counts; /* exchange/tunnel_seat.h */
struct gate_script_kill;   /* script/hook.h */
struct gate_vm_fullness;   /* script/vm.h */

struct gate_worker {
    uint32_t index;
    struct gate_loop loop;
    struct gate_mailbox mail;
    struct gate_counters counters;
    struct gate_log *log;
    struct gate_handle_table exchanges; /* handle -> struct gate_exchange */
    struct gate_slab exchange_slab;
    struct gate_slab session_slab;
    struct gate_list live;             /* exchanges that run, for drain, crash report and /status */
    struct gate_generation_seat *seat; /* the current generation; new requests begin on it */
    struct gate_generation_seat *canary; /* NULL: none runs; else its share of them begins here */
    struct gate_canary_share share;
    struct gate_links *links;
    struct gate_access_log *access_log; /* NULL: off */
    struct gate_watchdog *watchdog;
    struct gate_offload *offload;
    uint64_t id_prefix; /* random per worker; request ids count on from it */
    char id[20];        /* the last one, as text; exchange.c's */
    uint64_t date_mono_s; /* loop second in which `date` was made */
    int64_t date_s;       /* wall-clock second that `date` shows */
    char date[GATE_DATE_LEN];
    struct gate_log_pace tls_pace;   /* flow/ only: lines about servers without good TLS */
    struct gate_log_pace fault_pace; /* flow/ only: lines about faults */
    bool draining;          /* answers say close */
    uint32_t sessions;      /* open client connections */
    uint32_t offloaded;     /* work at the pool whose end will be told by mail */
    uint32_t jobs;          /* script tasks of no request at work in its VMs */
    uint32_t session_limit; /* this worker's share of limits.connections; 0: none */
    uint32_t handshake_limit; /* and of limits.handshakes */
    struct gate_ip_counts
        *ip_counts;                /* session/ip_counts.h; the engine's; NULL: none are counted */
    struct gate_tunnel_counts *tunnels; /* the engine's; NULL: none are counted */
    struct gate_list session_list; /* session/ only: all of them, the longest idle first */
    void *session_shared;          /* session/ only */
    /* A script was stopped; NULL: nobody wants to know. */
    void (*on_killed)(struct gate_worker *w, const struct gate_script_kill *kill);
    /* The VM that serves stays full; NULL: nobody wants to know. */
    void (*on_full)(struct gate_worker *w, const struct gate_vm_fullness *f);
};

/* The seat that a new request takes: the one place where that is chosen. */
static inline struct gate_generation_seat *gate_worker_seat(struct gate_worker *w)
{
    if (GATE_UNLIKELY(w->canary != NULL) && gate_canary_share_next(&w->share))
        return w->canary;
    return w->seat;
}

/* The Date of now, cached for the second. */
struct gate_str gate_worker_date(struct gate_worker *w);

#endif
