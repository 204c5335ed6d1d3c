#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "run/cli.h"
#include "run/source.h"

#define WAIT_MS 60000
#define POLL_MS 250

/* Where the gateway's own declaration puts the control socket; the default when the file is wrong,
 * which *errors then says. */
static bool control_path(const struct gate_options *o, char *to, struct gate_load_errors *errors)
{
    struct gate_bundle *bundle = NULL;
    struct gate_loaded loaded;
    bool ok;

    if (o->socket != NULL ||
        gate_cli_load(o, false, &bundle, &loaded, errors) != GATE_OK)
        return gate_source_control(o, GATE_STR_NONE, to);
    ok = gate_source_control(o, loaded.config->process.control, to);
    gate_loaded_fini(&loaded);
    gate_bundle_free(&bundle);
    return ok;
}

static int dial(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strncpy(a.sun_path, path, sizeof(a.sun_path) - 1);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Reads to the end of the connection; false after WAIT_MS without a byte. */
static bool read_answer(int fd, FILE *to)
{
    char piece[4096];

    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ssize_t n;

        if (poll(&p, 1, WAIT_MS) <= 0)
            return false;
        n = read(fd, piece, sizeof(piece));
        if (n <= 0)
            return n == 0;
        fwrite(piece, 1, (size_t)n, to);
    }
}

/* What is asked of the gateway. */
struct question {
    const char *method;
    const char *path;
    const char *accept;
    char body[1100];
    bool quiet;             /* the answer is not shown */
    char *answer;           /* the last one's body, when it is not NULL; the asker's */
    size_t cap;
};

static int show_answer(struct question *q, const char *answer)
{
    const char *body = strstr(answer, "\r\n\r\n");
    bool ok = strncmp(answer, "HTTP/1.1 200 ", 13) == 0;

    if (body == NULL)
        return gate_cli_fail("the gateway's answer broke off");
    if (q->answer != NULL)
        snprintf(q->answer, q->cap, "%s", body + 4);
    if (!ok || !q->quiet)
        fputs(body + 4, ok ? stdout : stderr);
    fflush(stdout);
    return ok ? 0 : 1;
}

static int ask(int fd, struct question *q)
{
    char request[2048];
    char *answer = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&answer, &n);
    int len = snprintf(request, sizeof(request),
                       "%s %s HTTP/1.1\r\nHost: localhost\r\nAccept: %s\r\n"
                       "Content-Length: %zu\r\n\r\n%s",
                       q->method, q->path, q->accept, strlen(q->body), q->body);
    bool ok = f != NULL && send(fd, request, (size_t)len, MSG_NOSIGNAL) == len &&
              read_answer(fd, f);
    int status;

    if (f != NULL)
        fclose(f);
    status = ok ? show_answer(q, answer) : gate_cli_fail("the gateway does not answer");
    free(answer);
    return status;
}

/* Dials, asks and shows the answer. */
static int ask_at(const char *path, struct question *q)
{
    int fd = dial(path);
    char text[400];
    int status;

    if (fd < 0) {
        snprintf(text, sizeof(text), "no gateway answers at %s: %s; is it running?", path,
                 strerror(errno));
        return gate_cli_fail(text);
    }
    status = ask(fd, q);
    close(fd);
    return status;
}

/* Finds the gateway. False: said why not. */
static bool find_gateway(const struct gate_options *o, const char *what, char *path)
{
    struct gate_load_errors errors;
    char text[100];
    bool ok;
    int fd = -1;

    gate_load_errors_init(&errors);
    ok = control_path(o, path, &errors);
    if (!ok)
        gate_cli_fail("the path of the control socket is too long");
    if (ok && errors.n > 0) {
        /* The gateway may run where the file, were it right, would say. */
        fd = dial(path);
        ok = fd >= 0;
        if (!ok) {
            gate_load_errors_text(&errors, stderr);
            snprintf(text, sizeof(text), "%s: the file is wrong", what);
            gate_cli_fail(text);
        }
    }
    if (fd >= 0)
        close(fd);
    gate_load_errors_fini(&errors);
    return ok;
}

static int run(const struct gate_options *o, const char *what, struct question *q)
{
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];

    return find_gateway(o, what, path) ? ask_at(path, q) : 1;
}

static const char *accept_of(const struct gate_options *o)
{
    return o->json ? "application/json" : "text/plain";
}

/* Canary */

