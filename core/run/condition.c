#include "run/condition.h"

#include <stdio.h>
#include <string.h>

#include "run/quantity.h"

static const char *const names[] = { "errors", "faults", "kills", "p99" };

#define NAMES "errors, faults, kills or p99"
#define RATES "a limit such as 1% (of its requests), 3 (a number), +1% or 1.5x (of what serves now)"
#define TIMES "a limit such as 50ms, +5ms, 1.5x or 2x+10ms (of what serves now)"

/* Parsing */

struct parser {
    const char *p;
    char *why;
    size_t cap;
};

static void skip(struct parser *p)
{
    p->p += strspn(p->p, " \t\n");
}

/* Names the place by the word that stands there. */
static bool fail(struct parser *p, const char *at, const char *expected)
{
    size_t n = strcspn(at, " \t\n,");

    if (n == 0 && *at != '\0')
        n = 1;
    if (*at == '\0')
        snprintf(p->why, p->cap, "at its end: expected %s", expected);
    else
        snprintf(p->why, p->cap, "at \"%.*s\": expected %s", (int)(n < 40 ? n : 40), at, expected);
    return false;
}

static bool parse_figure(struct parser *p, enum gate_figure *out)
{
    size_t n = strcspn(p->p, " \t\n,>");

    for (int i = GATE_FIGURE_ERRORS; i <= GATE_FIGURE_P99; i++) {
        if (strlen(names[i]) != n || strncmp(names[i], p->p, n) != 0)
            continue;
        *out = i;
        p->p += n;
        return true;
    }
    return fail(p, p->p, NAMES);
}

/* "1%", "50ms": what a figure is measured in. A bare number is a count. */
static bool parse_unit(const char **at, struct gate_condition *c)
{
    double us;

    if (c->figure == GATE_FIGURE_P99) {
        if (!gate_quantity_time_unit(at, &us))
            return false;
        c->plus *= us;
        return true;
    }
    if (**at == '%') {
        (*at)++;
        c->plus /= 100;
        return true;
    }
    c->count = true;
    return c->factor == 0;
}

/* "1%", "+1%", "1.5x", "2x+10ms", "3". Moves *at; whether it is one. */
static bool parse_terms(const char **at, struct gate_condition *c)
{
    if (**at == '+') {
        c->factor = 1;
        (*at)++;
    }
    if (!gate_quantity_number(at, &c->plus))
        return false;
    if (**at != 'x' || c->factor != 0)
        return parse_unit(at, c);
    c->factor = c->plus;
    c->plus = 0;
    (*at)++;
    if (c->factor == 0)
        return false;
    if (**at != '+')
        return true;
    (*at)++;
    return gate_quantity_number(at, &c->plus) && parse_unit(at, c);
}

static bool parse_limit(struct parser *p, struct gate_condition *c)
{
    const char *at = p->p;
    size_t n = strcspn(p->p, " \t\n,");

    if (!parse_terms(&at, c) || at != p->p + n || n >= sizeof(c->limit))
        return fail(p, p->p, c->figure == GATE_FIGURE_P99 ? TIMES : RATES);
    memcpy(c->limit, p->p, n);
    c->limit[n] = '\0';
    p->p += n;
    return true;
}

static bool parse_one(struct parser *p, struct gate_conditions *c)
{
    struct gate_condition *v = &c->v[c->n];

    if (c->n == GATE_CONDITIONS_MAX)
        return fail(p, p->p, "at most 16 conditions");
    memset(v, 0, sizeof(*v));
    skip(p);
    if (!parse_figure(p, &v->figure))
        return false;
    skip(p);
    if (*p->p != '>' || p->p[1] == '=')
        return fail(p, p->p, "\">\"");
    p->p++;
    skip(p);
    if (!parse_limit(p, v))
        return false;
    c->n++;
    return true;
}

/* "or", ",", or the end (false). */
static bool parse_join(struct parser *p, bool *wrong)
{
    skip(p);
    *wrong = false;
    if (*p->p == '\0')
        return false;
    if (*p->p == ',') {
        p->p++;
        return true;
    }
    if (strncmp(p->p, "or", 2) == 0 && strchr(" \t\n", p->p[2]) != NULL) {
        p->p += 2;
        return true;
    }
    *wrong = true;
    fail(p, p->p, "\"or\", \",\" or the end: each condition alone gives the canary up");
    return false;
}

