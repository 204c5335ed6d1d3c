/* Containment: every attack of tests/support/attacks.lua in one VM, in which others wait meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "support/script_rig.h"

#define BUDGET_MS 20
#define WAITERS   20

/* How long over its budget an attack may run, in CPU time. On a busy machine the watchdog itself
 * has to wait, so a few may be late, but not by much; sanitizers are slow. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GRACE_MS 600
#else
#define GRACE_MS 60
#endif
#define LATE_MS  2000
#define LATE_MAX 8

static const char gateway[] =
    "local gate = require 'moongate'\n"
    "local attacks = require 'attacks'\n"
    "gate.listen { '127.0.0.1:0' }\n"
    "gate.limits { vm_memory = '32m' }\n"
    "gate.route { path = '/a/', reply = { 200, 'x' } }\n"
    "local woken = 0\n"
    "gate.use { name = 'p', cpu = '20ms', request = function(req)\n"
    "  local n = tonumber(req.headers['x-attack'])\n"
    "  if n == 0 then\n"
    "    for i = 1, 2000 do gate.sleep(0.05) if req.headers['x-end'] then return gate.reply(200, "
    "'woken') end end\n"
    "    return gate.reply(500)\n"
    "  end\n"
    "  local attack = attacks[n]\n"
    "  if not attack then return gate.reply(404) end\n"
    "  if req.headers['x-ask'] then return gate.reply(200, attack[2] .. ' ' .. attack[1]) end\n"
    "  attack[3](req)\n"
    "end }\n";

struct waiter {
    struct gate_exchange *x;
    bool done;
    enum gate_verdict_kind kind;
};

struct fixture {
    struct script_rig r;
    struct waiter waiters[WAITERS];
    int late;
};

static struct fixture fixture;

static char *read_whole(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    char *text = malloc(1 << 20);

    assert_non_null(f);
    *n = fread(text, 1, 1 << 20, f);
    fclose(f);
    return text;
}

static struct gate_exchange *exchange_for(struct script_rig *r, int attack)
{
    struct gate_exchange *x = script_rig_exchange(r);
    char number[16];

    snprintf(number, sizeof(number), "%d", attack);
    gate_headers_set(&x->req.headers, GATE_STR("x-attack"), gate_str_from_cstr(number));
    return x;
}

static void on_waiter(void *exchange, const struct gate_hook_verdict *v)
{
    struct gate_exchange *x = exchange;
    for (int i = 0; i < WAITERS; i++)
        if (fixture.waiters[i].x == x) {
            fixture.waiters[i].done = true;
            fixture.waiters[i].kind = v->kind;
        }
}

static int setup(void **state)
{
    size_t n;
    char *text = read_whole("tests/support/attacks.lua", &n);

    (void)state;
    script_rig_begin(&fixture.r, gateway);
    gate_bundle_add(fixture.r.bundle, "attacks.lua", gate_str_of(text, n));
    free(text);
    if (script_rig_load(&fixture.r) != GATE_OK)
        for (uint32_t i = 0; i < fixture.r.errors.n; i++)
            fprintf(stderr, "%.*s:%u %.*s\n", (int)fixture.r.errors.v[i].file.n,
                    fixture.r.errors.v[i].file.p, fixture.r.errors.v[i].line,
                    (int)fixture.r.errors.v[i].message.n, fixture.r.errors.v[i].message.p);
    assert_non_null(fixture.r.seat.vm);
    for (int i = 0; i < WAITERS; i++) {
        struct gate_hook_verdict v;

        fixture.waiters[i].x = exchange_for(&fixture.r, 0);
        assert_int_equal(
            gate_hook_call(fixture.waiters[i].x, GATE_HOOK_REQUEST, GATE_SCOPE_ALL, on_waiter, &v),
            GATE_VM_YIELD);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    script_rig_close(&fixture.r);
    return 0;
}

static uint64_t cpu_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* "class name" of an attack; false: there is no such number. */
static bool ask(struct script_rig *r, int attack, char *name, size_t cap)
{
    struct gate_exchange *x = exchange_for(r, attack);
    bool found;

    gate_headers_set(&x->req.headers, GATE_STR("x-ask"), GATE_STR("1"));
    if (script_rig_call(r, x, GATE_HOOK_REQUEST) != GATE_VERDICT_REPLY)
        fprintf(stderr, "attack %d, heap %u KiB: %.1000s\n", attack,
                (unsigned)(gate_vm_memory(r->seat.vm) / 1024), r->lines);
    assert_int_equal(r->verdict.kind, GATE_VERDICT_REPLY);
    found = x->reply.status == 200;
    snprintf(name, cap, "%.*s", (int)x->reply.body.n, x->reply.body.p);
    script_rig_end(&x);
    return found;
}

