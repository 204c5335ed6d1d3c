/* covers: upstream/link.c upstream/link_h1.c upstream/link_h1_stream.c upstream/attempt.c
 * covers: upstream/dial.c
 * Links on their shelves and attempts on links, against sockets that the test holds. The stream on
 * a link has its contract test in tests/session/test_stream_contract.c. */
#include "link_bench.h"
#include "net/conn_fault.h"

/* ------------------------------------------------------------------ an attempt */

static void on_dialed(struct gate_wait *w, enum gate_err e)
{
    struct bench *b = w->arg;

    b->woken = true;
    b->dialed = e;
}

static void on_head(struct gate_stream *s, const struct gate_response_head *head,
                    struct gate_block *block)
{
    (void)block;
    ((struct gate_attempt *)s->user)->head = *head;
}

static void on_body(struct gate_stream *s, struct gate_chain *chunk)
{
    (void)s;
    gate_chain_clear(chunk);
}

static void on_end(struct gate_stream *s)
{
    ((struct gate_attempt *)s->user)->ended = true;
}

static const char *reset_why; /* of the last reset */

static void on_reset(struct gate_stream *s, enum gate_err e, const char *why)
{
    (void)s, (void)e;
    reset_why = why;
}

static void on_room(struct gate_stream *s)
{
    (void)s;
}

static const struct gate_stream_events events = {.on_head = on_head,
                                                 .on_body = on_body,
                                                 .on_end = on_end,
                                                 .on_reset = on_reset,
                                                 .on_room = on_room};

/* Dials peer i with attempt k; the result. */
static enum gate_err dial(struct bench *b, int k, int i)
{
    enum gate_err e;

    begin_attempt(&b->a[k], b->links, b->local->set->v[i].peer);
    b->a[k].want.connect_ms = 5000;
    gate_wait_init(&b->wait, &b->loop, on_dialed, b);
    b->woken = false;
    e = dial_and_wait(&b->a[k], b->local, &b->wait);
    if (e != GATE_E_AGAIN)
        return e;
    for (int t = 0; t < 10000 && !b->woken; t++)
        turns(b, 1);
    assert_true(b->woken);
    return b->dialed;
}

/* A whole exchange of attempt k; the origin says `answer`. */
static void exchange(struct bench *b, int k, int fd, const char *answer)
{
    static const struct gate_timeouts none;
    static const struct gate_head_limits limits = {
        .header_bytes = 8192, .header_count = 50, .target_bytes = 1000};
    struct gate_link_use use = {.arena = &b->a[k].arena,
                                .limits = &limits,
                                .timeouts = &none,
                                .method = GATE_M_GET,
                                .events = &events,
                                .user = &b->a[k]};
    struct gate_message m = {.method = GATE_STR("GET"), .path = GATE_STR("/")};
    struct gate_stream *s = gate_attempt_begin(&b->a[k], &use);
    char heard[4096];

    assert_int_equal(s->ops->send_head(s, &m, true), GATE_OK);
    s->ops->grant(s, 1000);
    turns(b, 2);
    assert_true(recv(fd, heard, sizeof(heard), 0) > 0);
    assert_int_equal(send(fd, answer, strlen(answer), MSG_NOSIGNAL), (ssize_t)strlen(answer));
    for (int t = 0; t < 10000 && !b->a[k].ended; t++)
        turns(b, 1);
    assert_true(b->a[k].ended);
    end_attempt(&b->a[k], GATE_CLOSE_ASKED);
    turns(b, 2);
}

#define HI "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

static bool closed(struct bench *b, int fd)
{
    char byte;

    turns(b, 3);
    return recv(fd, &byte, 1, 0) == 0;
}

static uint64_t closes(struct bench *b, enum gate_close_reason why)
{
    return atomic_load(&b->counters.closes[why]);
}

/* ------------------------------------------------------------------ shelves */

/* Of a peer nothing but the worker's own share is written, while a link is kept. */
static void requests_write_no_shared_line(void **state)
{
    struct bench *b = *state;
    struct gate_peer *p = b->local->set->v[0].peer;
    struct gate_peer before;
    struct gate_peer_share other;
    int fd;

    assert_int_equal(dial(b, 0, 0), GATE_OK);
    fd = accepted(b, 0);
    exchange(b, 0, fd, HI);
    memcpy(&before, p, sizeof(before));
    memcpy(&other, &p->shares[0], sizeof(other));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(dial(b, 0, 0), GATE_OK);
        assert_int_equal(gate_peer_active(p), 1);
        assert_memory_equal(&before, p, sizeof(before));
        exchange(b, 0, fd, HI);
        assert_memory_equal(&before, p, sizeof(before));
    }
    assert_int_equal(gate_peer_requests(p), 4);
    assert_memory_equal(&other, &p->shares[0], sizeof(other));
}

