/* h2 memory: what nghttp2 allocates, from slabs of a few sizes, so that a warm worker does not call
 * malloc for a request. One thread; embedded in what the connections of a worker share. */
#ifndef GATE_HTTP_H2_MEM_H
#define GATE_HTTP_H2_MEM_H

#include <nghttp2/nghttp2.h>

#include "base/mem.h"

/* 64, 128 … 8192 bytes, less a header; larger ones go to malloc. */
#define GATE_H2_MEM_CLASSES 8

struct gate_h2_mem {
    nghttp2_mem ng; /* to be given to nghttp2 */
    struct gate_slab classes[GATE_H2_MEM_CLASSES];
};

void gate_h2_mem_init(struct gate_h2_mem *m);

/* Asserts that nothing is in use. */
void gate_h2_mem_fini(struct gate_h2_mem *m);

#endif
