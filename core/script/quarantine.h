/* Quarantine: a hook that is stopped again and again is not called for a while, then once to see.
 * Shared by the VMs of one load, one a worker; any thread; has its own lock, which hooks take only
 * after a stop and while something is in quarantine. */
#ifndef GATE_SCRIPT_QUARANTINE_H
#define GATE_SCRIPT_QUARANTINE_H

#include <stdbool.h>
#include <stdint.h>

/* So many stops within the window: for so long. */
#define GATE_QUARANTINE_KILLS     3
#define GATE_QUARANTINE_WINDOW_MS 60000
#define GATE_QUARANTINE_FOR_MS    60000

struct gate_quarantine;

/* One hook (enum gate_hook and what follows it; or a kind of job) and the ordinal of its policy,
 * route, upstream or timer. */
struct gate_quarantine_key {
    int hook;
    uint32_t ordinal;
};

/* References: each VM holds one; the last one frees it. */
struct gate_quarantine *gate_quarantine_new(void);
struct gate_quarantine *gate_quarantine_ref(struct gate_quarantine *q);
void gate_quarantine_unref(struct gate_quarantine **q);

/* Whether anything is in quarantine: costs one load. */
bool gate_quarantine_any(const struct gate_quarantine *q);

enum gate_quarantine_answer {
    GATE_QUARANTINE_GO,
    GATE_QUARANTINE_PROBE, /* go; and tell how it ended: killed or probed */
    GATE_QUARANTINE_BARRED
};
enum gate_quarantine_answer gate_quarantine_ask(struct gate_quarantine *q,
                                                struct gate_quarantine_key key, uint64_t now_ms);

/* A call was stopped (a probe or not); true: with this the quarantine begins, or goes on. */
bool gate_quarantine_killed(struct gate_quarantine *q, struct gate_quarantine_key key, bool probe,
                            uint64_t now_ms);

/* A probe has passed: the quarantine is over. Not passed: it was cut short by something else, and
 * another one may try. */
void gate_quarantine_probed(struct gate_quarantine *q, struct gate_quarantine_key key, bool passed);

bool gate_quarantine_holds(struct gate_quarantine *q, struct gate_quarantine_key key);

#endif
