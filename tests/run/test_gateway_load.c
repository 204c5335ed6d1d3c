/* covers: run/gateway_files.c run/gateway_change.c run/gateway_errors.c */
#include "gateway_case.h"

#include <fcntl.h>
#include <sys/stat.h>

static const struct gate_error *refused(struct gateway_case *c, const char *main,
                                        struct gate_errors **errors)
{
    uint64_t id = 77;

    assert_int_equal(gate_load(c->gw, main, &id, errors), EINVAL);
    assert_int_equal(id, 77);
    assert_true(gate_errors_count(*errors) > 0);
    assert_null(gate_errors_at(*errors, gate_errors_count(*errors)));
    return gate_errors_at(*errors, 0);
}

static void tells_what_is_wrong(void **state)
{
    struct gateway_case c;
    struct gate_errors *errors;
    const struct gate_error *e;

    (void)state;
    case_open(&c);
    add_text(&c, "gateway.lua", "local gate = require 'moongate'\n"
                                "gate.listen { ':0', trsut = {} }\n"
                                "gate.upstream('a', { servers = { '127.0.0.1:1' }, balance = 1 })\n");
    e = refused(&c, "gateway.lua", &errors);
    assert_int_equal(gate_errors_count(errors), 2);
    assert_string_equal(e->file, "gateway.lua");
    assert_int_equal(e->line, 2);
    assert_string_equal(e->name, "trsut");
    assert_string_equal(e->nearest, "trust");
    assert_non_null(strstr(e->message, "trsut"));
    e = gate_errors_at(errors, 1);
    assert_int_equal(e->line, 3);
    assert_string_equal(e->nearest, "");
    assert_true(strlen(e->expected) > 0);
    gate_errors_free(&errors);
    assert_null(errors);
    gate_errors_free(&errors);
    assert_int_equal(gate_errors_count(NULL), 0);
    until(&c.refused, 1);
    assert_memory_equal(c.text, "0: ", 3);
    case_close(&c);
}

static void tells_what_is_wrong_in_data(void **state)
{
    struct gateway_case c;
    struct gate_errors *errors;
    const struct gate_error *e;

    (void)state;
    case_open(&c);
    add_text(&c, "gateway.lua", LISTEN "gate.routes(gate.data 'routes')\n");
    add_text(&c, "routes.json", "[{\"path\": \"/\", \"replly\": [200, \"x\"]}]");
    e = refused(&c, "gateway.lua", &errors);
    assert_string_equal(e->file, "routes.json");
    assert_string_equal(e->pointer, "/0/replly");
    assert_string_equal(e->nearest, "reply");
    gate_errors_free(&errors);
    add_text(&c, "routes.json", "[{\"path\": \"/\", \"reply\": [200, \"from data\"]}]");
    serve_text(&c, LISTEN "gate.routes(gate.data 'routes')\n");
    assert_string_equal(body(get(&c, "/")), "from data");
    case_close(&c);
}

static void refuses_what_ends_no_load(void **state)
{
    struct gateway_case c;
    struct gate_errors *errors;
    const struct gate_error *e;

    (void)state;
    case_open(&c);
    e = refused(&c, "/nowhere/gateway.lua", &errors);
    assert_string_equal(e->file, "/nowhere/gateway.lua");
    assert_string_equal(e->message, "No such file or directory");
    gate_errors_free(&errors);
    add_text(&c, "gateway.lua", "local gate = require 'moongate'\n");
    e = refused(&c, "gateway.lua", &errors);
    assert_non_null(strstr(e->message, "no address to listen on"));
    gate_errors_free(&errors);
    add_text(&c, "gateway.lua", LISTEN "gate.limits { load_time = '50ms' }\nwhile true do end\n");
    e = refused(&c, "gateway.lua", &errors);
    assert_int_equal(e->line, 4);
    assert_non_null(strstr(e->message, "longer than load_time"));
    gate_errors_free(&errors);
    add_text(&c, "gateway.lua", LISTEN "gate.route { path = '/', reply = { 200, tostring({}) } }\n"
                                       "gate.on.request(function() end)\n");
    e = refused(&c, "gateway.lua", &errors);
    assert_non_null(strstr(e->message, "declared different things"));
    gate_errors_free(&errors);
    assert_int_equal(gate_add_file(c.gw, "gateway.lua", NULL, 0), 0);
    e = refused(&c, "gateway.lua", &errors);
    assert_non_null(strstr(e->message, "No such file"));
    gate_errors_free(&errors);
    case_close(&c);
}

