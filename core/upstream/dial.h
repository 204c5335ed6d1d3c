/* Dial: how a link comes to be: it connects, says what has to go before everything else, and shakes
 * hands. One thread; what is under way is the link's own. */
#ifndef GATE_UPSTREAM_DIAL_H
#define GATE_UPSTREAM_DIAL_H

#include "upstream/links.h"

struct gate_dial {
    struct gate_upstream_local *local;
    struct gate_peer *peer;
    const struct gate_link_want *want; /* not needed after the call */
    struct gate_str preface; /* goes out before all else, TLS too (a PROXY header); copied */
};

/* Begins. GATE_OK: *out is ready. GATE_E_AGAIN: whoever puts a claim among those who wait for the
 * link is told; others may join until it has no room. Other errors: nothing was made; *why says
 * what it was. */
enum gate_err gate_dial(struct gate_links *links, const struct gate_dial *how,
                        struct gate_link **out, const char **why);

#endif
