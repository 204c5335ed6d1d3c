/* Parse: a scanned head block to a request or response head; strict, llhttp inside, framing decided
 * from the field list. */
#ifndef GATE_HTTP_PARSE_H
#define GATE_HTTP_PARSE_H

#include "base/arena.h"
#include "http/head.h"
#include "http/scan.h"

/* Parses a whole head [p, p+n) that gate_scan_head accepted. Fields are views into p; canonical
 * copies come from the arena only where they differ from the wire. `https` says what the listener
 * speaks (absolute-form must agree). Returns a refusal; status 0 means that *out is complete. 400,
 * 405 (CONNECT, TRACE), 414, 417, 431, 501, 505. */
struct gate_refusal gate_parse_request(const char *p, size_t n,
                                       const struct gate_head_limits *limits, bool https,
                                       struct gate_arena *arena, struct gate_request_head *out);

/* The same, for those who have the marks that the scan of this head made. */
struct gate_refusal gate_parse_request_marked(const char *p, size_t n,
                                              const struct gate_scan_marks *marks,
                                              const struct gate_head_limits *limits, bool https,
                                              struct gate_arena *arena,
                                              struct gate_request_head *out);

/* Judges what is there of a head that is not whole: the request line once its CRLF has come, its
 * length before that. status 0: nothing wrong so far. For the session, after the first read that
 * did not bring the whole head: HTTP/0.9, other protocols and endless lines are refused at once and
 * not by the deadline. */
struct gate_refusal gate_parse_early(const char *p, size_t n,
                                     const struct gate_head_limits *limits);

/* What the client should see when the scan itself found the fault: 400 in general, 431 when the
 * head grew over the limit, 414 when the first line did, 505/400 for versions. Used by the session
 * for heads that never became whole. */
struct gate_refusal gate_parse_refuse_partial(const char *p, size_t n,
                                              const struct gate_head_limits *limits);

/* Parses a whole response head. `method` of the request decides about bodies (HEAD). Any fault is a
 * 502 with a reason. */
struct gate_refusal gate_parse_response(const char *p, size_t n,
                                        const struct gate_head_limits *limits,
                                        enum gate_method method, struct gate_arena *arena,
                                        struct gate_response_head *out);

struct gate_refusal gate_parse_response_marked(const char *p, size_t n,
                                               const struct gate_scan_marks *marks,
                                               const struct gate_head_limits *limits,
                                               enum gate_method method, struct gate_arena *arena,
                                               struct gate_response_head *out);

/* Trailer block [p, p+n) accepted by gate_scan_trailers. Fields of framing, routing,
 * authentication, cookies and forwarding are left out (RFC 9110 section 6.5.1). status 0, 400 or
 * 431. */
struct gate_refusal gate_parse_trailers(const char *p, size_t n,
                                        const struct gate_head_limits *limits,
                                        struct gate_arena *arena, struct gate_fields *out);

#endif
