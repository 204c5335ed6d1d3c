/* Options: what the command line asks for, as data. Borrowed from argv but for what _fini frees. */
#ifndef GATE_RUN_OPTIONS_H
#define GATE_RUN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GATE_OPTION_LISTEN_MAX 32
#define GATE_OPTION_DATA_MAX 64
#define GATE_WORKERS_MAX 128

struct gate_data_option {
    char *name;             /* owned */
    const char *path;
};

struct gate_options {
    const char *file;       /* NULL: none given */
    const char *method;     /* of `routes FILE METHOD URL` */
    const char *url;
    uint32_t workers;       /* 0: not given */
    const char *listen[GATE_OPTION_LISTEN_MAX];
    uint32_t n_listen;
    struct gate_data_option data[GATE_OPTION_DATA_MAX];
    uint32_t n_data;
    const char *socket;     /* of the control socket; NULL: the default */
    const char *proxy;      /* address to listen on, of `run --proxy` */
    const char *proxy_to;
    uint64_t number;        /* of `rollback FILE NUMBER`; 0: not given */
    const char *canary;     /* share, of `reload --canary`; NULL: a plain reload */
    const char *canary_for; /* NULL: not given */
    char abort_if[600];     /* all of them, joined; "": not given */
    bool detach;
    bool json;
    bool live;              /* of `routes --live` */
    bool trust;
    bool test_clock;
    bool foreground;
    bool no_watch;
    bool no_stdout;         /* access lines that would go there are not written */
};

/* Reads the arguments behind the command. False: *why (one line, without newline) says what is
 * wrong and what was probably meant. */
bool gate_options_parse(const char *command, int argc, char **argv, struct gate_options *out,
                        char *why, size_t cap);
void gate_options_fini(struct gate_options *o);

#endif
