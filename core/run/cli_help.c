#include <stdio.h>
#include <string.h>

#include "run/cli.h"

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
    "Exit status: 1 the file or an option is wrong, 2 an address cannot be listened on.\n";

static const char check_help[] =
    "moongate check FILE [--json] [--data NAME=FILE] [--listen ADDRESS] [--trust]\n"
    "\n"
    "Reads a gateway as run would, and its sources for misspelt fields, without serving and\n"
    "without the network. Each mistake is a line \"file:line: what\" (data: \"file pointer:\n"
    "what\"); with --json a list of objects on stdout (message, file, line, pointer, name,\n"
    "expected, nearest).\n"
    "Exit status: 0 right, 1 wrong.\n";

static const char routes_help[] =
    "moongate routes FILE [METHOD URL] [--data NAME=FILE] [--listen ADDRESS] [--trust]\n"
    "\n"
    "Prints the routes of a gateway in the order in which they win; with a method and a URL\n"
    "(\"http://shop.test/users/7\" or \"/users/7\") the route that takes the request, and why.\n";

static const char reload_help[] =
    "moongate reload FILE\n"
    "moongate reload --socket PATH\n"
    "\n"
    "Lets the gateway that runs read its files again. What is wrong is printed, and changes\n"
    "nothing: the gateway goes on as it was.\n"
    "Exit status: 0 the new files serve, 1 they do not.\n";

static const struct {
    const char *command;
    const char *text;
} texts[] = {
    { "run", run_help },
    { "check", check_help },
    { "routes", routes_help },
    { "reload", reload_help },
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
