/* Flow: the life of an exchange, one const array of steps. Called by session; one thread. */
#ifndef GATE_FLOW_FLOW_H
#define GATE_FLOW_FLOW_H

#include "exchange/exchange.h"
#include "exchange/record.h"
#include "script/hook.h"

/* Starts an exchange whose head is parsed and whose `down` stream is attached. Events and waits
 * drive it from here on; it frees itself after the log hook. */
void gate_flow_start(struct gate_exchange *x);

/* Name of the step it is in, for crash reports and traces. Never NULL. */
const char *gate_flow_step_name(const struct gate_exchange *x);

/* The client connection is gone: what waits is cancelled, the log hook still runs. The exchange's
 * session pointer is cleared. */
void gate_flow_client_gone(struct gate_exchange *x, const char *why);

/* The rest of the request body cannot be had: bad framing (400), too slow (408), ended early.
 * Answers when nothing was answered yet, cuts otherwise; the upstream message stays incomplete.
 * Acts from the ready queue. */
void gate_flow_body_fault(struct gate_exchange *x, enum gate_fault_code code, int status,
                          const char *why);

/* Runs the connect hooks for session; see gate_hook_connect. */
enum gate_vm_result gate_flow_connect(struct gate_worker *w, const struct gate_connect_info *info,
                                      gate_hook_done *done, void *arg,
                                      struct gate_hook_run **run, struct gate_hook_verdict *v);

/* Runs the certificate hooks; see gate_hook_certificate. */
enum gate_vm_result gate_flow_certificate(struct gate_worker *w, struct gate_hook_hello *hello,
                                          gate_hook_done *done, void *arg,
                                          struct gate_hook_run **run, struct gate_hook_verdict *v);

/* A head that made no exchange, or a connection that ended inside one: writes the access line and
 * counts. */
void gate_flow_refused(struct gate_worker *w, struct gate_access_record *r);

/* The body of the built-in page of a status, for session too: one place. */
struct gate_str gate_flow_page(struct gate_arena *arena, int status, struct gate_str id);

/* The fields of such a page into v: Content-Type, Date, X-Request-Id, of a 405 Allow. Returns how
 * many. */
#define GATE_PAGE_FIELDS 4
uint32_t gate_flow_page_fields(struct gate_worker *w, int status, struct gate_str id,
                               struct gate_field v[GATE_PAGE_FIELDS]);

/* What takes the place of such a page for a gRPC call: the fields of a head with status 200 that is
 * all of the answer, for the status that a page would have. The first is grpc-status. Returns how
 * many. */
#define GATE_CALL_FIELDS 5
uint32_t gate_flow_call_fields(struct gate_exchange *x, int status,
                               struct gate_field v[GATE_CALL_FIELDS]);

/* Stream events of the client's side; session attaches them to the stream it makes. */
extern const struct gate_stream_events gate_flow_down_events;

/* Services for scripts (gate_hook_set_services). */
extern const struct gate_hook_services gate_flow_services;

#endif