static void knows_names_of_files(void **state)
{
    struct gateway_case c;
    char name[300];

    (void)state;
    case_open(&c);
    assert_int_equal(gate_add_file(c.gw, "", "x", 1), EINVAL);
    assert_int_equal(gate_add_file(c.gw, "/etc/x", "x", 1), EINVAL);
    memset(name, 'a', sizeof(name));
    name[201] = '\0';
    assert_int_equal(gate_add_file(c.gw, name, "x", 1), EINVAL);
    name[200] = '\0';
    assert_int_equal(gate_add_file(c.gw, name, "x", 1), 0);
    assert_int_equal(gate_add_file(c.gw, "empty.lua", "", 0), 0);
    case_close(&c);
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[200];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void remove_file(const char *dir, const char *name)
{
    char path[200];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(unlink(path), 0);
}

static void reads_the_disk_too(void **state)
{
    char dir[] = "/tmp/gate-gateway-XXXXXX";
    struct gateway_case c;
    struct gate_errors *errors;
    char main[100];
    uint64_t id;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(main, sizeof(main), "%s/main.lua", dir);
    write_file(dir, "main.lua", LISTEN "gate.route { path = '/', reply = { 200, require 'a' .. "
                                       "require 'b' } }\n");
    write_file(dir, "a.lua", "return 'disk'");
    write_file(dir, "b.lua", "return 'disk'");
    case_open(&c);
    add_text(&c, "b.lua", "return ' memory'");
    assert_int_equal(gate_load(c.gw, main, &id, &errors), 0);
    activate(&c, id);
    assert_string_equal(body(get(&c, "/")), "disk memory");
    case_close(&c);
    remove_file(dir, "main.lua");
    remove_file(dir, "a.lua");
    remove_file(dir, "b.lua");
    rmdir(dir);
}

struct slow_load {
    struct gateway_case *c;
    const char *main;
    _Atomic pid_t thread;
    _Atomic int result;     /* -1: it goes on */
};

static void *load_slowly(void *arg)
{
    struct slow_load *l = arg;
    uint64_t id;

    l->thread = gettid();
    l->result = gate_load(l->c->gw, l->main, &id, NULL);
    return NULL;
}

static bool sleeps(pid_t thread)
{
    char path[64], name[32], state = '?';
    FILE *f;

    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)thread);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%*d (%31[^)]) %c", name, &state), 2);
    fclose(f);
    return state == 'S';
}

/* A FIFO that nobody writes to is a disk that does not answer: other calls go on meanwhile, those
 * on control too. */
static void a_slow_disk_holds_up_its_own_load_only(void **state)
{
    char dir[] = "/tmp/gate-gateway-XXXXXX", main[100];
    struct gateway_case c;
    struct slow_load slow = { .c = &c, .main = main, .result = -1 };
    pthread_t thread;
    int fd;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(main, sizeof(main), "%s/main.lua", dir);
    assert_int_equal(mkfifo(main, 0600), 0);
    case_open(&c);
    assert_int_equal(pthread_create(&thread, NULL, load_slowly, &slow), 0);
    while (slow.thread == 0 || !sleeps(slow.thread))
        sched_yield();
    alarm(60);
    serve_text(&c, REPLY("meanwhile"));
    alarm(0);
    assert_string_equal(body(get(&c, "/")), "meanwhile");
    assert_int_equal(slow.result, -1);
    fd = open(main, O_WRONLY);
    assert_true(fd >= 0);
    close(fd);
    pthread_join(thread, NULL);
    assert_int_equal(slow.result, EINVAL);
    case_close(&c);
    remove_file(dir, "main.lua");
    rmdir(dir);
}

