#include "admin/server.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/server_int.h"
#include "http/parse.h"
#include "net/socket.h"

#define CONNS_MAX 64
#define IDLE_MS 10000
#define REST_MS 100

static const struct gate_head_limits head_limits = {
    .header_bytes = ADMIN_IN_MAX - ADMIN_BODY_MAX,
    .header_count = 64,
    .target_bytes = 1024,
};

static void conn_free(struct admin_conn *c)
{
    gate_conn_close(&c->conn);
    gate_loop_untimer(c->admin->loop, &c->timer);
    gate_handle_end(&c->admin->table, c->handle);
    gate_list_remove(&c->node);
    gate_arena_clear(&c->arena);
    c->admin->open--;
    free(c->out);
    gate_free(c);
}

/* A client that neither asks nor reads. */
static void on_timer(struct gate_timer *t)
{
    conn_free(gate_container_of(t, struct admin_conn, timer));
}

static void write_more(struct admin_conn *c)
{
    gate_loop_timer(c->admin->loop, &c->timer, IDLE_MS);
    while (c->out_at < c->out_n) {
        struct iovec iov = { c->out + c->out_at, c->out_n - c->out_at };
        enum gate_err err;
        size_t n;

        err = gate_conn_write(&c->conn, &iov, 1, &n);
        if (err == GATE_E_AGAIN) {
            gate_conn_want_write(&c->conn);
            return;
        }
        if (err != GATE_OK)
            break;
        c->out_at += n;
    }
    conn_free(c);
}

static void on_writable(struct gate_conn *conn)
{
    write_more(gate_container_of(conn, struct admin_conn, conn));
}

void gate_admin_reply(struct admin_conn *c, int status, const char *type, const char *extra,
                      const char *body, size_t n)
{
    FILE *f = open_memstream(&c->out, &c->out_n);
    struct gate_str reason = gate_status_reason(status);

    if (f == NULL) {
        conn_free(c);
        return;
    }
    fprintf(f,
            "HTTP/1.1 %d %.*s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
            "Cache-Control: no-store\r\n%sConnection: close\r\n\r\n",
            status, (int)reason.n, reason.p, type, n, extra);
    fwrite(body, 1, n, f);
    fclose(f);
    gate_conn_reading(&c->conn, false);
    write_more(c);
}

static void refuse(struct admin_conn *c, int status, const char *why)
{
    char body[256];
    int n = snprintf(body, sizeof(body), "%d %s\n", status, why);

    gate_admin_reply(c, status, "text/plain; charset=utf-8", "", body, (size_t)n);
}

/* Looks for a whole request in what has come. The connection may be gone afterwards. */
static void judge(struct admin_conn *c)
{
    struct gate_refusal r;
    const char *why = NULL;
    uint64_t body = 0;

    if (c->head_len == 0) {
        enum gate_scan_result s = gate_scan_head(&c->scan, c->in, c->in_n, &c->head_len, &why);

        if (s == GATE_SCAN_BAD)
            return refuse(c, 400, why);
        if (s == GATE_SCAN_MORE && c->in_n >= head_limits.header_bytes)
            return refuse(c, 431, "the head is too long");
        if (s == GATE_SCAN_MORE)
            return;
        r = gate_parse_request(c->in, c->head_len, &head_limits, false, &c->arena, &c->head);
        if (r.status != 0)
            return refuse(c, r.status, r.why);
    }
    if (c->head.framing == GATE_BODY_LENGTH)
        body = c->head.content_length;
    if (c->head.framing == GATE_BODY_CHUNKED || body > ADMIN_BODY_MAX)
        return refuse(c, 413, "expected a body of at most 1 KiB with Content-Length");
    if (c->in_n - c->head_len < body)
        return;
    gate_conn_reading(&c->conn, false);
    gate_loop_untimer(c->admin->loop, &c->timer);
    gate_admin_dispatch(c, gate_str_of(c->in + c->head_len, (size_t)body));
}

