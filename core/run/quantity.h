/* Quantity: numbers with units as people write them on a command line: "0.5%", "60s". No state. */
#ifndef GATE_RUN_QUANTITY_H
#define GATE_RUN_QUANTITY_H

#include <stdbool.h>

/* Reads digits with at most one point and nothing else; moves *text behind them. False: there are
 * none, or more than nine before the point; *text has not moved. */
bool gate_quantity_number(const char **text, double *out);

/* Reads a unit of time: us, ms, s, m, h. *out: its microseconds. False: there is none. */
bool gate_quantity_time_unit(const char **text, double *out);

#endif
