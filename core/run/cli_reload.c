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

static int show_answer(const char *answer)
{
    const char *body = strstr(answer, "\r\n\r\n");
    bool ok = strncmp(answer, "HTTP/1.1 200 ", 13) == 0;

    if (body == NULL)
        return gate_cli_fail("the gateway's answer broke off");
    fputs(body + 4, ok ? stdout : stderr);
    return ok ? 0 : 1;
}

static int ask(int fd)
{
    static const char request[] =
        "POST /reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    char *answer = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&answer, &n);
    ssize_t sent = send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL);
    bool ok = f != NULL && sent == (ssize_t)sizeof(request) - 1 && read_answer(fd, f);
    int status;

    if (f != NULL)
        fclose(f);
    status = ok ? show_answer(answer) : gate_cli_fail("the gateway does not answer");
    free(answer);
    return status;
}

static int reload(const struct gate_options *o, struct gate_load_errors *errors)
{
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    char text[400];
    int status;
    int fd;

    if (!control_path(o, path, errors))
        return gate_cli_fail("the path of the control socket is too long");
    fd = dial(path);
    if (fd < 0 && errors->n > 0) {
        /* The gateway may run where the file, were it right, would say. */
        gate_load_errors_text(errors, stderr);
        return gate_cli_fail("not reloaded: the file is wrong");
    }
    if (fd < 0) {
        snprintf(text, sizeof(text), "no gateway answers at %s: %s; is it running?", path,
                 strerror(errno));
        return gate_cli_fail(text);
    }
    status = ask(fd);
    close(fd);
    return status;
}

int gate_cli_reload(const struct gate_options *o)
{
    struct gate_load_errors errors;
    int status;

    gate_load_errors_init(&errors);
    status = reload(o, &errors);
    gate_load_errors_fini(&errors);
    return status;
}
