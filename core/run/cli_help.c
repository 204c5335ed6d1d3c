#include <stdio.h>
#include <string.h>

#include "run/canary_order.h"
#include "run/cli.h"

/* Of commands that ask a gateway that runs. */
#define FOUND_BY_FILE \
    "The gateway is found by its FILE, read with the --data NAME=FILE and --trust of its run,\n" \
    "or by the --socket PATH of its control socket.\n"

static const char general[] =
    "Moongate: a programmable reverse proxy. A Lua file decides routing, headers and access.\n"
    "\n"
    "  moongate run gateway.lua             serve it\n"
    "  moongate run --proxy :8080 http://127.0.0.1:9000\n"
    "                                       forward everything, without any file\n"
    "  moongate check gateway.lua           is it right? says where it is not\n"
    "  moongate routes gateway.lua          its routes, the one that wins first\n"
    "  moongate routes gateway.lua GET /users/7\n"
    "                                       which route takes this request, and why\n"
    "  moongate reload gateway.lua          let the running gateway read its files again\n"
    "  moongate rollback gateway.lua        bring back what served before\n"
    "  moongate generations gateway.lua     what serves, what ends, what can be brought back\n"
    "  moongate upstreams gateway.lua       servers: active requests, failures\n"
    "  moongate top gateway.lua             CPU, memory, calls, errors by policy and hook, live\n"
    "  moongate version                     this program and its libraries\n"
    "  moongate help COMMAND                all options of a command\n"
    "\n"
    "A first gateway.lua:\n"
    "\n"
    "  local gate = require \"moongate\"\n"
    "  gate.listen { \":8080\" }\n"
    "  local app = gate.upstream(\"app\", { servers = { \"127.0.0.1:9000\" } })\n"
    "  gate.route { path = \"/\", upstream = app }\n"
    "  gate.route { path = \"/hello\", reply = { 200, \"hello\\n\" } }\n";

static const char run_help[] =
    "moongate run FILE [options]\n"
    "moongate run --proxy ADDRESS URL [options]\n"
    "\n"
    "Serves a gateway file until it is told to stop. When it listens it says so on stderr.\n"
    "\n"
    "  --proxy ADDRESS URL     no file: forward everything that comes to ADDRESS to URL\n"
    "  --listen ADDRESS        listen here and not where the file says; may stand several times\n"
    "                          \"127.0.0.1:8080\", \":8080\" (all addresses), \"[::1]:8080\", "
    "\"unix:/path\"\n"
    "  --workers N             threads that serve; default: one for each processor\n"
    "  --data NAME=FILE        where gate.data(NAME) reads from\n"
    "  --socket PATH           place of the control socket\n"
    "  --trust                 scripts may use all of Lua (io, os, ffi, debug)\n"
    "  --no-watch              read files again on a signal or command only\n"
    "  --foreground-engine     one process, without supervisor (for debuggers)\n"
    "  --test-clock            the clock can be moved over the control socket (for tests)\n"
    "\n"
    "Signals: TERM, INT and QUIT let requests end, then exit with 0; a second one ends at once.\n"
    "HUP reads the files again, USR1 opens the logs anew.\n"
    "Exit status: 1 the file or an option is wrong, 2 an address cannot be listened on, 3 the\n"
    "engine crashed before it was ready or while it ended.\n";

static const char check_help[] =
    "moongate check FILE [--json] [--data NAME=FILE] [--listen ADDRESS] [--trust]\n"
    "\n"
    "Reads a gateway as run would, and its sources for misspelt fields, without serving and\n"
    "without the network. Each mistake is a line \"file:line: what\" (data: \"file pointer:\n"
    "what\"); with --json a list of objects on stdout (message, file, line, pointer, name,\n"
    "expected, nearest). Of a right one it tells which routes get no request because another\n"
    "one of their host and path takes them all.\n"
    "Exit status: 0 right, 1 wrong.\n";

static const char routes_help[] =
    "moongate routes FILE [METHOD URL] [--live] [--data NAME=FILE] [--listen ADDRESS] [--trust]\n"
    "moongate routes FILE --json [--live]\n"
    "moongate routes --live --socket PATH [METHOD URL]\n"
    "\n"
    "Prints the routes of a gateway in the order in which they win; with a method and a URL\n"
    "(\"http://shop.test/users/7\" or \"/users/7\") the route that takes the request, and why.\n"
    "With --live the gateway that runs is asked, which also tells how many requests each route\n"
    "has answered.\n";

