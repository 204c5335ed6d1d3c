/* A program with a gateway inside: it gives scripts a function of its own and data from its memory,
 * loads gateway files while others serve, shows what is wrong with them, and goes back.
 *
 *     cc embed.c -o embed $(pkg-config --cflags --libs moongate) -lm
 *     ./embed gateway.lua
 *
 * Then type: load FILE, activate NUMBER, rollback [NUMBER], show PAGE, quit.
 */
#include <inttypes.h>
#include <math.h>
#include <moongate.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char towns[] = "[{\"name\": \"Berlin\", \"lat\": 52.52, \"lon\": 13.405},"
                            " {\"name\": \"Munich\", \"lat\": 48.137, \"lon\": 11.575},"
                            " {\"name\": \"Hamburg\", \"lat\": 53.551, \"lon\": 9.994}]";

/* What scripts may call. It runs on the threads of the gateway. */

static double radians(double degrees)
{
    return degrees * 3.14159265358979323846 / 180;
}

/* geo.distance(lat, lon, lat, lon): kilometres on the great circle */
static void distance(struct gate_call *call, void *arg)
{
    double a = radians(gate_arg_number(call, 1)), b = radians(gate_arg_number(call, 3));
    double across = radians(gate_arg_number(call, 4) - gate_arg_number(call, 2));
    double s = pow(sin((b - a) / 2), 2) + cos(a) * cos(b) * pow(sin(across / 2), 2);

    (void)arg;
    if (fabs(a) > radians(90) || fabs(b) > radians(90))
        gate_fail(call, "a latitude is between -90 and 90");
    gate_return_number(call, 2 * 6371 * asin(fmin(1, sqrt(s))));
}

static const struct gate_module_function geo[] = { { "distance", distance, NULL } };

/* What the gateway tells. All of it comes on its control thread. */

static void on_ready(void *arg, uint64_t generation)
{
    struct gate_gateway **gw = arg;
    char address[100];

    printf("generation %" PRIu64 " serves", generation);
    for (size_t i = 0; gate_address(*gw, i, address, sizeof(address)) == 0; i++)
        printf("%s%s", i == 0 ? " at " : ", ", address);
    printf("\n");
}

static void on_killed(void *arg, const struct gate_kill *k)
{
    (void)arg;
    printf("%s:%u: %s of %s was stopped\n", k->file, k->line, k->hook, k->policy);
}

static void on_drained(void *arg)
{
    (void)arg;
    printf("drained\n");
}

/* Everything that is wrong, as a program sees it. */
static void print_errors(const struct gate_errors *errors)
{
    for (size_t i = 0; i < gate_errors_count(errors); i++) {
        const struct gate_error *e = gate_errors_at(errors, i);

        if (e->file[0] != '\0')
            printf("%s:%u: ", e->file, e->line);
        printf("%s\n", e->message);
        if (e->name[0] != '\0')
            printf("  name: %s, expected: %s, nearest: %s\n", e->name, e->expected, e->nearest);
    }
}

/* What somebody types */

static void load(struct gate_gateway *gw, const char *file)
{
    struct gate_errors *errors;
    uint64_t id;

    if (gate_load(gw, file, &id, &errors) == 0)
        printf("loaded %" PRIu64 "\n", id);
    print_errors(errors);
    gate_errors_free(&errors);
}

static void activate(struct gate_gateway *gw, const char *number)
{
    struct gate_errors *errors;

    gate_activate(gw, strtoull(number, NULL, 10), &errors);
    print_errors(errors);
    gate_errors_free(&errors);
}

static void rollback(struct gate_gateway *gw, const char *number)
{
    struct gate_errors *errors;

    gate_rollback(gw, strtoull(number, NULL, 10), NULL, &errors);
    print_errors(errors);
    gate_errors_free(&errors);
}

static void show(struct gate_gateway *gw, const char *page)
{
    char *text;
    size_t n;

    if (gate_show(gw, page, &text, &n) == 0)
        printf("%s\n", text);
    free(text);
}

static void obey(struct gate_gateway *gw)
{
    static const struct {
        const char *name;
        void (*run)(struct gate_gateway *gw, const char *word);
    } commands[] = { { "load ", load }, { "activate ", activate }, { "rollback", rollback },
                     { "show ", show } };
    char line[500];

    while (fgets(line, sizeof(line), stdin) != NULL && strcmp(line, "quit\n") != 0) {
        line[strcspn(line, "\n")] = '\0';
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
            size_t n = strlen(commands[i].name);

            if (strncmp(line, commands[i].name, n) == 0)
                commands[i].run(gw, line + n);
        }
    }
}

int main(int argc, char **argv)
{
    struct gate_setup setup;
    struct gate_gateway *gw;
    int failed;

    if (argc != 2) {
        fprintf(stderr, "usage: embed FILE\n");
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    gate_setup_init(&setup);
    setup.interrupt_signal = SIGRTMIN + 1;
    setup.arg = &gw;
    setup.on_ready = on_ready;
    setup.on_killed = on_killed;
    setup.on_drained = on_drained;
    failed = gate_open(&setup, &gw);
    if (failed != 0) {
        fprintf(stderr, "embed: no gateway: %s\n", strerror(failed));
        return 1;
    }
    gate_add_module(gw, "geo", geo, sizeof(geo) / sizeof(geo[0]));
    gate_add_file(gw, "towns.json", towns, strlen(towns));
    load(gw, argv[1]);
    activate(gw, "1");
    obey(gw);
    gate_drain(gw);
    gate_wait(gw);
    return gate_close(&gw);
}
