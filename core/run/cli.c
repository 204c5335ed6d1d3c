#include "run/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "run/engine.h"
#include "run/nearest.h"
#include "run/source.h"
#include "run/supervisor.h"
#include "script/watchdog.h"

static const char *const commands[] = { "run",       "check", "routes",  "reload", "rollback",
                                        "generations", "upstreams", "top", "version", "help",
                                        NULL };

/* Those that take a file and options, but for run. */
static const struct {
    const char *name;
    int (*run)(const struct gate_options *o);
} with_file[] = {
    { "check", gate_cli_check },
    { "routes", gate_cli_routes },
    { "reload", gate_cli_reload },
    { "rollback", gate_cli_rollback },
    { "generations", gate_cli_generations },
    { "upstreams", gate_cli_upstreams },
    { "top", gate_cli_top },
};

/* Of the language of commands, for later builds. */
static const char *const later_commands[] = { "test",  "new",   "trace",  "policies",
                                              "types", "cache", "schema", NULL };

int gate_cli_fail(const char *message)
{
    fprintf(stderr, "moongate: %s\n", message);
    return 1;
}

enum gate_err gate_cli_load(const struct gate_options *o, bool check, struct gate_bundle **bundle,
                            struct gate_loaded *out, struct gate_load_errors *errors)
{
    struct gate_log_fd_sink sink;
    struct gate_log log;
    struct gate_load_tools tools = { .options = o, .log = &log, .check = check };
    char why[256];
    enum gate_err err;

    memset(out, 0, sizeof(*out));
    gate_log_fd_sink_init(&sink, STDERR_FILENO);
    gate_log_init(&log, &sink.sink, GATE_LOG_INFO, false);
    err = gate_source_open(o, bundle, why, sizeof(why));
    if (err != GATE_OK) {
        gate_load_errors_add(errors, gate_str_from_cstr(gate_source_name(o)), 0, why);
        return err;
    }
    tools.bundle = *bundle;
    err = gate_watchdog_open(&tools.watchdog, GATE_WATCHDOG_SIGNAL, NULL, NULL);
    if (err == GATE_OK)
        err = gate_load_all(&tools, out, errors);
    if (tools.watchdog != NULL)
        gate_watchdog_close(&tools.watchdog);
    if (err != GATE_OK)
        gate_bundle_free(bundle);
    return err;
}

int gate_cli_run(const struct gate_options *o, char **args)
{
    struct gate_log_fd_sink sink;
    struct gate_log log;
    char why[400];

    if (!gate_source_check_proxy(o, why, sizeof(why)))
        return gate_cli_fail(why);
    if (o->foreground)
        return gate_engine_run(o, -1);
    gate_log_fd_sink_init(&sink, STDERR_FILENO);
    gate_log_init(&log, &sink.sink, GATE_LOG_INFO, !isatty(STDERR_FILENO));
    return gate_supervisor_run(args, &log);
}

/* What a supervisor starts: engine FD, then the arguments of its own `run`. */
static int engine_command(int argc, char **argv)
{
    struct gate_options o;
    char why[400];
    int status;

    if (argc < 3)
        return gate_cli_fail("engine is for supervisors; use: moongate run FILE");
    if (!gate_options_parse("run", argc - 3, argv + 3, &o, why, sizeof(why)))
        return gate_cli_fail(why);
    status = gate_engine_run(&o, atoi(argv[2]));
    gate_options_fini(&o);
    return status;
}

/* NULL for run, which wants its arguments too. */
static int (*command_of(const char *name))(const struct gate_options *o)
{
    for (size_t i = 0; i < sizeof(with_file) / sizeof(with_file[0]); i++) {
        if (strcmp(with_file[i].name, name) == 0)
            return with_file[i].run;
    }
    return NULL;
}

static bool is_lua_file(const char *word)
{
    size_t n = strlen(word);

    return n > 4 && strcmp(word + n - 4, ".lua") == 0;
}

static int unknown_command(const char *command)
{
    const char *near = gate_nearest(command, commands);
    char text[256];

    for (const char *const *later = later_commands; *later != NULL; later++) {
        if (strcmp(*later, command) != 0)
            continue;
        snprintf(text, sizeof(text),
                 "\"%s\" is right, but not there yet in this build",
                 command);
        return gate_cli_fail(text);
    }
    if (is_lua_file(command))
        snprintf(text, sizeof(text), "a command stands before the file: moongate run %.200s",
                 command);
    else if (near != NULL)
        snprintf(text, sizeof(text), "there is no command \"%.100s\"; did you mean %s?", command,
                 near);
    else
        snprintf(text, sizeof(text), "there is no command \"%.100s\"; see moongate help", command);
    return gate_cli_fail(text);
}

static int with_options(int argc, char **argv)
{
    int (*command)(const struct gate_options *o) = command_of(argv[1]);
    struct gate_options o;
    char why[400];
    int status;

    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            gate_cli_help(argv[1]);
            return 0;
        }
    }
    if (!gate_options_parse(argv[1], argc - 2, argv + 2, &o, why, sizeof(why)))
        status = gate_cli_fail(why);
    else
        status = command == NULL ? gate_cli_run(&o, argv + 2) : command(&o);
    gate_options_fini(&o);
    return status;
}

static int one_too_many(const char *command, const char *word)
{
    char text[256];

    snprintf(text, sizeof(text), "%s: one argument too many: \"%.100s\"", command, word);
    return gate_cli_fail(text);
}

static bool is_any(const char *word, const char *a, const char *b, const char *c)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0 || strcmp(word, c) == 0;
}

static int version(int argc, char **argv)
{
    if (argc == 2)
        return gate_cli_version();
    if (is_any(argv[2], "help", "--help", "-h"))
        return gate_cli_help("version") ? 0 : 1;
    return one_too_many("version", argv[2]);
}

int gate_cli_main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";

    if (argc < 2) {
        gate_cli_help(NULL);
        return 1;
    }
    if (is_any(command, "help", "--help", "-h")) {
        if (argc > 3)
            return one_too_many("help", argv[3]);
        if (gate_cli_help(argc > 2 ? argv[2] : NULL))
            return 0;
        return unknown_command(argv[2]);
    }
    if (is_any(command, "version", "--version", "-V"))
        return version(argc, argv);
    if (strcmp(command, "engine") == 0)
        return engine_command(argc, argv);
    if (strcmp(command, "run") == 0 || command_of(command) != NULL)
        return with_options(argc, argv);
    return unknown_command(command);
}
