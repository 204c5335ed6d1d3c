/* Killed: scripts that were stopped, told to the host: from the worker that noticed to control. */
#include "base/mem.h"
#include "run/engine_int.h"

struct killed {
    struct gate_mail mail;
    struct gate_script_kill kill;   /* its texts lie behind it */
    char text[];
};

static void on_killed(struct gate_mail *m, void *engine)
{
    struct killed *k = gate_container_of(m, struct killed, mail);
    struct gate_engine *e = engine;

    e->host->killed(e->host, &k->kill);
    gate_free(k);
}

static struct gate_str put(char **at, struct gate_str s)
{
    struct gate_str copy = gate_str_of(*at, s.n);

    if (s.n > 0)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return copy;
}

void gate_host_killed(struct gate_worker *worker, const struct gate_script_kill *kill)
{
    struct gate_run_worker *w = gate_container_of(worker, struct gate_run_worker, base);
    size_t n = kill->policy.n + kill->hook.n + kill->route.n + kill->request.n + kill->place.n +
               kill->message.n;
    struct killed *k = gate_alloc(sizeof(*k) + n);
    char *at = k->text;

    k->mail.deliver = on_killed;
    k->kill.policy = put(&at, kill->policy);
    k->kill.hook = put(&at, kill->hook);
    k->kill.route = put(&at, kill->route);
    k->kill.request = put(&at, kill->request);
    k->kill.place = put(&at, kill->place);
    k->kill.message = put(&at, kill->message);
    gate_mailbox_post(&w->engine->mail, &k->mail);
}
