/* Command line: one function a command; each returns the exit status: 0, 1 (file or option), 2
 * (cannot listen). */
#ifndef GATE_RUN_CLI_H
#define GATE_RUN_CLI_H

#include "run/load.h"
#include "run/options.h"

/* Runs what argv asks for. */
int gate_cli_main(int argc, char **argv);

/* `args`: argv behind "run", for the engines. */
int gate_cli_run(const struct gate_options *o, char **args);
int gate_cli_check(const struct gate_options *o);
int gate_cli_routes(const struct gate_options *o);
int gate_cli_version(void);

/* What is asked of a gateway that runs, over its control socket. */
int gate_cli_reload(const struct gate_options *o);
int gate_cli_rollback(const struct gate_options *o);
int gate_cli_generations(const struct gate_options *o);
int gate_cli_upstreams(const struct gate_options *o);
int gate_cli_live_routes(const struct gate_options *o);
int gate_cli_top(const struct gate_options *o);

/* The general help, or that of a command (false: there is no such command). */
bool gate_cli_help(const char *command);

/* "moongate: message" and a newline to stderr; returns 1. */
int gate_cli_fail(const char *message);

/* Loads the gateway for a command that only looks at it. On failure *errors says why. */
enum gate_err gate_cli_load(const struct gate_options *o, bool check, struct gate_bundle **bundle,
                            struct gate_loaded *out, struct gate_load_errors *errors);

#endif
