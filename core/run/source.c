#include "run/source.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/siphash.h"

const char *gate_source_name(const struct gate_options *o)
{
    return o->file != NULL ? o->file : "--proxy";
}

/* Where --proxy leads. */
struct target {
    char server[300]; /* "host:port" or "[v6]:port" */
    bool tls;
};

/* The scheme of the URL; NULL: none that is known. */
static const char *scheme_of(const char *url, bool *tls)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (int i = 0; i < 2; i++) {
        *tls = i == 1;
        if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
            return schemes[i];
    }
    return NULL;
}

/* "http://host[:port][/]", or https. False: *reason. */
static bool read_target(const char *url, struct target *to, const char **reason)
{
    const char *scheme = scheme_of(url, &to->tls);
    const char *host = url + (scheme == NULL ? 0 : strlen(scheme));
    size_t n = strcspn(host, "/?#");
    struct gate_str text, name;
    uint16_t port;
    bool has_port;
    int len;

    *reason = "expected http://host:port or https://host:port";
    if (scheme == NULL)
        return false;
    if (n == 0 || (host[n] != '\0' && strcmp(host + n, "/") != 0)) {
        *reason = "expected http://host:port or https://host:port without a path";
        return false;
    }
    has_port = memchr(host, ']', n) != NULL ? host[n - 1] != ']' : memchr(host, ':', n) != NULL;
    len = snprintf(to->server, sizeof(to->server), "%.*s%s", (int)n, host,
                   has_port  ? ""
                   : to->tls ? ":443"
                             : ":80");
    text = gate_str_of(to->server, (size_t)len);
    return (size_t)len < sizeof(to->server) && strpbrk(to->server, "\"\\@ ") == NULL &&
           gate_addr_split(text, &name, &port) == GATE_OK && name.n > 0;
}

static bool proxy_target(const char *url, struct target *to, char *why, size_t why_cap)
{
    const char *reason;

    if (read_target(url, to, &reason))
        return true;
    snprintf(why, why_cap, "--proxy \"%s\": %s", url, reason);
    return false;
}

bool gate_source_check_proxy(const struct gate_options *o, char *why, size_t cap)
{
    struct target target;

    return o->proxy_to == NULL || proxy_target(o->proxy_to, &target, why, cap);
}

static enum gate_err open_proxy(const struct gate_options *o, struct gate_bundle **out, char *why,
                                size_t cap)
{
    struct target target;
    char text[1024];
    int n;

    if (!proxy_target(o->proxy_to, &target, why, cap))
        return GATE_E_INVALID;
    n = snprintf(text, sizeof(text),
                 "local gate = require \"moongate\"\n"
                 "gate.listen { \"%s\" }\n"
                 "gate.route { path = \"/\", upstream = gate.upstream(\"proxy\", "
                 "{ servers = { \"%s\" }, tls = %s }) }\n",
                 o->proxy, target.server, target.tls ? "true" : "false");
    *out = gate_bundle_from_memory("proxy.lua", gate_str_of(text, (size_t)n));
    return GATE_OK;
}

/* "scripts" beside the gateway file. */
static void scripts_dir(const char *file, char *to, size_t cap)
{
    const char *slash = strrchr(file, '/');

    snprintf(to, cap, "%.*sscripts", slash == NULL ? 0 : (int)(slash - file + 1), file);
}

enum gate_err gate_source_open(const struct gate_options *o, struct gate_bundle **out, char *why,
                               size_t cap)
{
    char dir[PATH_MAX];
    enum gate_err err;

    if (o->file == NULL) {
        err = open_proxy(o, out, why, cap);
    } else {
        scripts_dir(o->file, dir, sizeof(dir));
        err = gate_bundle_open(o->file, dir, out);
        if (err != GATE_OK)
            snprintf(why, cap, "%s", err == GATE_E_NOTFOUND ? strerror(ENOENT) : strerror(errno));
    }
    if (err != GATE_OK)
        return err;
    for (uint32_t i = 0; i < o->n_data; i++) {
        const struct gate_data_option *d = &o->data[i];

        if (access(d->path, R_OK) != 0) {
            snprintf(why, cap, "--data %s=%s: %s", d->name, d->path, strerror(errno));
            gate_bundle_free(out);
            return GATE_E_NOTFOUND;
        }
        gate_bundle_data_path(*out, d->name, d->path);
    }
    return GATE_OK;
}

/* What the default name is made of: the same for every spelling of the path. */
static uint64_t identity(const struct gate_options *o)
{
    static const struct gate_sipkey fixed;
    char real[PATH_MAX];
    char text[PATH_MAX];

    if (o->file == NULL)
        snprintf(text, sizeof(text), "--proxy %s %s", o->proxy == NULL ? "" : o->proxy,
                 o->proxy_to == NULL ? "" : o->proxy_to);
    else if (realpath(o->file, real) != NULL)
        snprintf(text, sizeof(text), "%s", real);
    else
        snprintf(text, sizeof(text), "%s", o->file);
    return gate_siphash(&fixed, text, strlen(text));
}

bool gate_source_control(const struct gate_options *o, struct gate_str declared,
                         char to[sizeof(((struct sockaddr_un *)0)->sun_path)])
{
    const size_t cap = sizeof(((struct sockaddr_un *)0)->sun_path);
    const char *dir = getenv("XDG_RUNTIME_DIR");
    int n;

    if (o->socket != NULL)
        n = snprintf(to, cap, "%s", o->socket);
    else if (declared.n > 0)
        n = snprintf(to, cap, "%.*s", (int)declared.n, declared.p);
    else if (dir != NULL && dir[0] == '/')
        n = snprintf(to, cap, "%s/moongate-%016llx.sock", dir, (unsigned long long)identity(o));
    else
        n = snprintf(to, cap, "/run/moongate/%016llx.sock", (unsigned long long)identity(o));
    return n > 0 && (size_t)n < cap;
}