static void on_readable(struct gate_conn *conn)
{
    struct admin_conn *c = gate_container_of(conn, struct admin_conn, conn);
    struct iovec iov = { c->in + c->in_n, sizeof(c->in) - c->in_n };
    enum gate_err err;
    size_t n;

    err = iov.iov_len == 0 ? GATE_E_LIMIT : gate_conn_read(conn, &iov, 1, &n);
    if (err == GATE_E_AGAIN)
        return;
    if (err != GATE_OK) {
        conn_free(c);
        return;
    }
    c->in_n += n;
    judge(c);
}

static void open_conn(struct gate_admin *a, int fd)
{
    struct admin_conn *c = gate_calloc(1, sizeof(*c));

    c->admin = a;
    a->open++;
    gate_list_push(&a->conns, &c->node);
    c->handle = gate_handle_make(&a->table, c);
    gate_arena_init(&c->arena, NULL);
    gate_conn_open(&c->conn, a->loop, fd, on_readable, on_writable);
    gate_timer_init(&c->timer, on_timer);
    gate_loop_timer(a->loop, &c->timer, IDLE_MS);
    gate_conn_reading(&c->conn, true);
}

static void on_rested(struct gate_timer *t)
{
    struct gate_admin *a = gate_container_of(t, struct gate_admin, rest);

    ev_io_start(a->loop->ev, &a->in);
}

static void on_accept(struct ev_loop *ev, struct ev_io *in, int events)
{
    struct gate_admin *a = gate_container_of(in, struct gate_admin, in);
    enum gate_err err = GATE_E_SYS;
    struct gate_addr peer;
    int fd;

    if (!(events & EV_ERROR)) /* else it is not watched any more */
        err = gate_socket_accept(a->fd, &fd, &peer);
    if (err != GATE_OK && err != GATE_E_AGAIN) {
        /* It would be told again at once, for ever. */
        ev_io_stop(ev, in);
        gate_loop_timer(a->loop, &a->rest, REST_MS);
    }
    if (err != GATE_OK)
        return;
    if (a->open >= CONNS_MAX)
        close(fd);
    else
        open_conn(a, fd);
}

enum gate_err gate_admin_open(struct gate_loop *loop, const char *path,
                              const struct gate_admin_ops *ops, void *arg, struct gate_admin **out)
{
    struct gate_addr addr = { .u.un.sun_family = AF_UNIX };
    struct gate_admin *a;
    enum gate_err err;
    int fd;

    if (strlen(path) >= sizeof(addr.u.un.sun_path)) {
        errno = ENAMETOOLONG;
        return GATE_E_SYS;
    }
    strcpy(addr.u.un.sun_path, path);
    addr.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
    err = gate_socket_listen_unix(&addr, 0600, 0, &fd);
    if (err != GATE_OK)
        return err;
    a = gate_calloc(1, sizeof(*a));
    a->loop = loop;
    a->ops = ops;
    a->arg = arg;
    a->fd = fd;
    a->path = gate_strdup(path);
    gate_list_init(&a->conns);
    gate_timer_init(&a->rest, on_rested);
    gate_handle_table_init(&a->table);
    ev_io_init(&a->in, on_accept, fd, EV_READ);
    ev_io_start(loop->ev, &a->in);
    *out = a;
    return GATE_OK;
}

void gate_admin_close(struct gate_admin **admin)
{
    struct gate_admin *a = *admin;

    *admin = NULL;
    if (a == NULL)
        return;
    while (!gate_list_empty(&a->conns))
        conn_free(gate_container_of(a->conns.next, struct admin_conn, node));
    ev_io_stop(a->loop->ev, &a->in);
    gate_loop_untimer(a->loop, &a->rest);
    close(a->fd);
    unlink(a->path);
    gate_handle_table_fini(&a->table);
    gate_free(a->path);
    gate_free(a);
}

void gate_admin_answer(struct gate_admin *a, struct gate_handle ticket, int status,
                       const char *text)
{
    struct admin_conn *c = gate_handle_get(&a->table, ticket);

    if (c != NULL)
        gate_admin_say(c, status, "", text);
}
