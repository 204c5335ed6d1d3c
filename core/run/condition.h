/* Conditions: when a canary is given up, "errors > 1%, p99 > 1.5x", as data; whether one holds for
 * the figures of the two generations. Pure; no memory of its own. */
#ifndef GATE_RUN_CONDITION_H
#define GATE_RUN_CONDITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exchange/canary.h"

enum gate_figure { GATE_FIGURE_ERRORS, GATE_FIGURE_FAULTS, GATE_FIGURE_KILLS, GATE_FIGURE_P99 };

/* Holds when the canary's figure is more than factor times the other generation's, plus `plus`:
 * microseconds, a part of its requests, or (count) a number. With a factor, only if the two differ
 * by more than chance would make of so many requests: else a canary that is as good as the other
 * would often be given up, and the more surely the oftener somebody looks. */
struct gate_condition {
    enum gate_figure figure;
    bool count;
    double factor;
    double plus;
    char limit[24];         /* as written: "2x+10ms" */
};

#define GATE_CONDITIONS_MAX 16

struct gate_conditions {
    uint32_t n;
    struct gate_condition v[GATE_CONDITIONS_MAX];
};

/* What holds when nobody says otherwise. */
#define GATE_CONDITIONS_DEFAULT "errors > +1%, faults > +1%, kills > +1%, p99 > 2x+10ms"

/* Adds the conditions of a text, joined by "or" or ",". False: *why says where it is wrong and what
 * was expected. */
bool gate_conditions_add(struct gate_conditions *c, const char *text, char *why, size_t cap);

/* The first one that holds; NULL: none. */
const struct gate_condition *gate_conditions_check(const struct gate_conditions *c,
                                                   const struct gate_canary_figures *canary,
                                                   const struct gate_canary_figures *current);

/* "errors > 1%, p99 > 2x"; at most cap - 1 bytes. */
void gate_conditions_text(const struct gate_conditions *c, char *to, size_t cap);

/* The figure that made it hold, and the condition: "errors 2.40% (generation 7: 0.10%), more than
 * the condition errors > 1% allows". */
void gate_condition_explain(const struct gate_condition *c,
                            const struct gate_canary_figures *canary,
                            const struct gate_canary_figures *current, uint64_t number, char *to,
                            size_t cap);

#endif
