#include "run/options.h"

#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/config.h"
#include "run/canary_order.h"
#include "run/nearest.h"

/* Commands, as a mask of where an option may stand. */
enum {
    RUN = 1,
    CHECK = 2,
    ROUTES = 4,
    RELOAD = 8,
    ROLLBACK = 16,
    GENERATIONS = 32,
    UPSTREAMS = 64,
    TOP = 128,
    /* Those that ask a gateway that runs. */
    ASKING = RELOAD | ROLLBACK | GENERATIONS | UPSTREAMS | TOP,
    ANY = RUN | CHECK | ROUTES | ASKING
};

static const char *const command_names[] = { "run",      "check",       "routes",    "reload",
                                             "rollback", "generations", "upstreams", "top" };

struct parser {
    struct gate_options *o;
    const char *name;       /* of the option */
    const char *value;
    char *why;
    size_t cap;
};

struct option {
    const char *name;
    unsigned commands;
    const char *takes;      /* NULL: nothing */
    bool (*set)(struct parser *p);
};

static bool refuse(struct parser *p, const char *expected)
{
    snprintf(p->why, p->cap, "%s \"%s\": expected %s", p->name, p->value, expected);
    return false;
}

static bool set_workers(struct parser *p)
{
    uint64_t n;

    if (strcmp(p->value, "auto") == 0)
        return true;
    if (!gate_str_to_u64(gate_str_from_cstr(p->value), &n) || n == 0 || n > GATE_WORKERS_MAX)
        return refuse(p, "a number from 1 to 128, or auto");
    p->o->workers = (uint32_t)n;
    return true;
}

static bool is_address(const char *text)
{
    struct gate_addr a;

    return gate_config_listen_addr(gate_str_from_cstr(text), &a) == GATE_OK;
}

/* Port 0 is another one each time. */
static bool has_free_port(const char *text)
{
    struct gate_addr a;

    return gate_config_listen_addr(gate_str_from_cstr(text), &a) == GATE_OK &&
           a.u.sa.sa_family != AF_UNIX && gate_addr_port(&a) == 0;
}

static bool set_listen(struct parser *p)
{
    if (!is_address(p->value))
        return refuse(p, "\"host:port\" with a numeric host or localhost, \":port\", "
                         "\"[::1]:port\" or \"unix:/path\"");
    if (p->o->n_listen == GATE_OPTION_LISTEN_MAX)
        return refuse(p, "at most 32 addresses");
    for (uint32_t i = 0; i < p->o->n_listen; i++) {
        if (strcmp(p->o->listen[i], p->value) == 0 && !has_free_port(p->value))
            return refuse(p, "each address once");
    }
    p->o->listen[p->o->n_listen++] = p->value;
    return true;
}

static bool set_data(struct parser *p)
{
    const char *eq = strchr(p->value, '=');
    struct gate_data_option *d;

    if (eq == NULL || eq == p->value || eq[1] == '\0')
        return refuse(p, "name=file");
    if (p->o->n_data == GATE_OPTION_DATA_MAX)
        return refuse(p, "at most 64 of them");
    d = &p->o->data[p->o->n_data++];
    d->name = gate_strndup(p->value, (size_t)(eq - p->value));
    d->path = eq + 1;
    return true;
}

static bool set_proxy(struct parser *p)
{
    if (!is_address(p->value))
        return refuse(p, "the address to listen on, as in: --proxy :8080 http://127.0.0.1:9000");
    p->o->proxy = p->value;
    return true;
}

static bool set_socket(struct parser *p)
{
    p->o->socket = p->value;
    return true;
}

/* Orders for a canary are read by who runs it; here only so that mistakes are told at once. */
static bool is_order(struct parser *p, bool (*read)(struct gate_canary_order *o, const char *text,
                                                    char *why, size_t cap))
{
    struct gate_canary_order order = { .share = 0 };
    int n = snprintf(p->why, p->cap, "%s ", p->name);

    return read(&order, p->value, p->why + n, p->cap - (size_t)n);
}

static bool set_canary(struct parser *p)
{
    p->o->canary = p->value;
    return is_order(p, gate_canary_order_share);
}

