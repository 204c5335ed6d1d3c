/* Memory: the few places that call malloc, and slabs of equal objects for one thread. */
#ifndef GATE_BASE_MEM_H
#define GATE_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/* Small things: failure aborts with a log line. Freed by gate_free. */
void *gate_alloc(size_t n);
void *gate_calloc(size_t count, size_t n);

/* Zeroed as well, and on cache lines that nothing else is on: for what a thread writes all the time
 * while others work beside it. */
#define GATE_CACHE_LINE 64
void *gate_calloc_lines(size_t n);

void *gate_realloc(void *p, size_t n);
char *gate_strdup(const char *s);
char *gate_strndup(const char *s, size_t n); /* s may be NULL when n is 0 */
char *gate_memdup(const char *p, size_t n); /* n bytes, whatever they are, and a NUL behind them */

/* Large or client-sized things: NULL on failure, for the caller to answer with a fault. */
void *gate_try_alloc(size_t n);
void gate_free(void *p);

/* A slab hands out objects of one size. One thread; embedded in its owner. Pages are never given
 * back before fini, so that a warm worker does not call malloc. */
struct gate_slab {
    size_t size;         /* of one object, rounded up to 16 */
    size_t per_page;
    void *free_list;
    void *pages;
    size_t in_use;       /* objects handed out */
    const char *name;    /* for assertions and metrics */
};

void gate_slab_init(struct gate_slab *s, const char *name, size_t size);

/* Asserts that nothing is in use. */
void gate_slab_fini(struct gate_slab *s);

/* An object with undefined content (poisoned under ASan while free). */
void *gate_slab_take(struct gate_slab *s);
void gate_slab_give(struct gate_slab *s, void *object);

#endif
