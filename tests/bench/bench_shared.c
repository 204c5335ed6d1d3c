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
#define PER_ROUND 1000000

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
    /* Each key once in N, far from the last one. */
    "local function each(body)\n"
    "  return load('local o, keys, N, n = ... local sum, j = 0, 0 '\n"
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
    "  run[2](run[1], keys, N, ROUND)\n"
    "end)\n";

enum run { LOOP = 1, PLAIN_GET, GET, PLAIN_INCR, INCR };

struct side {
    struct script_rig rig;
    struct gate_shared *shared;
    enum run run;
    pthread_barrier_t *barrier;
    double ns;
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

static void *contend(void *arg)
{
    struct side *s = arg;

    round_ns(&s->rig, s->run, CLOCK_MONOTONIC);
    pthread_barrier_wait(s->barrier);
    s->ns = round_ns(&s->rig, s->run, CLOCK_MONOTONIC);
    return NULL;
}

/* Wall time of a round for each operation with this many workers at once. */
static double workers_ns(struct side *sides, unsigned n, enum run run)
{
    pthread_barrier_t barrier;
    pthread_t threads[2];
    double v[ROUNDS];

    pthread_barrier_init(&barrier, NULL, n);
    for (int i = 0; i < ROUNDS; i++) {
        for (unsigned k = 0; k < n; k++) {
            sides[k].run = run;
            sides[k].barrier = &barrier;
            pthread_create(&threads[k], NULL, contend, &sides[k]);
        }
        v[i] = 0;
        for (unsigned k = 0; k < n; k++) {
            pthread_join(threads[k], NULL);
            v[i] = sides[k].ns > v[i] ? sides[k].ns : v[i];
        }
    }
    pthread_barrier_destroy(&barrier);
    return median(v);
}

static void two_workers(struct side *sides, const char *name, enum run run)
{
    double one = workers_ns(sides, 1, run);
    double two = workers_ns(sides, 2, run);

    printf("%-6s one worker %6.1f ns, two at once %6.1f ns each: %.2fx of one\n", name, one, two,
           2 * one / two);
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
    two_workers(sides, "get", GET);
    two_workers(sides, "incr", INCR);
    script_rig_close(&sides[0].rig);
    script_rig_close(&sides[1].rig);
    gate_shared_free(&shared);
    return 0;
}
