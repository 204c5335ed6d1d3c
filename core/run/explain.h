/* Explain: which route takes a request that somebody describes, and why. No state. */
#ifndef GATE_RUN_EXPLAIN_H
#define GATE_RUN_EXPLAIN_H

#include <stdbool.h>
#include <stdio.h>

#include "admin/report.h"
#include "route/router.h"

/* `url`: "http://shop.test/users/7" or "/users/7". False: it is no request at all, which the text
 * says, too. */
bool gate_explain(const struct gate_config *config, const struct gate_router *router,
                  const struct gate_report_hide *hide, const char *method, const char *url,
                  FILE *to);

#endif