static const char reload_help[] =
    "moongate reload FILE [canary options]\n"
    "moongate reload --socket PATH [canary options]\n"
    "\n"
    "Lets the gateway that runs read its files again. What is wrong is printed, and changes\n"
    "nothing: the gateway goes on as it was.\n"
    FOUND_BY_FILE
    "\n"
    "  --canary SHARE          first give them this share of new requests: 5%, 0.5%, at most 50%\n"
    "  --for TIME              for so long, then they serve; 1s to 24h, default: 60s\n"
    "  --abort-if CONDITIONS   give them up as soon as one holds: 'errors > 1%, p99 > 1.5x'; may\n"
    "                          stand several times\n"
    "  --detach                do not wait for the verdict\n"
    "\n"
    "A condition is errors, faults, kills or p99, \">\" and a limit: 1% (of the canary's\n"
    "requests), 3 (a number), +1% (above what serves now), 1.5x (of what serves now); for p99\n"
    "50ms, +5ms, 1.5x, 2x+10ms. They are joined by \"or\" or \",\". Those beside what serves\n"
    "hold only where the difference is no chance. Default:\n"
    "'" GATE_CONDITIONS_DEFAULT "'.\n"
    "Nothing is judged before the canary has had 500 requests; with fewer it is given up at the\n"
    "end. What ends it too: reload, HUP, rollback, another --canary. ^C leaves it running, and\n"
    "moongate generations tells how it is. A gateway that watches its files lets a save serve at\n"
    "once: start it with run --no-watch.\n"
    "Exit status: 0 the new files serve (with --detach: the canary runs), 1 they do not.\n";

static const char rollback_help[] =
    "moongate rollback FILE [GENERATION]\n"
    "moongate rollback --socket PATH [GENERATION]\n"
    "\n"
    "Lets the gateway that runs serve again what served before, or what that generation did\n"
    "(moongate generations lists those that are kept: the last five). The files stay as they\n"
    "are: the next reload, or the next change of them, reads them again. While a canary runs,\n"
    "rollback without a generation gives up the canary, and nothing more.\n"
    FOUND_BY_FILE
    "Exit status: 0 it serves, 1 it does not.\n";

static const char generations_help[] =
    "moongate generations FILE [--json]\n"
    "moongate generations --socket PATH [--json]\n"
    "\n"
    "Lists the generations of the gateway that runs: number, state, hash of the files, age,\n"
    "requests under way, memory; then what rollback can bring back, the figures of the last\n"
    "canary, and why the last reload was refused, if it was.\n"
    FOUND_BY_FILE;

static const char upstreams_help[] =
    "moongate upstreams FILE [--json]\n"
    "moongate upstreams --socket PATH [--json]\n"
    "\n"
    "Lists the servers of the gateway that runs: state, active requests, connections,\n"
    "requests and failures so far.\n"
    FOUND_BY_FILE;

static const char top_help[] =
    "moongate top FILE [--json]\n"
    "moongate top --socket PATH [--json]\n"
    "\n"
    "Shows what the workers of the gateway that runs do, and which policies and hooks (and tasks\n"
    "that they began) take CPU time, are called, fail or are stopped. On a terminal anew every\n"
    "two seconds, until ^C; elsewhere once. CPU time is sampled.\n"
    FOUND_BY_FILE;

static const struct {
    const char *command;
    const char *text;
} texts[] = {
    { "run", run_help },
    { "check", check_help },
    { "routes", routes_help },
    { "reload", reload_help },
    { "rollback", rollback_help },
    { "generations", generations_help },
    { "upstreams", upstreams_help },
    { "top", top_help },
    { "version", "moongate version\n\nPrints the versions of this program and its libraries.\n" },
    { "help", "moongate help [COMMAND]\n" },
};

bool gate_cli_help(const char *command)
{
    if (command == NULL) {
        fputs(general, stdout);
        return true;
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(texts[i].command, command) == 0) {
            fputs(texts[i].text, stdout);
            return true;
        }
    }
    return false;
}