static void a_link_is_used_again(void **state)
{
    struct bench *b = *state;
    int fd;

    assert_int_equal(dial(b, 0, 0), GATE_OK);
    fd = accepted(b, 0);
    assert_int_equal(gate_peer_active(b->local->set->v[0].peer), 1);
    exchange(b, 0, fd, HI);
    assert_int_equal(gate_peer_active(b->local->set->v[0].peer), 0);
    assert_int_equal(gate_peer_connections(b->local->set->v[0].peer), 1);
    assert_int_equal(b->local->idle, 1);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(dial(b, 0, 0), GATE_OK);
        assert_true(b->a[0].reused);
        exchange(b, 0, fd, HI);
    }
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_OPENED), 1);
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_REUSED), 5);
    assert_int_equal(dial(b, 0, 1), GATE_OK); /* the other peer has a shelf of its own */
    assert_false(b->a[0].reused);
    close(fd);
}

static void the_warmest_link_comes_first(void **state)
{
    struct bench *b = *state;
    struct gate_link *l[3];
    int fd[3];

    for (int i = 0; i < 3; i++) {
        assert_int_equal(dial(b, i, 0), GATE_OK);
        l[i] = b->a[i].claim.link;
        fd[i] = accepted(b, 0);
    }
    exchange(b, 1, fd[1], HI);
    exchange(b, 2, fd[2], HI);
    exchange(b, 0, fd[0], HI);
    for (int i = 0; i < 3; i++)
        assert_int_equal(dial(b, i, 0), GATE_OK);
    assert_ptr_equal(b->a[0].claim.link, l[0]);
    assert_ptr_equal(b->a[1].claim.link, l[2]);
    assert_ptr_equal(b->a[2].claim.link, l[1]);
    for (int i = 0; i < 3; i++)
        close(fd[i]);
}

static void links_over_the_cap_stay_for_a_second(void **state)
{
    struct bench *b = *state;
    int fd[3];

    configure(b, 0, 1, KEEP(2, 60000, 0, 0));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(dial(b, i, i % 2), GATE_OK);
        fd[i] = accepted(b, i % 2);
    }
    for (int i = 0; i < 3; i++)
        exchange(b, i, fd[i], HI);
    assert_int_equal(b->local->idle, 3);
    pass(b, GATE_LINK_SURPLUS_MS / 4);
    assert_int_equal(b->local->idle, 3);
    pass(b, GATE_LINK_SURPLUS_MS);
    assert_int_equal(b->local->idle, 2);
    assert_int_equal(closes(b, GATE_CLOSE_LINK_IDLE), 1);
    assert_false(closed(b, fd[0]));
    assert_false(closed(b, fd[1]));
    assert_true(closed(b, fd[2]));
    for (int i = 0; i < 3; i++)
        close(fd[i]);
}

/* More requests at a time than links are kept: from the second round on nothing is dialed. */
static void requests_in_parallel_find_their_links_again(void **state)
{
    struct bench *b = *state;
    int fd[4];

    configure(b, 0, 0, KEEP(1, 60000, 0, 0));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(dial(b, i, 0), GATE_OK);
        fd[i] = accepted(b, 0);
    }
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 4; i++)
            exchange(b, i, fd[i], HI);
        pass(b, 500);
        for (int i = 3; i >= 0; i--) /* the last one put down is the first one taken */
            assert_int_equal(dial(b, i, 0), GATE_OK);
    }
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_OPENED), 4);
    for (int i = 0; i < 4; i++)
        close(fd[i]);
}

static void nothing_is_kept_with_a_cap_of_none(void **state)
{
    struct bench *b = *state;
    int fd;

    configure(b, 0, 1, KEEP(0, 60000, 0, 0));
    assert_int_equal(dial(b, 0, 0), GATE_OK);
    fd = accepted(b, 0);
    exchange(b, 0, fd, HI);
    assert_true(closed(b, fd));
    close(fd);
}

