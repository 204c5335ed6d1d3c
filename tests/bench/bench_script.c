/* Micro-benchmarks of script/: hook calls and what hooks do most. CPU time of the process, the
 * watchdog's too.
 *   bench_script              ns of each, the median of several rounds, and three comparisons
 *   bench_script NAME COUNT   COUNT operations of one after a warm-up and nothing else, to count
 *                             instructions: valgrind --tool=callgrind --smc-check=all-non-file
 *                             bench_script w5 4000 (and 8000: the difference is what 4000 cost) */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <unistd.h>

#include "base/assert.h"
#include "script/vm_int.h"
#include "support/script_rig.h"

#define WARM_UP   2000
#define ROUNDS    9
#define PER_ROUND 20000
/* Long against what the watchdog sleeps between two looks. */
#define PER_WATCHED 200000

#define PREFIX                                                                                     \
    "local gate = require 'moongate'\n"                                                            \
    "gate.listen { '127.0.0.1:0' }\n"                                                              \
    "local ups = {}\n"                                                                             \
    "for i = 0, 3 do ups[i] = gate.upstream('o' .. i, { servers = { '127.0.0.1:9' } }) end\n"      \
    "gate.route { path = '/', upstream = ups[0] }\n"

#define W5                                                                                         \
    PREFIX "gate.on.request(function(req)\n"                                                       \
           "  local user, key = req.headers['x-user'], req.headers['x-key']\n"                     \
           "  if not user or not key then return gate.reply(403, 'no\\n') end\n"                   \
           "  local h = 5381\n"                                                                    \
           "  for i = 1, #user do h = (h * 33 + user:byte(i)) % 4294967296 end\n"                  \
           "  local n = h % 4\n"                                                                   \
           "  req.headers['x-added'] = user\n"                                                     \
           "  req.ctx.n = n\n"                                                                     \
           "  return ups[n]\n"                                                                     \
           "end)\n"                                                                                \
           "gate.on.response(function(req, res)\n"                                                 \
           "  res.headers['x-peer'] = tostring(req.ctx.n)\n"                                       \
           "end)\n"

struct bench {
    const char *name;
    const char *lua;
    bool response; /* the response hooks too */
};

static const struct bench benches[] = {
    /* What an exchange costs without any hook: to be taken off. */
    {"exchange", PREFIX "gate.on.log(function() end)\n", false},
    {"empty hook", PREFIX "gate.on.request(function() end)\n", false},
    {"ten hooks", PREFIX "for i = 1, 10 do gate.on.request(function() end) end\n", false},
    {"header get", PREFIX "gate.on.request(function(req) local v = req.headers['x-user'] end)\n",
     false},
    {"header set", PREFIX "gate.on.request(function(req) req.headers['x-added'] = 'v' end)\n",
     false},
    {"ctx", PREFIX "gate.on.request(function(req) req.ctx.n = 1 end)\n", false},
    {"path", PREFIX "gate.on.request(function(req) local p = req.path end)\n", false},
    {"accessors",
     PREFIX "local seen\n"
            "gate.on.request(function(req)\n"
            "  local h = req.headers\n"
            "  seen = #req.path + #req.method + #req.host + #h['x-user'] + #h['accept']\n"
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
    {"w5", W5, true},
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

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    for (int i = 0; i < n; i++)
        once(r, b);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    return ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) / n;
}

static void begin(struct script_rig *r, const struct bench *b)
{
    script_rig_begin(r, b->lua);
    GATE_ASSERT(script_rig_load(r) == GATE_OK);
    round_ns(r, b, WARM_UP);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* The medians of some benches, whose rounds take turns: noise meets all of them. */
static void measure(const struct bench *const *v, double *median, int n)
{
    struct script_rig rigs[2];
    double ns[2][ROUNDS];

    GATE_ASSERT(n <= 2);
    for (int k = 0; k < n; k++)
        begin(&rigs[k], v[k]);
    for (int i = 0; i < ROUNDS; i++)
        for (int k = 0; k < n; k++)
            ns[k][i] = round_ns(&rigs[k], v[k], PER_ROUND);
    for (int k = 0; k < n; k++) {
        qsort(ns[k], ROUNDS, sizeof(ns[k][0]), by_size);
        median[k] = ns[k][ROUNDS / 2];
        script_rig_close(&rigs[k]);
    }
}

static const struct bench *find(const char *name)
{
    for (size_t i = 0; i < GATE_COUNT_OF(benches); i++)
        if (strcmp(name, benches[i].name) == 0)
            return &benches[i];
    return NULL;
}

/* What one takes more than another one, in ns. */
static double compare(const char *name, const char *base)
{
    const struct bench *v[] = {find(name), find(base)};
    double median[2];

    measure(v, median, 2);
    return median[0] - median[1];
}

/* A round without the watchdog's knowledge; it sleeps by then. */
static double unwatched_ns(struct script_rig *r, const struct bench *b)
{
    struct gate_vm *vm = r->seat.vm;
    struct gate_watch *w = vm->watch;
    double ns;

    while (!atomic_load(w->dozing))
        usleep(1000);
    vm->watch = vm->heap.watch = NULL;
    ns = round_ns(r, b, PER_WATCHED);
    vm->watch = vm->heap.watch = w;
    return ns;
}

/* The same VM with the watchdog and without it by turns: two VMs differ by more than it takes,
 * for their compiled code lies elsewhere. As a share of what it takes without. */
static double watchdog_share(const char *name)
{
    const struct bench *b = find(name);
    struct script_rig r;
    double share[ROUNDS];

    begin(&r, b);
    for (int i = 0; i < ROUNDS; i++) {
        double with = round_ns(&r, b, PER_WATCHED);

        share[i] = with / unwatched_ns(&r, b) - 1;
    }
    qsort(share, ROUNDS, sizeof(share[0]), by_size);
    script_rig_close(&r);
    return share[ROUNDS / 2];
}

static void run_all(void)
{
    for (size_t i = 0; i < GATE_COUNT_OF(benches); i++) {
        const struct bench *b = &benches[i];
        double ns;

        measure(&b, &ns, 1);
        printf("%-14s %8.0f ns\n", b->name, ns);
    }
    printf("a hook with five accessors over none: %.0f ns (1000)\n",
           compare("accessors", "exchange"));
    printf("a hook that waits once over one that does not: %.0f ns (1500)\n",
           compare("sleep(0)", "empty hook"));
    printf("the watchdog over none: %+.1f %% (2)\n", watchdog_share("w5") * 100);
}

int main(int argc, char **argv)
{
    const struct bench *b = argc < 3 ? NULL : find(argv[1]);
    struct script_rig r;

    if (argc < 3) {
        run_all();
        return 0;
    }
    if (b == NULL) {
        fprintf(stderr, "there is no bench '%s'\n", argv[1]);
        return 2;
    }
    begin(&r, b);
    round_ns(&r, b, atoi(argv[2]));
    script_rig_close(&r);
    return 0;
}
