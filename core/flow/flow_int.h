/* Private to flow/: the steps, what they share, and the helpers that keep each of them small. */
#ifndef GATE_FLOW_FLOW_INT_H
#define GATE_FLOW_FLOW_INT_H

#include "flow/flow.h"
#include "upstream/attempt.h"

/* The request body is kept up to here for another try. */
#define GATE_REPLAY_LIMIT (64u * 1024)

/* Peers that one exchange may try. */
#define GATE_TRIES_MAX 10

enum gate_step_id {
    GATE_STEP_ADMIT,
    GATE_STEP_REQUEST_HOOKS,
    GATE_STEP_ROUTE,
    GATE_STEP_ROUTE_HOOKS,
    GATE_STEP_ANSWER,
    GATE_STEP_PICK_PEER,
    GATE_STEP_DIAL,
    GATE_STEP_SEND_REQUEST,
    GATE_STEP_READ_HEAD,
    GATE_STEP_RESPONSE_HOOKS,
    GATE_STEP_SEND_HEAD,
    GATE_STEP_RELAY,
    GATE_STEP_LOG,
    GATE_STEP_FINISH,
    GATE_STEP_FAULT, /* aside: reached by jumps only */
    GATE_STEP_COUNT
};

enum gate_step_result {
    GATE_STEP_NEXT,
    GATE_STEP_WAIT, /* something will link x->resume; the step runs again then */
    GATE_STEP_JUMP, /* to x->jump */
    GATE_STEP_OVER  /* of the last step: x is gone */
};

enum gate_hook_progress { GATE_HOOK_NOT_RUN, GATE_HOOK_RUNS, GATE_HOOK_RAN };

/* What the steps keep between waits. */
struct gate_flow_state {
    struct gate_hook_verdict verdict;
    uint8_t hook; /* enum gate_hook_progress of the step's hook */
    bool fault_taken;
    bool routed;
    bool table_asked;
    bool up_over; /* nothing more goes up */
    bool relaying;
    bool accounted;
    bool plain_page;      /* a hook failed on the way out: the built-in page, no more hooks */
    bool overdue;         /* hooks had their time to make an answer: the built-in page, now */
    enum gate_err failed; /* the attempt's stream broke before a head came */
    const char *failed_why;
    bool dn_over; /* the answer is sent to its end */
    bool fresh_used; /* the peer's dead kept link was replaced once */
    bool same_peer;     /* the next try is at the same peer */
    bool balancer_next; /* the balance hooks left the choice to the upstream's function */
    struct gate_peer *chosen; /* by a script, for this try; of local->set as it was then */
    uint64_t after;     /* the next dial is for a link newer than this; 0: any */
    enum gate_err dial; /* result of a dial that waited */
    bool dialing;       /* a dial is under way */
    bool dialed;        /* it was begun for this attempt */
    bool body_replaced; /* req:set_body: what goes up is not what came */
    bool body_waits;    /* ... but what goes up next */
    struct gate_upstream_local *local;
    const struct gate_upstream_config *upstream;
    uint32_t n_tried;
    enum gate_fault_code last_fault; /* of the last failed try: the answer when no peer is left */
    const char *last_why;
    uint32_t reset_code;         /* of the last attempt's stream (http/stream.h: code) */
    struct gate_str allow;       /* of a 405 */
    struct gate_wait *reader[2]; /* read_body waits: request, response */
    size_t reader_max[2];
    struct gate_str body[2]; /* contiguous copies, made once */
    bool body_made[2];
    bool length_unknown; /* of a HEAD's representation: body hooks would change it */
    enum gate_close_reason first_end; /* of a tunnel: which side ended first */
    /* What is above begins as zeros; what follows is set before it is used. */
    struct gate_wait dial_wait;
    struct gate_timeouts timeouts; /* the upstream's with the route's over them */
    struct gate_peer *tried[GATE_TRIES_MAX]; /* n_tried of them */
    struct gate_attempt attempt;
};

typedef enum gate_step_result gate_step_fn(struct gate_exchange *x);

gate_step_fn gate_step_admit, gate_step_request_hooks, gate_step_route, gate_step_route_hooks,
    gate_step_answer, gate_step_pick_peer, gate_step_dial, gate_step_send_request,
    gate_step_read_head, gate_step_response_hooks, gate_step_send_head, gate_step_relay,
    gate_step_log, gate_step_finish, gate_step_fault;