static void idle_links_end_in_time(void **state)
{
    struct bench *b = *state;
    int fd;

    configure(b, 0, 1, KEEP(4, 3000, 0, 0));
    assert_int_equal(dial(b, 0, 0), GATE_OK);
    fd = accepted(b, 0);
    exchange(b, 0, fd, HI);
    pass(b, 1000);
    assert_false(closed(b, fd));
    pass(b, 2100);
    assert_true(closed(b, fd));
    assert_int_equal(b->local->idle, 0);
    assert_int_equal(closes(b, GATE_CLOSE_LINK_IDLE), 1);
    close(fd);
}

/* Time that passes between the taking of a link and its request is nobody's idle time. */
static void a_link_that_was_taken_is_not_idle(void **state)
{
    struct bench *b = *state;
    int fd;

    configure(b, 0, 1, KEEP(4, 3000, 0, 0));
    assert_int_equal(dial(b, 0, 0), GATE_OK);
    fd = accepted(b, 0);
    exchange(b, 0, fd, HI);
    assert_int_equal(dial(b, 0, 0), GATE_OK);
    assert_true(b->a[0].reused);
    pass(b, 3100);
    assert_false(closed(b, fd));
    exchange(b, 0, fd, HI);
    assert_int_equal(b->local->idle, 1);
    close(fd);
}

static void links_retire_by_requests_and_age(void **state)
{
    struct bench *b = *state;
    int fd;

    configure(b, 0, 1, KEEP(4, 60000, 2, 0));
    assert_int_equal(dial(b, 0, 0), GATE_OK);
    fd = accepted(b, 0);
    exchange(b, 0, fd, HI);
    assert_int_equal(dial(b, 0, 0), GATE_OK);
    assert_true(b->a[0].reused);
    exchange(b, 0, fd, HI);
    assert_true(closed(b, fd));
    close(fd);
    configure(b, 0, 1, KEEP(4, 60000, 0, 5000));
    assert_int_equal(dial(b, 0, 0), GATE_OK);
    fd = accepted(b, 0);
    exchange(b, 0, fd, HI);
    assert_int_equal(dial(b, 0, 0), GATE_OK);
    pass(b, 5100);
    exchange(b, 0, fd, HI);
    assert_true(closed(b, fd));
    close(fd);
}

static void parked_links_must_be_silent(void **state)
{
    struct bench *b = *state;
    int fd;

    assert_int_equal(dial(b, 0, 0), GATE_OK);
    fd = accepted(b, 0);
    exchange(b, 0, fd, HI);
    send(fd, "x", 1, MSG_NOSIGNAL);
    turns(b, 3);
    assert_int_equal(b->local->idle, 0);
    assert_int_equal(closes(b, GATE_CLOSE_LINK_DIRTY), 1);
    close(fd);
    assert_int_equal(dial(b, 0, 0), GATE_OK);
    assert_false(b->a[0].reused);
    fd = accepted(b, 0);
    exchange(b, 0, fd, HI);
    close(fd);
    turns(b, 3);
    assert_int_equal(b->local->idle, 0);
    assert_int_equal(closes(b, GATE_CLOSE_LINK_ENDED), 1);
}

/* A reload takes the first peer away: its idle links go, those of the other stay, one at work ends
 * after its exchange. */
static void peers_that_go_take_their_links_along(void **state)
{
    struct bench *b = *state;
    int fd[3];

    for (int i = 0; i < 3; i++) {
        assert_int_equal(dial(b, i, i == 2), GATE_OK);
        fd[i] = accepted(b, i == 2);
    }
    exchange(b, 0, fd[0], HI);
    exchange(b, 2, fd[2], HI);
    configure(b, 1, 1, PLENTY);
    assert_true(closed(b, fd[0]));
    assert_false(closed(b, fd[2]));
    exchange(b, 1, fd[1], HI);
    assert_true(closed(b, fd[1]));
    assert_int_equal(b->local->idle, 1);
    assert_int_equal(dial(b, 0, 0), GATE_OK);
    assert_true(b->a[0].reused);
    for (int i = 0; i < 3; i++)
        close(fd[i]);
}

/* ------------------------------------------------------------------ dialing */