static void activates_by_number(void **state)
{
    struct gateway_case c;
    struct gate_errors *errors;
    uint64_t first, second, third;

    (void)state;
    case_open(&c);
    first = load_text(&c, REPLY("first"));
    second = load_text(&c, REPLY("second"));
    third = load_text(&c, REPLY("third"));
    assert_int_equal(gate_activate(c.gw, third + 1, &errors), ENOENT);
    assert_int_equal(gate_errors_count(errors), 1);
    gate_errors_free(&errors);
    activate(&c, second);
    assert_string_equal(body(get(&c, "/")), "second");
    activate(&c, first);
    assert_string_equal(body(get(&c, "/")), "first");
    assert_int_equal(gate_activate(c.gw, first, NULL), ENOENT);
    assert_int_equal(gate_discard(c.gw, third), 0);
    assert_int_equal(gate_discard(c.gw, third), ENOENT);
    assert_int_equal(gate_activate(c.gw, third, NULL), ENOENT);
    case_close(&c);
}

static void bounds_what_waits(void **state)
{
    struct gateway_case c;
    struct gate_errors *errors;
    uint64_t first, id;

    (void)state;
    case_open(&c);
    first = load_text(&c, REPLY("0"));
    for (int i = 1; i < 8; i++)
        load_text(&c, REPLY("0"));
    assert_int_equal(gate_load(c.gw, "gateway.lua", &id, &errors), ENOSPC);
    assert_non_null(strstr(gate_errors_at(errors, 0)->message, "discard"));
    gate_errors_free(&errors);
    assert_int_equal(gate_discard(c.gw, first), 0);
    serve_text(&c, REPLY("last"));
    assert_string_equal(body(get(&c, "/")), "last");
    case_close(&c);
}

/* An address that somebody else has: nothing changes, and the first activation may be repeated. */
static void refuses_what_cannot_listen(void **state)
{
    struct gateway_case other, c;
    struct gate_errors *errors;
    char address[64], text[300];
    uint64_t id;

    (void)state;
    case_open(&other);
    serve_text(&other, REPLY("other"));
    assert_int_equal(gate_address(other.gw, 0, address, sizeof(address)), 0);
    snprintf(text, sizeof(text), "require('moongate').listen { '%s' }\n", address);
    case_open(&c);
    for (int round = 1; round <= 2; round++) {
        id = load_text(&c, text);
        assert_int_equal(gate_activate(c.gw, id, &errors), EINVAL);
        assert_non_null(strstr(gate_errors_at(errors, 0)->message, address));
        gate_errors_free(&errors);
        assert_int_equal(c.refused, round);
        assert_int_equal(gate_activate(c.gw, id, NULL), ENOENT);
        serve_text(&c, REPLY("mine"));
        assert_string_equal(body(get(&c, "/")), "mine");
    }
    case_close(&c);
    assert_string_equal(body(get(&other, "/")), "other");
    case_close(&other);
}

static void keeps_five_for_rollback(void **state)
{
    struct gateway_case c;
    struct gate_errors *errors;
    uint64_t ids[7], now;
    char text[200];

    (void)state;
    case_open(&c);
    assert_int_equal(gate_rollback(c.gw, 0, &now, &errors), EINVAL);
    assert_non_null(strstr(gate_errors_at(errors, 0)->message, "no earlier"));
    gate_errors_free(&errors);
    for (int i = 0; i < 7; i++) {
        snprintf(text, sizeof(text), REPLY("number %d"), i);
        ids[i] = serve_text(&c, text);
    }
    /* Six hang behind: the seventh is present, five of the rest are kept. */
    assert_int_equal(gate_rollback(c.gw, ids[0], &now, &errors), EINVAL);
    assert_non_null(strstr(gate_errors_at(errors, 0)->message, "not kept"));
    gate_errors_free(&errors);
    assert_string_equal(body(get(&c, "/")), "number 6");
    assert_int_equal(gate_rollback(c.gw, ids[1], &now, NULL), 0);
    assert_true(now > ids[6]);
    assert_int_equal(c.ready, now);
    assert_string_equal(body(get(&c, "/")), "number 1");
    assert_int_equal(gate_rollback(c.gw, 0, NULL, NULL), 0);
    assert_string_equal(body(get(&c, "/")), "number 6");
    case_close(&c);
}