static inline const struct gate_config *gate_flow_config(const struct gate_exchange *x)
{
    return x->seat->generation->config;
}

static inline enum gate_step_result gate_flow_jump(struct gate_exchange *x, enum gate_step_id to)
{
    x->jump = (uint8_t)to;
    return GATE_STEP_JUMP;
}

/* A field of ours, behind those of the message. */
static inline void gate_flow_field(struct gate_field *f, enum gate_field_id id,
                                   struct gate_str value)
{
    struct gate_str name = gate_field_id_name(id);

    *f = (struct gate_field){name.p, value.p, (uint16_t)name.n, (uint16_t)id, (uint32_t)value.n};
}

/* Notes the fault and jumps to where it is answered. */
enum gate_step_result gate_flow_fail(struct gate_exchange *x, enum gate_fault_code code, int status,
                                     const char *why);

/* Continues the steps at the next drain of the ready queue. */
void gate_flow_resume(struct gate_exchange *x);

/* Asks the scripts once for the step: a chain of hooks, the route's `when`, or its handler (hook
 * and scope do not matter then). WAIT while it runs, NEXT when x->flow->verdict is there. Setting
 * x->flow->hook to NOT_RUN allows a second question. */
enum gate_flow_question { GATE_ASK_HOOK, GATE_ASK_WHEN, GATE_ASK_HANDLER, GATE_ASK_BALANCER };
enum gate_step_result gate_flow_ask(struct gate_exchange *x, enum gate_flow_question q,
                                    enum gate_hook hook, enum gate_hook_scope scope);

static inline enum gate_step_result gate_flow_hook(struct gate_exchange *x, enum gate_hook hook,
                                                   enum gate_hook_scope scope)
{
    return gate_flow_ask(x, GATE_ASK_HOOK, hook, scope);
}

/* What request-side hooks may answer, in one place: reply, upstream, fault. NEXT: go on. */
enum gate_step_result gate_flow_verdict(struct gate_exchange *x);

/* The fault of a verdict that is one. */
enum gate_fault_code gate_flow_hook_fault(const struct gate_hook_verdict *v);

/* The attempt failed with `e` before an answer came: another try, or the fault. */
enum gate_step_result gate_flow_attempt_failed(struct gate_exchange *x, enum gate_err e,
                                               const char *why);

/* Whether a policy of the request's has the hook: a global one, or one of its route. */
static inline bool gate_flow_has_hook(const struct gate_exchange *x, enum gate_hook hook)
{
    const struct gate_route_config *route = x->match.route;
    uint32_t hooks = gate_flow_config(x)->global_hooks | (route != NULL ? route->hooks : 0);

    return (hooks & (1u << hook)) != 0;
}

/* server_trouble.c. A line about a server with which there is no TLS, where another try hides it;
 * what follows for the attempt's peer from a connect that failed, or did not. */
void gate_flow_tell_tls(struct gate_exchange *x, const char *why);
void gate_flow_connect_failed(struct gate_exchange *x, const char *why);
void gate_flow_connect_ok(struct gate_exchange *x);

/* Whether a try at another peer is possible: the request can be sent again, a peer is left, tries
 * and budget are not used up. Takes one retry of the budget. */
bool gate_flow_may_retry(struct gate_exchange *x);

/* Ends the attempt and makes the request ready for another peer. False: it cannot be sent again. */
bool gate_flow_try_again(struct gate_exchange *x);
void gate_flow_end_attempt(struct gate_exchange *x, enum gate_close_reason why);

/* Detaches the client's stream: given back when the answer is complete, else cut. */
void gate_flow_leave_client(struct gate_exchange *x);

/* Stream events of an attempt. */
extern const struct gate_stream_events gate_flow_up_events;

/* read_body waiters look again after bytes came or ended (body.c). */
void gate_flow_body_moved(struct gate_exchange *x, bool response);
/* What was said of the bytes as they were is not true of what becomes of them: digests go, a strong
 * ETag becomes weak. */
void gate_flow_bytes_change(struct gate_exchange *x, struct gate_headers *h);
void gate_flow_body_cancel(struct gate_exchange *x, enum gate_err e);