static bool as_expected(const char *name, const struct gate_hook_verdict *v)
{
    if (strncmp(name, "cpu", 3) == 0)
        return v->kind == GATE_VERDICT_FAULT && v->result == GATE_VM_KILLED;
    if (strncmp(name, "memory", 6) == 0)
        return v->kind == GATE_VERDICT_FAULT &&
               (v->result == GATE_VM_NOMEM || v->result == GATE_VM_KILLED);
    return true;
}

static bool attack(struct script_rig *r, int number, const char *name)
{
    struct gate_exchange *x = exchange_for(r, number);
    uint64_t before = cpu_ms(), used;
    bool ok;

    script_rig_clear_log(r);
    script_rig_call(r, x, GATE_HOOK_REQUEST);
    used = cpu_ms() - before;
    if (used > BUDGET_MS + GRACE_MS)
        fixture.late++;
    ok = as_expected(name, &r->verdict) && used <= LATE_MS && fixture.late <= LATE_MAX;
    if (!ok || getenv("VERBOSE") != NULL)
        fprintf(stderr, "%-50s verdict %d result %d, %u ms, heap %u KiB\n", name, r->verdict.kind,
                r->verdict.result, (unsigned)used, (unsigned)(gate_vm_memory(r->seat.vm) / 1024));
    if (!ok)
        fprintf(stderr, "%.600s\n", r->lines);
    script_rig_end(&x);
    /* The next attack is to be called, too. */
    gate_quarantine_probed(gate_vm_quarantine(r->seat.vm),
                           (struct gate_quarantine_key){GATE_HOOK_REQUEST, 0}, true);
    return ok;
}

static void test_attacks(void **state)
{
    struct script_rig *r = &fixture.r;
    char name[200];
    int bad = 0, n = 1;

    (void)state;
    for (; ask(r, n, name, sizeof(name)); n++)
        if (!attack(r, n, name))
            bad++;
    assert_true(n > 80);
    assert_int_equal(bad, 0);
}

static void test_same_attack_often(void **state)
{
    struct script_rig *r = &fixture.r;
    char name[200];
    uint64_t before = 0;

    (void)state;
    for (int i = 0; i < 60; i++) {
        assert_true(ask(r, 1 + i % 12, name, sizeof(name)));
        assert_true(attack(r, 1 + i % 12, name));
        if (i == 20)
            before = gate_vm_memory(r->seat.vm);
    }
    /* Nothing piles up in the VM. */
    assert_true(gate_vm_memory(r->seat.vm) < before + 4 * 1024 * 1024);
}

static bool all_woken(void)
{
    for (int i = 0; i < WAITERS; i++)
        if (!fixture.waiters[i].done)
            return false;
    return true;
}

static void test_others_unharmed(void **state)
{
    struct script_rig *r = &fixture.r;

    (void)state;
    script_rig_clear_log(r);
    for (int i = 0; i < WAITERS; i++)
        gate_headers_set(&fixture.waiters[i].x->req.headers, GATE_STR("x-end"), GATE_STR("1"));
    for (int turns = 0; !all_woken() && turns < 100000; turns++)
        gate_loop_turn(&r->worker.loop, true);
    for (int i = 0; i < WAITERS; i++) {
        assert_true(fixture.waiters[i].done);
        if (fixture.waiters[i].kind != GATE_VERDICT_REPLY)
            fprintf(stderr, "%.600s\n", r->lines);
        assert_int_equal(fixture.waiters[i].kind, GATE_VERDICT_REPLY);
        assert_memory_equal(fixture.waiters[i].x->reply.body.p, "woken", 5);
        script_rig_end(&fixture.waiters[i].x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attacks),
        cmocka_unit_test(test_same_attack_often),
        cmocka_unit_test(test_others_unharmed),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