static void a_refused_dial_fails(void **state)
{
    struct bench *b = *state;

    close(b->listening[0]);
    assert_int_not_equal(dial(b, 0, 0), GATE_OK);
    assert_null(b->a[0].claim.link);
    end_attempt(&b->a[0], GATE_CLOSE_LINK_ERROR);
    assert_int_equal(gate_peer_connections(b->local->set->v[0].peer), 0);
    b->listening[0] = dup(b->listening[1]);
}

/* A full backlog: the kernel does not answer the connect. */
static void fill_backlog(struct bench *b, int *fds, int n)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons((uint16_t)b->port[0])};

    listen(b->listening[0], 0);
    for (int i = 0; i < n; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(fds[i], (struct sockaddr *)&a, sizeof(a));
    }
}

static void a_dial_ends_in_time(void **state)
{
    struct bench *b = *state;
    int fds[8];
    enum gate_err e;

    fill_backlog(b, fds, 8);
    begin_attempt(&b->a[0], b->links, b->local->set->v[0].peer);
    b->a[0].want.connect_ms = 5000;
    gate_wait_init(&b->wait, &b->loop, on_dialed, b);
    e = dial_and_wait(&b->a[0], b->local, &b->wait);
    assert_int_equal(e, GATE_E_AGAIN);
    pass(b, 2000);
    assert_false(b->woken);
    pass(b, 3100);
    assert_true(b->woken);
    assert_int_equal(b->dialed, GATE_E_TIMEOUT);
    assert_null(b->a[0].claim.link);
    for (int i = 0; i < 8; i++)
        close(fds[i]);
}

static void a_dial_can_be_given_up(void **state)
{
    struct bench *b = *state;
    int fds[8];

    fill_backlog(b, fds, 8);
    begin_attempt(&b->a[0], b->links, b->local->set->v[0].peer);
    b->a[0].want.connect_ms = 5000;
    gate_wait_init(&b->wait, &b->loop, on_dialed, b);
    assert_int_equal(dial_and_wait(&b->a[0], b->local, &b->wait), GATE_E_AGAIN);
    end_attempt(&b->a[0], GATE_CLOSE_LINK_ERROR);
    end_attempt(&b->a[0], GATE_CLOSE_LINK_ERROR); /* twice is once */
    pass(b, 6000);
    assert_false(b->woken);
    assert_true(gate_list_empty(&b->links->live));
    for (int i = 0; i < 8; i++)
        close(fds[i]);
}

/* ------------------------------------------------------------------ requests that nobody took */

/* Sends a request on a kept link of attempt 0; the origin's end of it. */
static int request_on_kept(struct bench *b)
{
    static const struct gate_timeouts none;
    static const struct gate_head_limits limits = {.header_bytes = 8192, .header_count = 50};
    struct gate_link_use use = {.arena = &b->a[0].arena,
                                .limits = &limits,
                                .timeouts = &none,
                                .method = GATE_M_POST,
                                .events = &events,
                                .user = &b->a[0]};
    struct gate_message m = {.method = GATE_STR("POST"), .path = GATE_STR("/")};
    int fd;

    assert_int_equal(dial(b, 0, 0), GATE_OK);
    fd = accepted(b, 0);
    exchange(b, 0, fd, HI);
    assert_int_equal(dial(b, 0, 0), GATE_OK);
    assert_true(b->a[0].reused);
    gate_attempt_begin(&b->a[0], &use);
    assert_int_equal(b->a[0].stream->ops->send_head(b->a[0].stream, &m, true), GATE_OK);
    return fd;
}

static void until_dead(struct bench *b)
{
    for (int t = 0; t < 10000 && b->a[0].claim.link->h1.state != GATE_LINK_DEAD; t++)
        turns(b, 1);
    assert_int_equal(b->a[0].claim.link->h1.state, GATE_LINK_DEAD);
}

static void a_peer_that_ended_before_has_taken_nothing(void **state)
{
    struct bench *b = *state;
    int fd = request_on_kept(b);

    close(fd);
    gate_link_h1_flush(b->a[0].claim.link); /* before the loop could see the end */
    assert_true(b->a[0].claim.link->sent > 0);
    until_dead(b);
    assert_true(gate_attempt_untouched(&b->a[0], GATE_E_EOF));
}

static void a_peer_that_reset_before_has_taken_nothing(void **state)
{
    struct bench *b = *state;
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    int fd = request_on_kept(b);

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(fd);
    gate_link_h1_flush(b->a[0].claim.link);
    until_dead(b);
    assert_true(gate_attempt_untouched(&b->a[0], GATE_E_RESET));
}