static bool set_for(struct parser *p)
{
    p->o->canary_for = p->value;
    return is_order(p, gate_canary_order_time);
}

static bool set_abort_if(struct parser *p)
{
    char *all = p->o->abort_if;
    size_t n = strlen(all);

    if (!is_order(p, gate_canary_order_abort))
        return false;
    if (n + strlen(p->value) + 3 > sizeof(p->o->abort_if))
        return refuse(p, "shorter conditions, or fewer");
    snprintf(all + n, sizeof(p->o->abort_if) - n, "%s%s", n > 0 ? ", " : "", p->value);
    return true;
}

static bool set_detach(struct parser *p)
{
    p->o->detach = true;
    return true;
}

static bool set_json(struct parser *p)
{
    p->o->json = true;
    return true;
}

static bool set_trust(struct parser *p)
{
    p->o->trust = true;
    return true;
}

static bool set_test_clock(struct parser *p)
{
    p->o->test_clock = true;
    return true;
}

static bool set_foreground(struct parser *p)
{
    p->o->foreground = true;
    return true;
}

/* The gateway that runs is asked. */
static bool set_live(struct parser *p)
{
    p->o->live = true;
    return true;
}

static bool set_no_watch(struct parser *p)
{
    p->o->no_watch = true;
    return true;
}

