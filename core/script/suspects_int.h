/* Suspects: calls of scripts, known by a tag, that are expected to take long because they did
 * lately. A few slots by hash: a suspicion that is lost costs others one more piece of work. One
 * thread. */
#ifndef GATE_SCRIPT_SUSPECTS_INT_H
#define GATE_SCRIPT_SUSPECTS_INT_H

#include <stdint.h>

#include "base/siphash.h"

#define GATE_SUSPECTS 128

enum gate_suspicion {
    GATE_SUSPICION_NONE,
    GATE_SUSPICION_SLOW,
    GATE_SUSPICION_LIFTED, /* it is trusted: there is no new one for a while */
};

struct gate_suspects {
    uint64_t until_ms; /* loop time at which no suspicion is left; 0: there is none */
    struct gate_sipkey key; /* of tags */
    struct gate_suspect {
        uint64_t tag;
        uint64_t until_ms;
        enum gate_suspicion what;
    } v[GATE_SUSPECTS];
};

void gate_suspects_init(struct gate_suspects *s);

/* It took long: unless it is trusted, it is suspected for ten seconds. */
void gate_suspects_accuse(struct gate_suspects *s, uint64_t tag, uint64_t now_ms);

/* It was suspected, and was quick: for as long it is trusted, since how long it takes depends on
 * more than its tag. */
void gate_suspects_acquit(struct gate_suspects *s, uint64_t tag, uint64_t now_ms);

enum gate_suspicion gate_suspects_ask(struct gate_suspects *s, uint64_t tag, uint64_t now_ms);

#endif
