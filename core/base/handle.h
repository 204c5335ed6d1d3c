/* Handles: id + serial in place of pointers, for what crosses a wait. One thread. */
#ifndef GATE_BASE_HANDLE_H
#define GATE_BASE_HANDLE_H

#include <stddef.h>
#include <stdint.h>

struct gate_handle {
    uint32_t id;
    uint32_t serial;    /* 0 is never valid */
};

/* A table of slots; a slot's serial changes at each release, so an old handle finds nothing. */
struct gate_handle_slot {
    void *object;
    uint32_t serial;
    uint32_t next_free;
};

struct gate_handle_table {
    struct gate_handle_slot *slots;
    uint32_t cap;
    uint32_t first_free;
    uint32_t live;
};

void gate_handle_table_init(struct gate_handle_table *t);
void gate_handle_table_fini(struct gate_handle_table *t);
struct gate_handle gate_handle_make(struct gate_handle_table *t, void *object);
void gate_handle_end(struct gate_handle_table *t, struct gate_handle h);

/* The object, or NULL when the handle is over. */
static inline void *gate_handle_get(const struct gate_handle_table *t, struct gate_handle h)
{
    if (h.id >= t->cap || t->slots[h.id].serial != h.serial)
        return NULL;
    return t->slots[h.id].object;
}

#endif
