/* h2 flood: what a peer may make us do without saying anything, as budgets of one connection: ends
 * of streams that are not clean, whoever resets them, and bytes that carry nothing. Pure. */
#ifndef GATE_HTTP_H2_FLOOD_H
#define GATE_HTTP_H2_FLOOD_H

#include <stdbool.h>
#include <stdint.h>

/* Streams that may end badly at once, and how many more each second. */
#define GATE_H2_RESETS        100
#define GATE_H2_RESETS_REFILL 1

/* A stream that lasted so long may end in any way: of those that are open at once there cannot be
 * many. */
#define GATE_H2_LASTED_MS 1000

/* Frames without content that one stream may bring. */
#define GATE_H2_EMPTY_FRAMES 100

/* Bytes beyond eight times the content, and how many more each second: keep-alive PINGs of a long
 * life are no flood. */
#define GATE_H2_OVERHEAD        (1024u * 1024)
#define GATE_H2_OVERHEAD_REFILL 64

struct gate_h2_flood {
    uint64_t begin_ms;
    uint64_t refill_ms;
    uint32_t resets; /* left */
    uint64_t bytes;  /* received, all of them */
    uint64_t content; /* heads, and bodies both ways */
};

void gate_h2_flood_init(struct gate_h2_flood *f, uint64_t now_ms);

/* One more stream ended badly. False: it was one too many. */
bool gate_h2_flood_reset(struct gate_h2_flood *f, uint64_t now_ms);

/* A stream ended well: one more may end badly, if fewer may than at first. Clients of gRPC cancel
 * some of their calls all the time. */
void gate_h2_flood_clean(struct gate_h2_flood *f);

/* Whether the bytes that came are out of proportion to what they brought. */
bool gate_h2_flood_idle(const struct gate_h2_flood *f, uint64_t now_ms);

#endif