/* A body that a script has set, and that waits (body_waits), takes its place in the pump: none of
 * the former may be on its way. False: no memory (body.c). */
bool gate_flow_place_body(struct gate_exchange *x);

/* A line in the log about a request, of what its scripts asked for and did not get. */
void gate_flow_warn(struct gate_exchange *x, const char *text);

/* What a script asked for by gate.retry: another try, or NEXT with a line in the log that says why
 * there is none (retry.c). */
enum gate_step_result gate_flow_retry(struct gate_exchange *x, uint32_t upstream);

/* Peers as balance hooks see and choose them (peers.c). */
uint32_t gate_flow_peers(struct gate_exchange *x, const struct gate_peer_view **v);
bool gate_flow_use_peer(struct gate_exchange *x, struct gate_str address);

/* Body hooks (hook_filter.c): puts their filter into the pump where a hook wants the body, and
 * makes the header fields true to that. False: x->fault says why not. Before the head is sent. */
bool gate_flow_filter_request(struct gate_exchange *x);
bool gate_flow_filter_response(struct gate_exchange *x);

/* Where body hooks want plain bytes: the upstream is asked only for codings that can be taken off.
 */
void gate_flow_accept_codings(struct gate_exchange *x);

/* Switching protocols (upgrade.c). Whether the request may ask its upstream for it. */
bool gate_flow_upgrade_passes(const struct gate_exchange *x);

/* Of an extended CONNECT: why the head that the upstream answered with cannot go on; NULL: it can.
 */
const char *gate_flow_switch_fault(const struct gate_exchange *x);

/* The answer is the upstream's 101: bytes follow it, and no body. */
static inline bool gate_flow_is_tunnel(const struct gate_exchange *x)
{
    return x->res.status == 101 && x->res.from == GATE_FROM_UPSTREAM;
}

/* After the response hooks: where they made another answer of a 101, what is behind it is no body.
 */
void gate_flow_switch_answered(struct gate_exchange *x);

/* A 2xx for an extended CONNECT: a fault instead. */
enum gate_step_result gate_flow_success_refused(struct gate_exchange *x);

/* What the answer says as Upgrade: of a 101 what was switched to, of a 426 what the upstream asks
 * for and the route allows. */
struct gate_str gate_flow_upgrade_said(const struct gate_exchange *x);

/* Pump ends (events.c). */
void gate_flow_on_up_end(struct gate_pump *p, enum gate_pump_end how);
void gate_flow_on_dn_end(struct gate_pump *p, enum gate_pump_end how);

/* The access line, and the counts of a finished exchange (account.c). */
void gate_flow_account(struct gate_exchange *x);

/* Allow, where no route has a say. */
#define GATE_FLOW_ALLOW GATE_STR("GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS")

/* Makes x->reply from a fault: the built-in page (fault.c). */
void gate_flow_fault_reply(struct gate_exchange *x);

/* gRPC calls (grpc.c): finds out whether the request is one, and begins its deadline. False: that
 * is over already. */
bool gate_flow_grpc_begin(struct gate_exchange *x);

/* A call on its way to a server that may be one of gRPC: it may last, be silent and send as much as
 * it likes. */
bool gate_flow_grpc_lasts(const struct gate_exchange *x);

/* The response is a reply or a page for a gRPC client, and no script has made a gRPC answer of it:
 * it becomes one, a status and a message without a body. */
bool gate_flow_grpc_answer(struct gate_exchange *x, struct gate_message *m);

/* The response to a call is all head: its status is there, and nothing follows. A client does not
 * look for it in a head that is not the end. */
bool gate_flow_grpc_is_head(const struct gate_exchange *x);

/* The status that ended a call, from trailers or a head; empty: none. */
struct gate_str gate_flow_grpc_status(const struct gate_exchange *x);

/* Ends an answer whose head has left by the status of the fault. False: that cannot be done. */
bool gate_flow_grpc_end(struct gate_exchange *x, struct gate_stream *down);

#define GATE_TRACE(x, step, ...)                                                                   \
    do {                                                                                           \
        if ((x)->trace != NULL)                                                                    \
            gate_trace_add((x)->trace, gate_clock_now_ns((x)->worker->loop.clock), (step),         \
                           __VA_ARGS__);                                                           \
    } while (0)

#endif
