/* What the reactor costs: a timer's start and stop among 100,000, a wait's wake and run, a mail to
 * the own loop, a turn with 30 readable descriptors. Prints ns per operation; run it on a quiet
 * machine. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/conn.h"
#include "net/mailbox.h"
#include "net/wait.h"

#define TIMERS 100000
#define ROUNDS 2000000
#define CONNS 30
#define TURNS 20000

struct bench {
    struct gate_clock clock;
    struct gate_loop loop;
    uint64_t begin;
};

static void start(struct bench *b)
{
    b->begin = gate_clock_now_ns(&b->clock);
}

static void stop(struct bench *b, const char *what, uint64_t operations)
{
    uint64_t ns = gate_clock_now_ns(&b->clock) - b->begin;

    printf("%-44s %8.1f ns\n", what, (double)ns / (double)operations);
}

static void on_timer(struct gate_timer *t)
{
    (void)t;
}

/* As sessions use them: deadlines of 5 to 60 s, moved at each request. */
static void bench_wheel(struct bench *b)
{
    struct gate_timer *t = calloc(TIMERS, sizeof(*t));
    struct gate_wheel *w = &b->loop.wheel;
    uint32_t x = 1;

    for (size_t i = 0; i < TIMERS; i++) {
        gate_timer_init(&t[i], on_timer);
        gate_wheel_start(w, &t[i], w->now_ms + 5000 + i % 55000);
    }
    start(b);
    for (size_t i = 0; i < ROUNDS; i++) {
        x = x * 1664525 + 1013904223;
        gate_wheel_start(w, &t[(x >> 8) % TIMERS], w->now_ms + 5000 + (x >> 9) % 55000);
    }
    stop(b, "wheel: move, 100,000 timers, random", ROUNDS);
    start(b);
    for (size_t i = 0; i < ROUNDS; i++) {
        struct gate_timer *one = &t[i % 64];

        gate_wheel_stop(w, one);
        gate_wheel_start(w, one, w->now_ms + 30000);
    }
    stop(b, "wheel: stop and start, 64 hot of 100,000", ROUNDS);
    start(b);
    for (size_t i = 0; i < ROUNDS; i++)
        x += (uint32_t)gate_wheel_next(w);
    stop(b, "wheel: next", ROUNDS);
    for (size_t i = 0; i < TIMERS; i++)
        gate_wheel_stop(w, &t[i]);
    free(t);
}

static uint64_t ran;

static void on_end(struct gate_wait *w, enum gate_err result)
{
    (void)result;
    ran++;
    gate_wait_arm(w, gate_loop_now(w->loop) + 10000, NULL);
}

static void bench_wait(struct bench *b)
{
    struct gate_wait w[256];

    for (size_t i = 0; i < 256; i++) {
        gate_wait_init(&w[i], &b->loop, on_end, NULL);
        gate_wait_arm(&w[i], gate_loop_now(&b->loop) + 10000, NULL);
    }
    ran = 0;
    start(b);
    while (ran < ROUNDS) {
        for (size_t i = 0; i < 256; i++)
            gate_wait_wake(&w[i], GATE_OK);
        gate_loop_turn(&b->loop, false);
    }
    stop(b, "wait: wake, run, arm with a deadline (256 a turn)", ran);
    for (size_t i = 0; i < 256; i++)
        gate_wait_cancel(&w[i]);
}

static void deliver(struct gate_mail *m, void *receiver)
{
    (void)m;
    (void)receiver;
    ran++;
}

static void bench_mailbox(struct bench *b)
{
    struct gate_mailbox box;
    struct gate_mail m[256];

    gate_mailbox_open(&box, &b->loop, NULL);
    ran = 0;
    start(b);
    while (ran < ROUNDS) {
        for (size_t i = 0; i < 256; i++) {
            m[i].deliver = deliver;
            gate_mailbox_post(&box, &m[i]);
        }
        while (ran % 256 != 0 || atomic_load(&box.head) != NULL)
            gate_loop_turn(&b->loop, true);
    }
    stop(b, "mailbox: post and deliver (256 a turn)", ran);
    gate_mailbox_close(&box);
}

static void on_event(struct gate_conn *c)
{
    (void)c;
    ran++;
}

/* The descriptors stay readable: what is measured is the turn itself, system calls included. */
static void bench_turn(struct bench *b)
{
    struct gate_conn c[CONNS];
    int peer[CONNS];

    for (int i = 0; i < CONNS; i++) {
        int fd[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) != 0 ||
            write(fd[1], "x", 1) != 1)
            abort();
        peer[i] = fd[1];
        gate_conn_open(&c[i], &b->loop, fd[0], on_event, on_event);
        gate_conn_reading(&c[i], true);
    }
    ran = 0;
    start(b);
    for (int i = 0; i < TURNS; i++)
        gate_loop_turn(&b->loop, true);
    stop(b, "turn: 30 readable conns, per event", ran);
    for (int i = 0; i < CONNS; i++) {
        gate_conn_close(&c[i]);
        close(peer[i]);
    }
    start(b);
    for (int i = 0; i < TURNS; i++)
        gate_loop_turn(&b->loop, false);
    stop(b, "turn: nothing to do", TURNS);
}

int main(void)
{
    struct bench b;

    gate_clock_init(&b.clock);
    if (gate_loop_open(&b.loop, &b.clock, NULL) != GATE_OK)
        return 1;
    bench_wheel(&b);
    bench_wait(&b);
    bench_mailbox(&b);
    bench_turn(&b);
    gate_loop_close(&b.loop);
    return 0;
}
