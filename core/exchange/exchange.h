/* Exchange: one request and its response inside the gateway, as a noun: its data and lifetime. The
 * verb is flow/. One thread; from the worker's slab; its arena owns what it allocates. Others keep
 * its handle, never a pointer, across a wait. */
#ifndef GATE_EXCHANGE_EXCHANGE_H
#define GATE_EXCHANGE_EXCHANGE_H

#include "base/arena.h"
#include "base/block.h"
#include "base/handle.h"
#include "exchange/fault.h"
#include "exchange/pump.h"
#include "exchange/trace.h"
#include "exchange/worker.h"
#include "http/forwarded.h"
#include "http/head.h"
#include "http/stream.h"
#include "net/wait.h"
#include "route/router.h"
#include "tls/info.h"

struct gate_attempt;    /* upstream/attempt.h */
struct gate_hook_run;   /* script/hook.h */
struct gate_flow_state; /* flow/flow_int.h */

enum gate_from {
    GATE_FROM_NONE,
    GATE_FROM_UPSTREAM,
    GATE_FROM_CACHE,
    GATE_FROM_REPLY,
    GATE_FROM_FAULT
};

/* What a script may change of the request. Views in the arena or the head block. */
struct gate_request {
    struct gate_request_head head; /* as received */
    struct gate_headers headers;   /* head.fields plus edits */
    struct gate_str method;
    enum gate_method method_id;
    struct gate_str scheme;
    struct gate_str host;      /* no port */
    bool host_set;             /* a script changed it: goes up as Host */
    struct gate_str path;      /* canonical, encoded */
    struct gate_str path_text; /* decoded */
    struct gate_str query;
    bool has_query;
    bool path_set; /* a script changed it since the table was asked: no rewrite of the route */
};

/* An answer that a script, a route or a fault made. */
struct gate_reply {
    bool set;
    int status;
    struct gate_str body;        /* arena */
    struct gate_headers headers; /* original NULL: only edits */
};

struct gate_response {
    int status; /* 0: none yet */
    enum gate_from from;
    const struct gate_response_head *head; /* of the attempt; NULL for replies */
    struct gate_block *block;              /* keeps head's views alive */
    struct gate_headers headers;           /* original (attempt's or none) plus edits */
    bool body_set;                         /* res:set_body */
    struct gate_str body;
};

/* Loop times in ns; 0: did not happen. */
struct gate_times {
    uint64_t begin; /* first byte of the head was there */
    uint64_t head;  /* head complete */
    uint64_t picked;
    uint64_t connected;
    uint64_t sent;
    uint64_t first_byte; /* of the response head */
    uint64_t head_sent;
    uint64_t end;
    uint64_t script_ns; /* time inside hooks, waits included */
};

struct gate_exchange {
    uint32_t magic;
    struct gate_handle handle;
    struct gate_list node; /* worker->live */
    struct gate_worker *worker;
    struct gate_generation_seat *seat; /* pinned */
    void *session;            /* nullable: gone, or already at the next request; session/ only */
    struct gate_stream *down; /* the client's stream; NULL when it is over */
    struct gate_arena arena;
    struct gate_block *head_block; /* the request head's bytes */
    char id[24];                   /* request id, text */
    uint8_t id_len;
    bool https;
    bool grpc; /* a gRPC call: answers of ours are a status of gRPC's */
    struct gate_tls_info *tls; /* of the client's connection; a reference, NULL: plain */
    bool client_gone;
    bool head_sent;   /* a final head went to the client */
    bool answered;    /* an answer byte may have left: no reply, no fault page */
    bool dn_complete; /* the answer was handed to the client's stream to its end */
    bool finished;
    struct gate_addr peer_addr; /* the socket's */
    int client_fd;              /* it, only to be asked for its name while `down` is there */
    struct gate_str peer_ip;
    struct gate_client_view client;
    uint16_t client_port;
    struct gate_request req;
    uint32_t upstream; /* ordinal that will be used; GATE_NO_ORDINAL: none */
    bool upstream_by_hook;
    struct gate_str route_name; /* for logs and scripts; empty before routing */
    struct gate_reply reply;
    uint32_t
        onion; /* policies entered so far, global ones first; bounds response hooks after a reply */
    uint32_t seen; /* response hooks from here inwards have seen this answer; 0: none */
    struct gate_response res;
    enum gate_fault_code fault;   /* the first one */
    int fault_status;             /* overrides the code's (bad_request) */
    const char *fault_why;        /* for the log; static or arena */
    struct gate_pump up;          /* request body */
    struct gate_pump dn;          /* response body */
    struct gate_attempt *attempt; /* the present one; owned by upstream/, ended by flow */
    uint32_t tries;
    struct gate_peer *peer; /* of the last attempt; held */
    struct gate_peer_share *peer_share;
    struct gate_times times;
    uint64_t bytes_in;        /* body from the client */
    uint64_t bytes_out;       /* body to the client */
    struct gate_trace *trace; /* NULL: off */
    /* flow's */
    uint8_t step;
    uint8_t jump;
    bool running;                 /* inside the step loop */
    struct gate_ready resume;     /* continues the step loop from the ready queue */
    struct gate_flow_state *flow; /* arena */
    struct gate_timer timer;      /* of the step */
    struct gate_timer *deadline;  /* of a gRPC call; arena; NULL: none */
    struct gate_hook_run *hook;   /* the hook chain that runs or waits; NULL: none */
    uint64_t tired_until;         /* turn of the loop; one of its hooks took long */
    bool scripted;                /* Lua holds objects of this exchange */
    struct gate_permit *permits;  /* of semaphores; script's */
    /* match.route is NULL before routing and when a hook supplied the upstream. The last member:
     * captures are not cleared, n_captures says how many there are. */
    struct gate_route_result match;
};

/* A new one on the worker's current generation; all zero but for its arena, handle, begin time and
 * id. */
struct gate_exchange *gate_exchange_new(struct gate_worker *w);

/* Ends it: arena cleared, references given up, handle over. Clears the pointer. */
void gate_exchange_free(struct gate_exchange **x);

/* The exchange of a handle, or NULL when it is over. */
static inline struct gate_exchange *gate_exchange_get(struct gate_worker *w, struct gate_handle h)
{
    return gate_handle_get(&w->exchanges, h);
}

/* Notes the first fault; later ones are ignored. `why` is static or lives in the arena. */
void gate_exchange_fault(struct gate_exchange *x, enum gate_fault_code code, int status,
                         const char *why);

#endif
