#include "script/suspects_int.h"

#include <string.h>

#define LASTS_MS 10000

void gate_suspects_init(struct gate_suspects *s)
{
    memset(s, 0, sizeof(*s));
    gate_sipkey_random(&s->key);
}

static void note(struct gate_suspects *s, uint64_t tag, uint64_t now_ms, enum gate_suspicion what)
{
    s->v[tag % GATE_SUSPECTS] = (struct gate_suspect){tag, now_ms + LASTS_MS, what};
}

void gate_suspects_accuse(struct gate_suspects *s, uint64_t tag, uint64_t now_ms)
{
    if (gate_suspects_ask(s, tag, now_ms) == GATE_SUSPICION_LIFTED)
        return;
    note(s, tag, now_ms, GATE_SUSPICION_SLOW);
    s->until_ms = now_ms + LASTS_MS;
}

void gate_suspects_acquit(struct gate_suspects *s, uint64_t tag, uint64_t now_ms)
{
    note(s, tag, now_ms, GATE_SUSPICION_LIFTED);
}

enum gate_suspicion gate_suspects_ask(struct gate_suspects *s, uint64_t tag, uint64_t now_ms)
{
    const struct gate_suspect *v = &s->v[tag % GATE_SUSPECTS];

    if (now_ms >= s->until_ms)
        s->until_ms = 0;
    return v->tag == tag && now_ms < v->until_ms ? v->what : GATE_SUSPICION_NONE;
}
