/* See check_list.h. */
#include "support/check_list.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

#define TEXT_MAX (1u << 20)

static const char gateway[] =
    "local gate = require 'moongate'\n"
    "local checks = require 'checks'\n"
    "gate.listen { '127.0.0.1:0' }\n"
    "local up = gate.upstream('o', { servers = { '127.0.0.1:9' } })\n"
    "gate.route { path = '/a/:name', upstream = up, name = 'first' }\n"
    "local function run(req, res)\n"
    "  local check = checks[tonumber(req.headers['x-check'])]\n"
    "  if not check then return gate.reply(404) end\n"
    "  if req.headers['x-ask'] then return gate.reply(200, check[1]) end\n"
    "  check[3](req, res)\n"
    "end\n"
    "gate.use { name = 'p', cpu = '5s', response = run }\n";

static void add_file(struct script_rig *r, const char *module)
{
    char path[256];
    char *text = malloc(TEXT_MAX);
    FILE *f;
    size_t n;

    snprintf(path, sizeof(path), "tests/support/%s.lua", module);
    f = fopen(path, "rb");
    GATE_ASSERT(f != NULL && text != NULL);
    n = fread(text, 1, TEXT_MAX, f);
    fclose(f);
    gate_bundle_add(r->bundle, "checks.lua", gate_str_of(text, n));
    free(text);
}

static struct gate_exchange *exchange_for(struct script_rig *r, int number)
{
    struct gate_exchange *x = script_rig_exchange(r);
    char text[16];

    snprintf(text, sizeof(text), "%d", number);
    gate_headers_set(&x->req.headers, GATE_STR("x-check"), gate_str_from_cstr(text));
    x->res.status = 200;
    x->res.from = GATE_FROM_UPSTREAM;
    x->res.headers.arena = &x->arena;
    gate_headers_add(&x->res.headers, GATE_STR("Content-Type"), GATE_STR("text/plain"));
    x->match.captures[0] = (struct gate_capture){GATE_STR("name"), GATE_STR("b")};
    x->match.n_captures = 1;
    x->upstream = 0;
    return x;
}

static bool ask(struct script_rig *r, int number, char *name, size_t cap)
{
    struct gate_exchange *x = exchange_for(r, number);
    bool found;

    gate_headers_set(&x->req.headers, GATE_STR("x-ask"), GATE_STR("1"));
    GATE_ASSERT(script_rig_call(r, x, GATE_HOOK_RESPONSE) == GATE_VERDICT_REPLY);
    found = x->reply.status == 200;
    snprintf(name, cap, "%.*s", (int)x->reply.body.n, x->reply.body.p);
    script_rig_end(&x);
    return found;
}

int check_list_run(const char *module, int least)
{
    struct script_rig r;
    char name[200];
    int failed = 0, n = 1;

    script_rig_begin(&r, gateway);
    add_file(&r, module);
    GATE_ASSERT(script_rig_load(&r) == GATE_OK);
    for (; ask(&r, n, name, sizeof(name)); n++) {
        struct gate_exchange *x = exchange_for(&r, n);

        script_rig_clear_log(&r);
        if (script_rig_call(&r, x, GATE_HOOK_RESPONSE) != GATE_VERDICT_NEXT) {
            fprintf(stderr, "%s: %s\n%s\n", module, name, r.lines);
            failed++;
        }
        script_rig_end(&x);
    }
    GATE_ASSERT(n > least);
    script_rig_close(&r);
    return failed;
}
