/* Micro-benchmark of shared dictionaries: what a get and an incr cost a script, beside the same of a
 * plain Lua table behind a function, in one run; and two workers at once against one.
 *   bench_shared [KEYS]       processor time for each operation, median of nine rounds
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "shared/shared.h"
#include "support/script_rig.h"

#define ROUNDS 9
#define TRIES 3000 /* for ROUNDS that nothing has disturbed */
#define PER_ROUND 100000

/* Operations that a hook runs in a loop, by number: the same loop with the same keys for all. */
static const char lua[] =
    "local gate = require 'moongate'\n"
    "gate.listen { '127.0.0.1:0' }\n"
    "gate.limits { hook_cpu = 600, task_time = 600, vm_memory = '512m' }\n"
    "local N, ROUND = %d, %d\n"
    "local d = gate.shared('bench', { bytes = '64m' })\n"
    "local Plain = {}\n"
    "Plain.__index = Plain\n"
    "function Plain:get(k) return self.t[k] end\n"
    "function Plain:incr(k, by)\n"
    "  local v = self.t[k] + by\n"
    "  self.t[k] = v\n"
    "  return v\n"
    "end\n"
    "local plain = setmetatable({ t = {} }, Plain)\n"
    "local keys = {}\n"
    "for i = 0, N - 1 do\n"
    "  keys[i] = 'client:' .. i\n"
    "  plain.t[keys[i]] = 0\n"
    "  d:add(keys[i], 0)\n"
    "end\n"
    /* Each key once in N, far from the last one; two workers begin at different ones. */
    "local function each(body)\n"
    "  return load('local o, keys, N, n, j = ... local sum = 0 '\n"
    "    .. 'for _ = 1, n do j = j + 7919 if j >= N then j = j %% N end '\n"
    "    .. 'local k = keys[j] ' .. body .. ' end return sum')\n"
    "end\n"
    "local runs = {\n"
    "  { plain, each 'sum = sum + #k' },\n"
    "  { plain, each 'sum = sum + o:get(k)' },\n"
    "  { d, each 'sum = sum + o:get(k)' },\n"
    "  { plain, each 'sum = sum + o:incr(k, 1)' },\n"
    "  { d, each 'sum = sum + o:incr(k, 1)' },\n"
    "}\n"
    "gate.on.request(function(req)\n"
    "  local run = runs[req.client.port]\n"
    "  run[2](run[1], keys, N, ROUND, math.random(N) - 1)\n"
    "end)\n";

enum run { LOOP = 1, PLAIN_GET, GET, PLAIN_INCR, INCR };

struct side {
    struct script_rig rig;
    struct gate_shared *shared;
    enum run run;
    pthread_barrier_t *barrier;
    double ns;      /* processor time of an operation */
    double from, to;    /* wall clock of the round */
};

static int n_keys = 1000;
static char text[4096];

static double round_ns(struct script_rig *r, enum run run, clockid_t clock)
{
    struct gate_exchange *x = script_rig_exchange(r);
    struct timespec from, to;

    x->client_port = (uint16_t)run;
    clock_gettime(clock, &from);
    if (script_rig_call(r, x, GATE_HOOK_REQUEST) != GATE_VERDICT_NEXT)
        fputs(r->lines, stderr);
    clock_gettime(clock, &to);
    script_rig_end(&x);
    return ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) /
           PER_ROUND;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(double *v)
{
    qsort(v, ROUNDS, sizeof(*v), compare);
    return v[ROUNDS / 2];
}

static void open_side(struct side *s, struct gate_shared *shared)
{
    script_rig_begin(&s->rig, text);
    s->rig.shared = shared;
    s->rig.worker.watchdog = NULL;
    GATE_ASSERT(script_rig_load(&s->rig) == GATE_OK);
}

