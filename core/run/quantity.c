#include "run/quantity.h"

#include <stddef.h>
#include <string.h>

#define DIGITS_MAX 9

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool gate_quantity_number(const char **text, double *out)
{
    const char *p = *text;
    double value = 0, part = 1;
    int digits = 0;

    for (; is_digit(*p) && digits <= DIGITS_MAX; p++, digits++)
        value = value * 10 + (*p - '0');
    if (digits == 0 || digits > DIGITS_MAX)
        return false;
    if (*p == '.' && is_digit(p[1])) {
        for (p++; is_digit(*p); p++) {
            part /= 10;
            value += part * (*p - '0');
        }
    }
    *text = p;
    *out = value;
    return true;
}

bool gate_quantity_time_unit(const char **text, double *out)
{
    /* "m" would take the m of "ms". */
    static const struct {
        const char *name;
        double us;
    } units[] = {
        { "us", 1 }, { "ms", 1e3 }, { "s", 1e6 }, { "m", 60e6 }, { "h", 3600e6 },
    };

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t n = strlen(units[i].name);

        if (strncmp(*text, units[i].name, n) != 0)
            continue;
        *text += n;
        *out = units[i].us;
        return true;
    }
    return false;
}