/* Scripts keep what they know while data alone changes. */
static void keeps_scripts_when_data_changes(void **state)
{
    static const char text[] = LISTEN "local n = 0\n"
                                      "gate.on.request(function(req) n = n + 1\n"
                                      "  req.ctx.n = n end)\n"
                                      "gate.on.response(function(req, res)\n"
                                      "  res.headers['x-n'] = tostring(req.ctx.n) end)\n"
                                      "gate.routes(gate.data 'routes')\n";
    struct gateway_case c;
    struct gate_setup s = case_setup(&c);

    (void)state;
    s.workers = 1;
    assert_int_equal(gate_open(&s, &c.gw), 0);
    add_text(&c, "routes.json", "[{\"path\": \"/\", \"reply\": [200, \"old\"]}]");
    serve_text(&c, text);
    assert_non_null(strstr(get(&c, "/"), "x-n: 1\r\n"));
    add_text(&c, "routes.json", "[{\"path\": \"/\", \"reply\": [200, \"new\"]}]");
    serve_text(&c, text);
    assert_non_null(strstr(get(&c, "/"), "x-n: 2\r\n"));
    assert_string_equal(body(get(&c, "/")), "new");
    serve_text(&c, LISTEN "gate.route { path = '/', reply = { 200, 'other code' } }\n");
    assert_string_equal(body(get(&c, "/")), "other code");
    case_close(&c);
}

/* Any thread */

struct loader {
    struct gateway_case *c;
    int i;
    pthread_t thread;
    _Atomic int failures;
};

static void *load_and_drop(void *arg)
{
    struct loader *l = arg;
    char name[40], text[200];
    uint64_t id;

    snprintf(name, sizeof(name), "file%d.lua", l->i);
    for (int i = 0; i < 10; i++) {
        int n = snprintf(text, sizeof(text), REPLY("%d")
                         "gate.shared('loads', {}):incr('n', 1, 0)\n"
                         "gate.on.request(function() end)\n", i);

        l->failures += gate_add_file(l->c->gw, name, text, (size_t)n) != 0;
        l->failures += gate_load(l->c->gw, name, &id, NULL) != 0;
        if (i % 2 == 0)
            l->failures += gate_activate(l->c->gw, id, NULL) != 0;
        else
            l->failures += gate_discard(l->c->gw, id) != 0;
    }
    return NULL;
}

static void loads_on_any_thread(void **state)
{
    struct loader loaders[4];
    struct gateway_case c;
    int answers = 0;

    (void)state;
    case_open(&c);
    serve_text(&c, REPLY("9"));
    for (int i = 0; i < 4; i++) {
        loaders[i] = (struct loader){ .c = &c, .i = i };
        pthread_create(&loaders[i].thread, NULL, load_and_drop, &loaders[i]);
    }
    for (int i = 0; i < 30; i++)
        answers += strstr(get(&c, "/"), " 200 ") != NULL;
    for (int i = 0; i < 4; i++) {
        pthread_join(loaders[i].thread, NULL);
        assert_int_equal(loaders[i].failures, 0);
    }
    assert_int_equal(answers, 30);
    case_close(&c);
}

static void takes_the_place_of_listeners(void **state)
{
    static const char *const listen[] = { "127.0.0.1:0" };
    struct gateway_case c;
    struct gate_setup s = case_setup(&c);

    (void)state;
    s.listen = listen;
    s.listen_count = 1;
    s.workers = 0;
    assert_int_equal(gate_open(&s, &c.gw), 0);
    serve_text(&c, "local gate = require 'moongate'\n"
                   "gate.listen { '192.0.2.1:1' }\n"
                   "gate.process { workers = 3 }\n"
                   "gate.route { path = '/', reply = { 200, 'there' } }\n");
    assert_string_equal(body(get(&c, "/")), "there");
    case_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_is_wrong),
        cmocka_unit_test(tells_what_is_wrong_in_data),
        cmocka_unit_test(refuses_what_ends_no_load),
        cmocka_unit_test(knows_names_of_files),
        cmocka_unit_test(reads_the_disk_too),
        cmocka_unit_test(a_slow_disk_holds_up_its_own_load_only),
        cmocka_unit_test(activates_by_number),
        cmocka_unit_test(bounds_what_waits),
        cmocka_unit_test(refuses_what_cannot_listen),
        cmocka_unit_test(keeps_five_for_rollback),
        cmocka_unit_test(keeps_scripts_when_data_changes),
        cmocka_unit_test(loads_on_any_thread),
        cmocka_unit_test(takes_the_place_of_listeners),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