/* All five in turn, round after round, so that what else the machine does meets them alike. */
static void one_worker(struct side *s, double result[INCR + 1])
{
    double v[INCR + 1][ROUNDS];

    for (int run = LOOP; run <= INCR; run++)
        round_ns(&s->rig, run, CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < ROUNDS; i++)
        for (int run = LOOP; run <= INCR; run++)
            v[run][i] = round_ns(&s->rig, run, CLOCK_THREAD_CPUTIME_ID);
    for (int run = LOOP; run <= INCR; run++)
        result[run] = median(v[run]);
}

static double wall_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void *contend(void *arg)
{
    struct side *s = arg;


    pthread_barrier_wait(s->barrier);
    s->from = wall_ns();
    s->ns = round_ns(&s->rig, s->run, CLOCK_THREAD_CPUTIME_ID);
    s->to = wall_ns();
    return NULL;
}

/* One round of n workers at once: processor time of an operation, the slower one's. *share: how
 * much of that time all were at work; with far less than 1 they did not meet. */
static double round_at_once(struct side *sides, unsigned n, enum run run, double *share)
{
    pthread_barrier_t barrier;
    pthread_t threads[2];
    double slowest = 0, begun = 0, ended = 1e300;

    pthread_barrier_init(&barrier, NULL, n);
    for (unsigned k = 0; k < n; k++) {
        sides[k].run = run;
        sides[k].barrier = &barrier;
        pthread_create(&threads[k], NULL, contend, &sides[k]);
    }
    for (unsigned k = 0; k < n; k++) {
        pthread_join(threads[k], NULL);
        slowest = sides[k].ns > slowest ? sides[k].ns : slowest;
        begun = sides[k].from > begun ? sides[k].from : begun;
        ended = sides[k].to < ended ? sides[k].to : ended;
    }
    *share = 2;
    for (unsigned k = 0; k < n; k++) {
        double wall = sides[k].to - sides[k].from;
        double met = (ended - begun) / wall, had = sides[k].ns * PER_ROUND / wall;

        *share = met < *share ? met : *share;
        *share = had < *share ? had : *share;
    }
    pthread_barrier_destroy(&barrier);
    return slowest;
}

/* Median of the rounds in which nothing else took the processors; 0: there were too few. */
static double workers_ns(struct side *sides, unsigned n, enum run run)
{
    double v[ROUNDS], share;
    int good = 0;

    for (int i = 0; i < TRIES && good < ROUNDS; i++) {
        v[good] = round_at_once(sides, n, run, &share);
        good += share > 0.85;
    }
    return good == ROUNDS ? median(v) : 0;
}

static void two_workers(struct side *sides, const char *name, enum run run)
{
    double one = workers_ns(sides, 1, run);
    double two = workers_ns(sides, 2, run);

    if (one == 0 || two == 0)
        printf("%-6s two workers: the machine is too busy to tell\n", name);
    else
        printf("%-6s one worker %6.1f ns, two at once %6.1f ns each: %.2fx of one\n", name, one,
               two, 2 * one / two);
}

int main(int argc, char **argv)
{
    struct gate_shared *shared = gate_shared_new();
    static struct side sides[2];
    double ns[INCR + 1];

    if (argc > 1)
        n_keys = atoi(argv[1]);
    snprintf(text, sizeof(text), lua, n_keys, PER_ROUND);
    open_side(&sides[0], shared);
    open_side(&sides[1], shared);
    one_worker(&sides[0], ns);
    printf("%d keys; the loop alone %.1f ns\n", n_keys, ns[LOOP]);
    printf("get    plain table %6.1f ns, dictionary %6.1f ns: %.2fx\n", ns[PLAIN_GET], ns[GET],
           ns[GET] / ns[PLAIN_GET]);
    printf("incr   plain table %6.1f ns, dictionary %6.1f ns: %.2fx\n", ns[PLAIN_INCR], ns[INCR],
           ns[INCR] / ns[PLAIN_INCR]);
    one_worker(&sides[1], ns);  /* warms it */
    two_workers(sides, "get", GET);
    two_workers(sides, "incr", INCR);
    script_rig_close(&sides[0].rig);
    script_rig_close(&sides[1].rig);
    gate_shared_free(&shared);
    return 0;
}
