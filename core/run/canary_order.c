#include "run/canary_order.h"

#include <stdio.h>
#include <string.h>

#include "run/quantity.h"

#define FOR_MS     60000u
#define FOR_MIN_US 1e6
#define FOR_MAX_US (24 * 3600e6)

static bool refuse(const char *text, const char *expected, char *why, size_t cap)
{
    snprintf(why, cap, "\"%.40s\": expected %s", text, expected);
    return false;
}

bool gate_canary_order_share(struct gate_canary_order *o, const char *text, char *why, size_t cap)
{
    const char *at = text;
    double percent;

    if (!gate_quantity_number(&at, &percent) || strcmp(at, "%") != 0)
        return refuse(text, "a share of the requests, such as 5% or 0.5%", why, cap);
    o->share = (uint32_t)(percent / 100 * GATE_CANARY_WHOLE + 0.5);
    if (o->share == 0 || percent > 50)
        return refuse(text, "a share of at least 0.0001% and at most 50%", why, cap);
    return true;
}

bool gate_canary_order_time(struct gate_canary_order *o, const char *text, char *why, size_t cap)
{
    const char *at = text;
    double n, unit;

    if (!gate_quantity_number(&at, &n) || !gate_quantity_time_unit(&at, &unit) || *at != '\0')
        return refuse(text, "a time such as 60s or 5m", why, cap);
    if (n * unit < FOR_MIN_US || n * unit > FOR_MAX_US)
        return refuse(text, "a time from 1s to 24h", why, cap);
    o->for_ms = (uint64_t)(n * unit / 1000 + 0.5);
    return true;
}

bool gate_canary_order_abort(struct gate_canary_order *o, const char *text, char *why, size_t cap)
{
    char place[160];

    if (gate_conditions_add(&o->conditions, text, place, sizeof(place)))
        return true;
    snprintf(why, cap, "\"%.80s\": %s", text, place);
    return false;
}

void gate_canary_order_complete(struct gate_canary_order *o)
{
    char why[8];

    if (o->for_ms == 0)
        o->for_ms = FOR_MS;
    if (o->conditions.n == 0)
        gate_conditions_add(&o->conditions, GATE_CONDITIONS_DEFAULT, why, sizeof(why));
}

/* Without zeros at the end. */
static void put_number(double n, const char *format, const char *unit, char *to, size_t cap)
{
    size_t len = (size_t)snprintf(to, cap, format, n);

    while (len > 0 && to[len - 1] == '0')
        len--;
    if (len > 0 && to[len - 1] == '.')
        len--;
    snprintf(to + len, cap - len, "%s", unit);
}

void gate_canary_order_share_text(uint32_t share, char to[16])
{
    put_number(share * 100.0 / GATE_CANARY_WHOLE, "%.4f", "%", to, 16);
}

void gate_canary_order_time_text(uint64_t ms, char to[24])
{
    put_number((double)ms / 1000, "%.3f", " s", to, 24);
}
