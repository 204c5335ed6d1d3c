/* Dial: how a link comes to be: it connects, says what has to go before everything else, shakes
 * hands, and learns what is spoken on it. One thread; what is under way is the link's own. */
#ifndef GATE_UPSTREAM_DIAL_H
#define GATE_UPSTREAM_DIAL_H

#include "upstream/links.h"

/* Begins a new link. GATE_OK: *out is ready. GATE_E_AGAIN: it is dialed; whoever puts a claim among
 * those who wait is told. Other errors: nothing was made; *why says what it was. */
enum gate_err gate_dial(struct gate_links *links, struct gate_upstream_local *local,
                        struct gate_peer *peer, const struct gate_link_want *want,
                        struct gate_link **out, const char **why);

#endif
