/* Micro-benchmarks of script/: hook calls and what hooks do most.
 *
 *   bench_script              ns per operation of each, best of several rounds
 *   bench_script NAME COUNT   COUNT operations of one after a warm-up and nothing else, to count
 *                             instructions: valgrind --tool=callgrind --smc-check=all-non-file
 *                             bench_script w5 4000 (and 8000: the difference is 4000 operations)
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "support/script_rig.h"

#define WARM_UP   2000
#define ROUNDS    5
#define PER_ROUND 20000

#define PREFIX                                                                                     \
    "local gate = require 'moongate'\n"                                                            \
    "gate.listen { '127.0.0.1:0' }\n"                                                              \
    "local ups = {}\n"                                                                             \
    "for i = 0, 3 do ups[i] = gate.upstream('o' .. i, { servers = { '127.0.0.1:9' } }) end\n"      \
    "gate.route { path = '/', upstream = ups[0] }\n"

struct bench {
    const char *name;
    const char *lua;
    bool response;  /* the response hooks too */
    bool unwatched; /* no watchdog */
};

static const struct bench benches[] = {
    /* What an exchange costs without any hook: to be taken off. */
    {"exchange", PREFIX "gate.on.log(function() end)\n", false},
    {"empty hook", PREFIX "gate.on.request(function() end)\n", false, false},
    {"no watchdog", PREFIX "gate.on.request(function() end)\n", false, true},
    {"ten hooks", PREFIX "for i = 1, 10 do gate.on.request(function() end) end\n", false},
    {"header get", PREFIX "gate.on.request(function(req) local v = req.headers['x-user'] end)\n",
     false},
    {"header set", PREFIX "gate.on.request(function(req) req.headers['x-added'] = 'v' end)\n",
     false},
    {"ctx", PREFIX "gate.on.request(function(req) req.ctx.n = 1 end)\n", false},
    {"path", PREFIX "gate.on.request(function(req) local p = req.path end)\n", false},
    {"accessors",
     PREFIX "gate.on.request(function(req)\n"
            "  local h = req.headers\n"
            "  req.ctx.n = #req.path + #req.method + #req.host + #h['x-user'] + #h['accept']\n"
            "end)\n",
     false},
    {"args", PREFIX "gate.on.request(function(req) local p = req.args.y end)\n", false},
    {"four args",
     PREFIX "gate.on.request(function(req)\n"
            "  local a = req.args\n"
            "  local w, x, y, z = a.w, a.x, a.y, a.z\n"
            "end)\n",
     false},
    /* No two requests with the same query. */
    {"new args",
     PREFIX "local n = 0\n"
            "gate.on.request(function(req)\n"
            "  n = n + 1\n"
            "  req.query = 'id=' .. n .. '&name=moon+gate&page=2&size=50'\n"
            "  local a = req.args\n"
            "  local id, name = a.id, a.name\n"
            "end)\n",
     false},
    {"new query",
     PREFIX "local n = 0\n"
            "gate.on.request(function(req)\n"
            "  n = n + 1\n"
            "  req.query = 'id=' .. n .. '&name=moon+gate&page=2&size=50'\n"
            "  local q = req.query\n"
            "end)\n",
     false},
    {"cookie", PREFIX "gate.on.request(function(req) local c = req.cookies.b end)\n", false},
    {"reply", PREFIX "gate.on.request(function(req) return gate.reply(200, 'x') end)\n", false},
    {"sleep(0)", PREFIX "gate.on.request(function(req) gate.sleep(0) end)\n", false},
    {"w5",
     PREFIX "gate.on.request(function(req)\n"
            "  local user, key = req.headers['x-user'], req.headers['x-key']\n"
            "  if not user or not key then return gate.reply(403, 'no\\n') end\n"
            "  local h = 5381\n"
            "  for i = 1, #user do h = (h * 33 + user:byte(i)) % 4294967296 end\n"
            "  local n = h % 4\n"
            "  req.headers['x-added'] = user\n"
            "  req.ctx.n = n\n"
            "  return ups[n]\n"
            "end)\n"
            "gate.on.response(function(req, res)\n"
            "  res.headers['x-peer'] = tostring(req.ctx.n)\n"
            "end)\n",
     true},
};

static void once(struct script_rig *r, const struct bench *b)
{
    struct gate_exchange *x = script_rig_exchange(r);

    x->res.headers.arena = &x->arena;
    if (script_rig_call(r, x, GATE_HOOK_REQUEST) == GATE_VERDICT_FAULT)
        fputs(r->lines, stderr);
    if (b->response) {
        x->res.status = 200;
        GATE_ASSERT(script_rig_call(r, x, GATE_HOOK_RESPONSE) == GATE_VERDICT_NEXT);
    }
    script_rig_end(&x);
}

static double round_ns(struct script_rig *r, const struct bench *b, int n)
{
    struct timespec from, to;

    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < n; i++)
        once(r, b);
    clock_gettime(CLOCK_MONOTONIC, &to);
    return ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) / n;
}

static void run(const struct bench *b, int count)
{
    struct script_rig r;
    double best = 1e18;

    script_rig_begin(&r, b->lua);
    if (b->unwatched)
        r.worker.watchdog = NULL;
    GATE_ASSERT(script_rig_load(&r) == GATE_OK);
    round_ns(&r, b, WARM_UP);
    if (count > 0) {
        round_ns(&r, b, count);
    } else {
        for (int i = 0; i < ROUNDS; i++) {
            double ns = round_ns(&r, b, b->name[0] == 's' ? PER_ROUND / 20 : PER_ROUND);

            best = ns < best ? ns : best;
        }
        printf("%-12s %8.0f ns\n", b->name, best);
    }
    script_rig_close(&r);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < GATE_COUNT_OF(benches); i++)
        if (argc < 3)
            run(&benches[i], 0);
        else if (strcmp(argv[1], benches[i].name) == 0)
            run(&benches[i], atoi(argv[2]));
    return 0;
}
