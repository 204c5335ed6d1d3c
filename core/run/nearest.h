/* Nearest: the known name that a misspelt one most likely meant. No state. */
#ifndef GATE_RUN_NEAREST_H
#define GATE_RUN_NEAREST_H

/* One of `names` (ended by NULL), or NULL when none is near enough. */
const char *gate_nearest(const char *bad, const char *const *names);

#endif
