#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void gate_assert_fail(const char *text, const char *file, int line)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, text);
    fflush(stderr);
    abort();
}