static void a_peer_that_has_read_may_have_acted(void **state)
{
    struct bench *b = *state;
    char heard[4096];
    int fd = request_on_kept(b);

    turns(b, 2);
    assert_true(recv(fd, heard, sizeof(heard), 0) > 0);
    close(fd);
    until_dead(b);
    assert_false(gate_attempt_untouched(&b->a[0], GATE_E_EOF));
}

static void a_peer_that_closed_unread_may_have_acted(void **state)
{
    struct bench *b = *state;
    char byte;
    int fd = request_on_kept(b);

    turns(b, 2);
    assert_int_equal(recv(fd, &byte, 1, 0), 1); /* the rest unread: a reset */
    close(fd);
    until_dead(b);
    assert_false(gate_attempt_untouched(&b->a[0], GATE_E_RESET));
}

/* ------------------------------------------------------------------ upstreams that go */

/* Declares "o" and another upstream, and takes this one's local. */
static struct gate_upstream_local *declare_also(struct bench *b, const char *name)
{
    char text[512], why[256];
    struct gate_config *c;
    struct gate_upstream_local *local;

    snprintf(text, sizeof(text),
             "{\"format\":1,\"upstreams\":[{\"name\":\"o\",\"servers\":[{\"address\":\"127.0.0.1:%d\"}]}"
             ",{\"name\":\"%s\",\"servers\":[{\"address\":\"127.0.0.1:%d\"}]" PLENTY "}]}",
             b->port[0], name, b->port[1]);
    if (gate_config_parse(gate_str_from_cstr(text), &c, why, sizeof(why)) != GATE_OK)
        fail_msg("%s", why);
    assert_int_equal(gate_registry_apply(b->registry, c), GATE_OK);
    local = gate_links_local(b->links, gate_registry_find(b->registry, gate_str_from_cstr(name)),
                             &c->upstreams[1]);
    gate_config_free(&c);
    return local;
}

/* Names that change for months: a worker keeps hardly more than what is declared, and what still
 * carries something. */
static void gone_upstreams_are_forgotten(void **state)
{
    struct bench *b = *state;
    struct gate_upstream_local *first = declare_also(b, "first"), *own = b->local;
    char name[16];
    int idle, busy;

    b->local = first;
    assert_int_equal(dial(b, 0, 0), GATE_OK);
    assert_int_equal(dial(b, 1, 0), GATE_OK);
    busy = accepted(b, 1);
    idle = accepted(b, 1);
    exchange(b, 1, idle, HI);
    assert_int_equal(first->links, 2);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "u%d", i);
        declare_also(b, name);
        assert_in_range(b->links->table_n, 1, 8);
    }
    /* What idled has ended, what was busy goes on, and ends the last memory of it. */
    assert_true(closed(b, idle));
    assert_int_equal(first->links, 1);
    exchange(b, 0, busy, HI);
    assert_true(closed(b, busy));
    assert_int_equal(first->links, 0);
    declare_also(b, "last");
    declare_also(b, "very last");
    declare_also(b, "really");
    declare_also(b, "the end");
    assert_in_range(b->links->table_n, 1, 6);
    assert_ptr_equal(gate_links_local(b->links, own->upstream, &b->config->upstreams[0]), own);
}

/* ------------------------------------------------------------------ retries */

static void retries_have_a_budget(void **state)
{
    struct bench *b = *state;
    uint64_t now = 1000000;
    int n = 0;

    configure(b, 0, 1,
              PLENTY ",\"retry\":{\"tries\":2,\"on\":[\"connect\"],\"budget_percent\":20}");
    while (gate_local_take_retry(b->local, now))
        n++;
    assert_int_equal(n, 100); /* what has gathered: the most there is */
    for (int i = 0; i < 100; i++)
        gate_local_count_request(b->local);
    for (n = 0; gate_local_take_retry(b->local, now); n++)
        ;
    assert_int_equal(n, 20);
    for (n = 0; gate_local_take_retry(b->local, now + 1000); n++)
        ;
    assert_int_equal(n, 10); /* ten a second, whatever the load */
    assert_true(gate_local_take_retry(b->local, now + 20000));
    for (n = 0; gate_local_take_retry(b->local, now + 40000); n++)
        ;
    assert_int_equal(n, 100); /* no more gathers in a long time, */
    for (int i = 0; i < 1000; i++)
        gate_local_count_request(b->local);
    for (n = 0; gate_local_take_retry(b->local, now + 40000); n++)
        ;
    assert_int_equal(n, 100); /* or of many requests */
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, open_bench, close_bench)

