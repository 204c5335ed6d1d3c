/* Runs a list of Lua checks, one exchange each: a bundle file that returns { { name, class,
 * function(req, res) }, … }; a function that raises fails the test, with the log. */
#ifndef GATE_TESTS_CHECK_LIST_H
#define GATE_TESTS_CHECK_LIST_H

#include "support/script_rig.h"

/* `module` is tests/support/<module>.lua. Answers how many checks failed; at least `least` must be
 * there. */
int check_list_run(const char *module, int least);

#endif
