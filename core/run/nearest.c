#include "run/nearest.h"

#include <stddef.h>
#include <string.h>

#define NAME_MAX_LEN 32

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;

    return m < c ? m : c;
}

/* Edits (insert, remove, replace, swap of neighbours) that make one name of the other. */
static unsigned distance(const char *a, size_t n, const char *b, size_t m)
{
    unsigned row[3][NAME_MAX_LEN + 1];
    unsigned *before = row[0], *last = row[1], *now = row[2];

    for (size_t j = 0; j <= m; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned *spare = before;

        now[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = min3(now[j], before[j - 2] + 1, now[j]);
        }
        before = last;
        last = now;
        now = spare;
    }
    return last[m];
}

const char *gate_nearest(const char *bad, const char *const *names)
{
    size_t n = strlen(bad);
    unsigned best = n <= 3 ? 1 : (unsigned)(n + 2) / 3;
    const char *found = NULL;

    if (n > NAME_MAX_LEN)
        return NULL;
    for (; *names != NULL; names++) {
        size_t m = strlen(*names);
        unsigned d = m > NAME_MAX_LEN ? NAME_MAX_LEN : distance(bad, n, *names, m);

        if (d < best || (d == best && found == NULL)) {
            best = d;
            found = *names;
        }
    }
    return found;
}