struct leaver {
    struct gate_ready ready;
    struct bench *b;
};

static void leave(struct gate_ready *r)
{
    struct bench *b = gate_container_of(r, struct leaver, ready)->b;

    assert_false(b->woken);
    end_attempt(&b->a[0], GATE_CLOSE_LINK_ERROR);
}

/* The exchange ends in the turn in which its dial succeeds, before it has heard of it. */
static void an_attempt_that_ends_before_it_is_told(void **state)
{
    struct bench *b = *state;
    struct leaver l = {.b = b};

    begin_attempt(&b->a[0], b->links, b->local->set->v[0].peer);
    b->a[0].want = (struct gate_link_want){.connect_ms = 5000, .after = UINT64_MAX};
    gate_wait_init(&b->wait, &b->loop, on_dialed, b);
    assert_int_equal(dial_and_wait(&b->a[0], b->local, &b->wait), GATE_E_AGAIN);
    gate_ready_init(&l.ready, leave);
    gate_loop_ready(&b->loop, &l.ready);
    for (int i = 0; i < 5; i++)
        gate_loop_turn(&b->loop, false);
    assert_false(b->woken);
    assert_null(b->a[0].peer);
}

/* ------------------------------------------------------------------ writes that fail */

static struct gate_link *request_that_cannot_be_written(struct bench *b,
                                                        struct gate_fault_plan *plan)
{
    struct gate_link *l;

    request_on_kept(b);
    l = b->a[0].claim.link;
    l->h1.first_byte_ms = 7000;
    gate_conn_fault_wrap(&l->conn, plan);
    turns(b, 3);
    assert_int_equal(plan->calls, 1);
    return l;
}

/* The peer knows nothing of it, and would never say a word. */
static void a_write_that_the_system_refuses_ends_the_stream(void **state)
{
    struct gate_fault_plan plan = {.fail_at = 1, .fail_errno = ENOBUFS};
    struct gate_link *l = request_that_cannot_be_written(*state, &plan);

    assert_int_equal(l->h1.state, GATE_LINK_DEAD);
    assert_string_equal(reset_why, "No buffer space available");
}

/* The peer has not closed: that must not be said of it. */
static void a_read_that_the_system_refuses_says_why(void **state)
{
    struct gate_fault_plan plan = {.fail_at = 2, .fail_errno = ENOMEM};
    struct bench *b = *state;
    int fd = request_on_kept(b);

    gate_conn_fault_wrap(&b->a[0].claim.link->conn, &plan);
    turns(b, 3);
    assert_int_equal(send(fd, "H", 1, 0), 1);
    until_dead(b);
    assert_string_equal(reset_why, "Cannot allocate memory");
}

/* A peer that has closed its ear alone, as one on a Unix socket can. */
static void who_takes_nothing_has_time_for_an_answer(void **state)
{
    struct gate_fault_plan plan = {.fail_at = 1, .fail_errno = EPIPE};
    struct gate_link *l = request_that_cannot_be_written(*state, &plan);

    pass(*state, 6900);
    assert_int_equal(l->h1.state, GATE_LINK_HEAD);
    pass(*state, 200);
    assert_int_equal(l->h1.state, GATE_LINK_DEAD);
}

/* ------------------------------------------------------------------ tunnels */

/* More than the sockets on the way hold. */
#define MUCH (8u * 1024 * 1024)

/* A tunnel whose origin has ended its side and reads nothing, given back behind much that goes up;
 * the origin's end of it. */
