/* Poison: tells AddressSanitizer which pooled memory is free. Nothing in other builds. */
#ifndef GATE_BASE_POISON_H
#define GATE_BASE_POISON_H

#if defined(__SANITIZE_ADDRESS__)
#define GATE_WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GATE_WITH_ASAN 1
#endif
#endif

#ifdef GATE_WITH_ASAN
#include <sanitizer/asan_interface.h>
#define GATE_POISON(p, n) __asan_poison_memory_region((p), (n))
#define GATE_UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#define GATE_POISONED(p) (__asan_address_is_poisoned(p) != 0)
#else
#define GATE_POISON(p, n) ((void)(p), (void)(n))
#define GATE_UNPOISON(p, n) ((void)(p), (void)(n))
#define GATE_POISONED(p) ((void)(p), 0)
#endif

#endif