/* Asks until the verdict is there. The canary goes on without us. */
static int await_verdict(const char *path, unsigned long long number)
{
    char answer[4096];
    struct question q = { .method = "GET", .path = "/canary", .accept = "application/json",
                          .quiet = true, .answer = answer, .cap = sizeof(answer) };
    unsigned long long now = number;
    int status;

    do {
        usleep(POLL_MS * 1000);
        status = ask_at(path, &q);
        if (status == 0 && sscanf(answer, "{\"canary\":{\"generation\":%llu", &now) != 1)
            now = 0;
    } while (status == 0 && now == number && strstr(answer, "\"over\":false") != NULL);
    if (status != 0)
        return gate_cli_fail("no verdict: the gateway has ended meanwhile, or was restarted");
    if (now != number)
        return gate_cli_fail("no verdict: another canary, or another engine, has come since; the "
                             "log says how this one ended");
    status = strstr(answer, "\"state\":\"promoted\"") != NULL ? 0 : 1;
    q = (struct question){ .method = "GET", .path = "/canary", .accept = "text/plain" };
    return ask_at(path, &q) == 0 ? status : 1;
}

static int try_canary(const struct gate_options *o)
{
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)], answer[400];
    struct question q = { .method = "POST", .path = "/canary", .accept = "text/plain",
                          .answer = answer, .cap = sizeof(answer) };
    const char *time = o->canary_for == NULL ? "60s" : o->canary_for;
    unsigned long long number = 0;

    if (!find_gateway(o, "not reloaded", path))
        return 1;
    snprintf(q.body, sizeof(q.body), "{\"share\": \"%s\", \"for\": \"%s\"%s%s%s}", o->canary, time,
             o->abort_if[0] != '\0' ? ", \"abort_if\": \"" : "", o->abort_if,
             o->abort_if[0] != '\0' ? "\"" : "");
    if (ask_at(path, &q) != 0)
        return 1;
    if (o->detach)
        return 0;
    if (sscanf(answer, "generation %llu ", &number) != 1)
        return gate_cli_fail("the gateway's answer is none of this program's version");
    return await_verdict(path, number);
}

int gate_cli_reload(const struct gate_options *o)
{
    struct question q = { .method = "POST", .path = "/reload", .accept = "text/plain" };

    if (o->canary != NULL)
        return try_canary(o);
    return run(o, "not reloaded", &q);
}

int gate_cli_rollback(const struct gate_options *o)
{
    struct question q = { .method = "POST", .path = "/rollback", .accept = "text/plain" };

    if (o->number != 0)
        snprintf(q.body, sizeof(q.body), "{\"number\": %llu}", (unsigned long long)o->number);
    return run(o, "not rolled back", &q);
}

int gate_cli_generations(const struct gate_options *o)
{
    struct question q = { .method = "GET", .path = "/generations", .accept = accept_of(o) };

    return run(o, "not asked", &q);
}

int gate_cli_upstreams(const struct gate_options *o)
{
    struct question q = { .method = "GET", .path = "/upstreams", .accept = accept_of(o) };

    return run(o, "not asked", &q);
}

int gate_cli_live_routes(const struct gate_options *o)
{
    struct question q = { .method = "GET", .path = "/routes", .accept = accept_of(o) };

    if (o->method == NULL)
        return run(o, "not asked", &q);
    if (strlen(o->method) > 31 || strlen(o->url) > 1000 || strpbrk(o->method, "\"\\") != NULL ||
        strpbrk(o->url, "\"\\") != NULL)
        return gate_cli_fail("that is no method, or no URL");
    q.method = "POST";
    q.path = "/explain";
    snprintf(q.body, sizeof(q.body), "{\"method\": \"%s\", \"url\": \"%s\"}", o->method, o->url);
    return run(o, "not asked", &q);
}

/* On a terminal a page every other second; elsewhere one, of what happens within a second. */
int gate_cli_top(const struct gate_options *o)
{
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    struct question q = { .method = "GET", .path = "/top", .accept = accept_of(o) };
    bool live = isatty(STDOUT_FILENO) && !o->json;
    int status;

    if (!find_gateway(o, "not asked", path))
        return 1;
    q.quiet = !live;
    status = ask_at(path, &q);
    q.quiet = false;
    if (!live && status == 0) {
        sleep(1);
        return ask_at(path, &q);
    }
    while (status == 0) {
        sleep(2);
        fputs("\033[H\033[2J", stdout);
        status = ask_at(path, &q);
    }
    return status;
}