bool gate_conditions_add(struct gate_conditions *c, const char *text, char *why, size_t cap)
{
    struct parser p = { text, why, cap };
    bool wrong;

    do {
        if (!parse_one(&p, c))
            return false;
    } while (parse_join(&p, &wrong));
    return !wrong;
}

/* Judging */

static uint64_t count_of(enum gate_figure figure, const struct gate_canary_figures *f)
{
    if (figure == GATE_FIGURE_ERRORS)
        return f->errors;
    return figure == GATE_FIGURE_FAULTS ? f->faults : f->kills;
}

static double value_of(const struct gate_condition *c, const struct gate_canary_figures *f)
{
    if (c->figure == GATE_FIGURE_P99)
        return (double)f->p99_us;
    if (c->count)
        return (double)count_of(c->figure, f);
    return f->requests == 0 ? 0 : (double)count_of(c->figure, f) / (double)f->requests;
}

/* Whether two rates differ by more than three standard deviations of what they would differ by if
 * they were the same in truth (Poisson: a request may count several times). */
static bool is_no_chance(double mine, double n, double other, double other_n)
{
    double all = (mine * n + other * other_n) / (n + other_n);
    double d = mine - other;

    return d > 0 && d * d > 9 * all * (1 / n + 1 / other_n);
}

/* Of p99: whether more of the canary's requests are beyond the limit. */
static bool is_slower(const struct gate_canary_figures *canary,
                      const struct gate_canary_figures *current, double limit)
{
    double n = (double)gate_histogram_total(&canary->latency_us);
    double other_n = (double)gate_histogram_total(&current->latency_us);

    return n > 0 && other_n > 0 &&
           is_no_chance((double)gate_histogram_above(&canary->latency_us, (uint64_t)limit) / n, n,
                        (double)gate_histogram_above(&current->latency_us, (uint64_t)limit) /
                            other_n,
                        other_n);
}

static bool is_worse(const struct gate_condition *c, const struct gate_canary_figures *canary,
                     const struct gate_canary_figures *current, double limit)
{
    if (c->factor == 0)
        return true;
    if (c->figure == GATE_FIGURE_P99)
        return is_slower(canary, current, limit);
    return canary->requests > 0 && current->requests > 0 &&
           is_no_chance(value_of(c, canary), (double)canary->requests, value_of(c, current),
                        (double)current->requests);
}

/* A hair above, so that 1.2 % plus one point is not more than 2.2 % by rounding. */
static bool holds(const struct gate_condition *c, const struct gate_canary_figures *canary,
                  const struct gate_canary_figures *current)
{
    double limit = c->factor * value_of(c, current) + c->plus;

    return value_of(c, canary) > limit * (1 + 1e-9) && is_worse(c, canary, current, limit);
}

const struct gate_condition *gate_conditions_check(const struct gate_conditions *c,
                                                   const struct gate_canary_figures *canary,
                                                   const struct gate_canary_figures *current)
{
    for (uint32_t i = 0; i < c->n; i++) {
        if (holds(&c->v[i], canary, current))
            return &c->v[i];
    }
    return NULL;
}

/* Words */

void gate_conditions_text(const struct gate_conditions *c, char *to, size_t cap)
{
    size_t n = 0;

    to[0] = '\0';
    for (uint32_t i = 0; i < c->n && n < cap; i++)
        n += (size_t)snprintf(to + n, cap - n, "%s%s > %s", i > 0 ? ", " : "",
                              names[c->v[i].figure], c->v[i].limit);
}

static void put_value(const struct gate_condition *c, const struct gate_canary_figures *f,
                      char to[32])
{
    double value = value_of(c, f);

    if (c->figure == GATE_FIGURE_P99)
        snprintf(to, 32, "%.2f ms", value / 1000);
    else if (c->count)
        snprintf(to, 32, "%.0f", value);
    else
        snprintf(to, 32, "%.2f%%", value * 100);
}

void gate_condition_explain(const struct gate_condition *c,
                            const struct gate_canary_figures *canary,
                            const struct gate_canary_figures *current, uint64_t number, char *to,
                            size_t cap)
{
    char mine[32], other[32];

    put_value(c, canary, mine);
    put_value(c, current, other);
    snprintf(to, cap, "%s %s (generation %llu: %s), more than the condition %s > %s allows",
             names[c->figure], mine, (unsigned long long)number, other, names[c->figure],
             c->limit);
}
