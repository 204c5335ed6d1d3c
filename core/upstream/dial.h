/* Dial: how a link comes to be: it connects, says what has to go before everything else, and shakes
 * hands. One thread; what is under way is the link's own. */
#ifndef GATE_UPSTREAM_DIAL_H
#define GATE_UPSTREAM_DIAL_H

#include "upstream/links.h"

struct gate_dial {
    struct gate_upstream_local *local;
    struct gate_peer *peer;
    struct gate_tls_client *tls; /* NULL: plain */
    struct gate_str preface; /* goes out before all else, TLS too (a PROXY header); copied */
    uint32_t timeout_ms;     /* of all of it; 0: none */
    /* The end of a dial that takes its time: GATE_OK, or the failure and what it was; then the link
     * and that text are gone after the call. */
    void (*on_done)(struct gate_link *l, enum gate_err e, const char *why);
    void *arg;
};

/* Begins. GATE_OK: *out is ready. GATE_E_AGAIN: on_done will be called from the loop, unless the
 * link is closed before. Other errors: nothing was made; *why says what it was. */
enum gate_err gate_dial(struct gate_links *links, const struct gate_dial *how,
                        struct gate_link **out, const char **why);

#endif