static const struct option options[] = {
    { "--workers", RUN, "a number", set_workers },
    { "--listen", RUN | CHECK | ROUTES, "an address", set_listen },
    { "--data", ANY, "name=file", set_data },
    { "--proxy", RUN, "an address and a URL", set_proxy },
    { "--socket", RUN | ROUTES | ASKING, "a path", set_socket },
    { "--json", CHECK | ROUTES | GENERATIONS | UPSTREAMS | TOP, NULL, set_json },
    { "--canary", RELOAD, "a share, such as 5%", set_canary },
    { "--for", RELOAD, "a time, such as 60s", set_for },
    { "--abort-if", RELOAD, "conditions, such as 'errors > 1%'", set_abort_if },
    { "--detach", RELOAD, NULL, set_detach },
    { "--live", ROUTES, NULL, set_live },
    { "--trust", ANY, NULL, set_trust },
    { "--test-clock", RUN, NULL, set_test_clock },
    { "--foreground-engine", RUN, NULL, set_foreground },
    { "--no-watch", RUN, NULL, set_no_watch },
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

static unsigned command_bit(const char *command)
{
    for (unsigned i = 0; i < sizeof(command_names) / sizeof(command_names[0]); i++) {
        if (strcmp(command_names[i], command) == 0)
            return 1u << i;
    }
    return 0;
}

static bool unknown_option(const char *command, const char *arg, size_t n, struct parser *p)
{
    unsigned bit = command_bit(command);
    const char *names[N_OPTIONS + 1];
    const char *near;
    char *bad = gate_strndup(arg, n);
    size_t k = 0;

    for (size_t i = 0; i < N_OPTIONS; i++) {
        if ((options[i].commands & bit) != 0)
            names[k++] = options[i].name;
    }
    names[k] = NULL;
    near = gate_nearest(bad, names);
    if (near != NULL)
        snprintf(p->why, p->cap, "%s has no option %s; did you mean %s?", command, bad, near);
    else
        snprintf(p->why, p->cap, "%s has no option %s; see moongate help %s", command, bad,
                 command);
    gate_free(bad);
    return false;
}

/* An option at argv[*at], with its value behind "=" or in the next argument. */
static bool read_option(const char *command, int argc, char **argv, int *at, struct parser *p)
{
    const char *arg = argv[*at];
    size_t n = strcspn(arg, "=");
    const struct option *found = NULL;

    for (size_t i = 0; i < N_OPTIONS && found == NULL; i++) {
        if (strlen(options[i].name) == n && memcmp(options[i].name, arg, n) == 0 &&
            (options[i].commands & command_bit(command)) != 0)
            found = &options[i];
    }
    if (found == NULL)
        return unknown_option(command, arg, n, p);
    p->name = found->name;
    p->value = arg[n] == '=' ? arg + n + 1 : NULL;
    if (found->takes == NULL && p->value != NULL) {
        snprintf(p->why, p->cap, "%s takes no value", p->name);
        return false;
    }
    if (found->takes != NULL && p->value == NULL && *at + 1 < argc)
        p->value = argv[++*at];
    if (found->takes != NULL && (p->value == NULL || p->value[0] == '\0')) {
        snprintf(p->why, p->cap, "%s needs %s", p->name, found->takes);
        return false;
    }
    return found->set(p);
}

/* `rollback FILE 7`: the word is a generation. */
static bool is_number(const char *command, const char *word, struct parser *p)
{
    struct gate_options *o = p->o;

    return strcmp(command, "rollback") == 0 && (o->file != NULL || o->socket != NULL) &&
           o->number == 0 && gate_str_to_u64(gate_str_from_cstr(word), &o->number) &&
           o->number > 0;
}

static bool read_word(const char *command, const char *word, struct parser *p)
{
    struct gate_options *o = p->o;
    bool routes = strcmp(command, "routes") == 0;

    if (is_number(command, word, p))
        return true;
    if (o->proxy != NULL && o->proxy_to == NULL)
        o->proxy_to = word;
    else if (o->file == NULL && o->proxy == NULL && !(o->live && o->socket != NULL))
        o->file = word;
    else if (routes && o->method == NULL)
        o->method = word;
    else if (routes && o->url == NULL)
        o->url = word;
    else if (strcmp(command, "rollback") == 0 && o->number == 0) {
        snprintf(p->why, p->cap, "rollback \"%s\": expected the number of a generation", word);
        return false;
    } else {
        snprintf(p->why, p->cap, "%s: one argument too many: \"%s\"", command, word);
        return false;
    }
    return true;
}

/* Commands that need no file: the socket says which gateway is meant. */
static bool has_socket(const char *command, const struct gate_options *o)
{
    return o->socket != NULL && ((command_bit(command) & ASKING) != 0 || o->live);
}

static bool check_whole(const char *command, struct parser *p)
{
    const struct gate_options *o = p->o;
    const char *missing = NULL;

    if (o->proxy != NULL && o->file != NULL) {
        snprintf(p->why, p->cap, "%s takes a gateway file or --proxy, not both", command);
        return false;
    }
    if (o->proxy != NULL && o->proxy_to == NULL)
        missing = "a URL behind the address, as in: --proxy :8080 http://127.0.0.1:9000";
    else if (o->method != NULL && o->url == NULL)
        missing = "a method and a URL, as in: routes gateway.lua GET /users/1";
    else if (o->canary == NULL && (o->canary_for != NULL || o->abort_if[0] != '\0' || o->detach))
        missing = "--canary with --for, --abort-if and --detach, as in: --canary 5% --for 60s";
    else if (o->method != NULL && o->json)
        missing = "either --json, for all routes, or a method and a URL";
    else if (strcmp(command, "routes") == 0 && o->socket != NULL && !o->live)
        missing = "--live with --socket";
    else if (o->file == NULL && o->proxy == NULL && !has_socket(command, o))
        missing = "a gateway file";
    if (missing == NULL)
        return true;
    snprintf(p->why, p->cap, "%s needs %s", command, missing);
    return false;
}

bool gate_options_parse(const char *command, int argc, char **argv, struct gate_options *out,
                        char *why, size_t cap)
{
    struct parser p = { .o = out, .why = why, .cap = cap };
    bool words_only = false;

    memset(out, 0, sizeof(*out));
    for (int i = 0; i < argc; i++) {
        bool ok;

        if (!words_only && strcmp(argv[i], "--") == 0) {
            words_only = true;
            continue;
        }
        ok = !words_only && argv[i][0] == '-' && argv[i][1] != '\0'
                 ? read_option(command, argc, argv, &i, &p)
                 : read_word(command, argv[i], &p);
        if (!ok)
            return false;
    }
    return check_whole(command, &p);
}

void gate_options_fini(struct gate_options *o)
{
    for (uint32_t i = 0; i < o->n_data; i++)
        gate_free(o->data[i].name);
    o->n_data = 0;
}
