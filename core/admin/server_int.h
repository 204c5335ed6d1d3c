/* Private to admin/: one connection of the control socket. */
#ifndef GATE_ADMIN_SERVER_INT_H
#define GATE_ADMIN_SERVER_INT_H

#include "admin/server.h"
#include "base/mem.h"
#include "http/head.h"
#include "http/scan.h"
#include "net/conn.h"

#define ADMIN_IN_MAX 8192
#define ADMIN_BODY_MAX 1024

struct admin_conn {
    struct gate_admin *admin;
    struct gate_list node;
    struct gate_handle handle;
    struct gate_conn conn;
    struct gate_timer timer;
    struct gate_arena arena;
    struct gate_scan scan;
    struct gate_request_head head;
    size_t head_len;            /* 0: not whole yet */
    size_t in_n;
    char in[ADMIN_IN_MAX];
    char *out;                  /* the answer; owned */
    size_t out_n;
    size_t out_at;
};

struct gate_admin {
    struct gate_loop *loop;
    const struct gate_admin_ops *ops;
    void *arg;
    struct ev_io in;
    struct gate_timer rest;     /* until accepting goes on after a failure */
    int fd;
    char *path;
    struct gate_list conns;
    struct gate_handle_table table;
    uint32_t open;
};

/* Begins the answer; what was there is replaced. The connection may be gone afterwards. */
void gate_admin_reply(struct admin_conn *c, int status, const char *type, const char *extra,
                      const char *body, size_t n);

/* The same with a sentence: as it is for people, for programs as JSON (api.c). */
void gate_admin_say(struct admin_conn *c, int status, const char *extra, const char *text);

/* A whole request: does what it asks for (api.c). */
void gate_admin_dispatch(struct admin_conn *c, struct gate_str body);

#endif
