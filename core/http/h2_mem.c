#include "http/h2_mem.h"

#include <string.h>

/* In front of each piece. */
struct piece {
    uint32_t class; /* GATE_H2_MEM_CLASSES: of malloc */
    size_t size;    /* that was asked for */
    char bytes[] __attribute__((aligned(16)));
};

static uint32_t class_of(size_t whole)
{
    uint32_t class = 0;

    while (class < GATE_H2_MEM_CLASSES && whole > (size_t)64 << class)
        class ++;
    return class;
}

static void *take(size_t size, void *user)
{
    struct gate_h2_mem *m = user;
    uint32_t class = class_of(size + sizeof(struct piece));
    struct piece *p;

    if (class < GATE_H2_MEM_CLASSES)
        p = gate_slab_take(&m->classes[class]);
    else
        p = gate_try_alloc(size + sizeof(struct piece));
    if (p == NULL)
        return NULL;
    p->class = class;
    p->size = size;
    return p->bytes;
}

static void give(void *at, void *user)
{
    struct gate_h2_mem *m = user;
    struct piece *p;

    if (at == NULL)
        return;
    p = (struct piece *)((char *)at - offsetof(struct piece, bytes));
    if (p->class < GATE_H2_MEM_CLASSES)
        gate_slab_give(&m->classes[p->class], p);
    else
        gate_free(p);
}

static void *take_clear(size_t count, size_t size, void *user)
{
    void *at = take(count * size, user);

    return at == NULL ? NULL : memset(at, 0, count * size);
}

static void *resize(void *at, size_t size, void *user)
{
    struct piece *p;
    void *to;

    if (at == NULL)
        return take(size, user);
    p = (struct piece *)((char *)at - offsetof(struct piece, bytes));
    if (p->class < GATE_H2_MEM_CLASSES && size + sizeof(*p) <= (size_t)64 << p->class) {
        p->size = size;
        return at;
    }
    to = take(size, user);
    if (to == NULL)
        return NULL;
    memcpy(to, at, p->size < size ? p->size : size);
    give(at, user);
    return to;
}

void gate_h2_mem_init(struct gate_h2_mem *m)
{
    m->ng = (nghttp2_mem){m, take, give, take_clear, resize};
    for (uint32_t i = 0; i < GATE_H2_MEM_CLASSES; i++)
        gate_slab_init(&m->classes[i], "nghttp2", (size_t)64 << i);
}

void gate_h2_mem_fini(struct gate_h2_mem *m)
{
    for (uint32_t i = 0; i < GATE_H2_MEM_CLASSES; i++)
        gate_slab_fini(&m->classes[i]);
}