static int leave_a_tunnel(struct bench *b)
{
    static const struct gate_timeouts timeouts = {.send_ms = 5000};
    static const struct gate_head_limits limits = {
        .header_bytes = 8192, .header_count = 50, .target_bytes = 1000};
    static const char answer[] = "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    static char bytes[MUCH];
    struct gate_attempt *a = &b->a[0];
    struct gate_link_use use = {.arena = &a->arena,
                                .limits = &limits,
                                .timeouts = &timeouts,
                                .method = GATE_M_GET,
                                .upgrade = true,
                                .upgrade_token = GATE_STR("x"),
                                .events = &events,
                                .user = a};
    struct gate_message m = {.method = GATE_STR("GET"), .path = GATE_STR("/")};
    struct gate_chain much;
    struct gate_stream *s;
    int fd;

    assert_int_equal(dial(b, 0, 0), GATE_OK);
    fd = accepted(b, 0);
    s = gate_attempt_begin(a, &use);
    assert_int_equal(s->ops->send_head(s, &m, true), GATE_OK);
    s->ops->grant(s, 1000);
    turns(b, 2);
    assert_true(recv(fd, bytes, sizeof(bytes), 0) > 0);
    assert_int_equal(send(fd, answer, strlen(answer), 0), (ssize_t)strlen(answer));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    for (int t = 0; t < 10000 && !a->ended; t++)
        turns(b, 1);
    assert_int_equal(a->head.status, 101);
    assert_true(a->ended);
    gate_chain_init(&much, &b->loop.blocks);
    assert_int_equal(gate_chain_copy(&much, bytes, sizeof(bytes)), 0);
    assert_int_equal(s->ops->send_body(s, &much, true), GATE_OK);
    end_attempt(a, GATE_CLOSE_TUNNEL_END);
    turns(b, 3);
    assert_int_equal(gate_counters_get(&b->counters, GATE_C_LINKS_CLOSED), 0);
    assert_int_equal(gate_peer_active(b->local->set->v[0].peer), 0);
    return fd;
}

static void a_tunnel_closes_behind_its_last_bytes(void **state)
{
    static char bytes[256 * 1024];
    struct bench *b = *state;
    int fd = leave_a_tunnel(b);
    size_t total = 0;
    ssize_t n = -1;

    for (int t = 0; t < 100000 && n != 0; t++) {
        turns(b, 1);
        n = recv(fd, bytes, sizeof(bytes), 0);
        total += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(n, 0);
    assert_int_equal(total, MUCH);
    turns(b, 1);
    assert_int_equal(closes(b, GATE_CLOSE_LINK_ENDED), 1);
    close(fd);
}

static void a_tunnel_does_not_wait_for_ever(void **state)
{
    struct bench *b = *state;
    int fd = leave_a_tunnel(b);

    pass(b, 2000);
    assert_int_equal(closes(b, GATE_CLOSE_LINK_ERROR), 0);
    pass(b, 3100);
    assert_int_equal(closes(b, GATE_CLOSE_LINK_ERROR), 1);
    close(fd);
}

static void a_tunnel_does_not_wait_for_nobody(void **state)
{
    struct bench *b = *state;

    close(leave_a_tunnel(b));
    for (int t = 0; t < 10000 && closes(b, GATE_CLOSE_LINK_ERROR) == 0; t++)
        turns(b, 1);
    assert_int_equal(closes(b, GATE_CLOSE_LINK_ERROR), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(requests_write_no_shared_line),
        CASE(a_link_is_used_again),
        CASE(the_warmest_link_comes_first),
        CASE(links_over_the_cap_stay_for_a_second),
        CASE(requests_in_parallel_find_their_links_again),
        CASE(nothing_is_kept_with_a_cap_of_none),
        CASE(idle_links_end_in_time),
        CASE(a_link_that_was_taken_is_not_idle),
        CASE(links_retire_by_requests_and_age),
        CASE(parked_links_must_be_silent),
        CASE(peers_that_go_take_their_links_along),
        CASE(a_refused_dial_fails),
        CASE(a_dial_ends_in_time),
        CASE(a_dial_can_be_given_up),
        CASE(an_attempt_that_ends_before_it_is_told),
        CASE(gone_upstreams_are_forgotten),
        CASE(retries_have_a_budget),
        CASE(a_peer_that_ended_before_has_taken_nothing),
        CASE(a_peer_that_reset_before_has_taken_nothing),
        CASE(a_peer_that_has_read_may_have_acted),
        CASE(a_peer_that_closed_unread_may_have_acted),
        CASE(a_write_that_the_system_refuses_ends_the_stream),
        CASE(a_read_that_the_system_refuses_says_why),
        CASE(who_takes_nothing_has_time_for_an_answer),
        CASE(a_tunnel_closes_behind_its_last_bytes),
        CASE(a_tunnel_does_not_wait_for_ever),
        CASE(a_tunnel_does_not_wait_for_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
