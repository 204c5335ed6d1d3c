/* Assertions: GATE_ASSERT stays in release builds (cheap, guards memory), GATE_DEBUG_ASSERT does
 * not. */
#ifndef GATE_BASE_ASSERT_H
#define GATE_BASE_ASSERT_H

/* Prints "file:line: assertion failed: text" to stderr and aborts. */
_Noreturn void gate_assert_fail(const char *text, const char *file, int line);

#define GATE_ASSERT(x) ((x) ? (void)0 : gate_assert_fail(#x, __FILE__, __LINE__))

#ifdef GATE_DEBUG
#define GATE_DEBUG_ASSERT(x) GATE_ASSERT(x)
#else
#define GATE_DEBUG_ASSERT(x) ((void)0)
#endif

/* Type tags checked at every border where a void pointer becomes a struct. */
#define GATE_MAGIC(obj, value) ((obj)->magic = (value))
#define GATE_CHECK_MAGIC(obj, value) GATE_ASSERT((obj) != NULL && (obj)->magic == (value))

#define GATE_LIKELY(x) __builtin_expect(!!(x), 1)
#define GATE_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* A function that hot ones call seldom: what it needs of the stack does not burden them. */
#define GATE_COLD __attribute__((cold, noinline))
#define GATE_COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

#endif
