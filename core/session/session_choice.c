/* The certificate hook: a script chooses what a handshake goes on with. The script runs here; its
 * files and PEM text are read on the pool of threads for work that blocks. */
#include "base/mem.h"
#include "net/offload.h"
#include "session/session_int.h"

struct gate_session_choice {
    struct gate_session *session; /* NULL: it has gone while the pool worked */
    struct gate_hook_hello hello;
    char *wants;                  /* what hello.wants views */
    bool submitted;
    /* For the pool. */
    struct gate_work work;
    struct gate_tls_server *server; /* a reference */
    struct gate_tls_pair *pair;
    char why[300]; /* there is none */
};

static void choice_free(struct gate_session_choice *c)
{
    gate_tls_pair_free(&c->pair);
    gate_tls_server_unref(&c->server);
    gate_free((char *)c->hello.cert.p);
    gate_free((char *)c->hello.key.p);
    gate_free(c->wants);
    gate_free(c);
}

/* The handshake has its answer. */
static void answer(struct gate_session_choice *c, bool good)
{
    struct gate_session *s = c->session;

    s->choice = NULL;
    gate_tls_answer(gate_tls_of(&s->conn), &c->pair, good);
    choice_free(c);
    gate_conn_reading(&s->conn, true);
    gate_session_tls_go_on(s);
}

static void read_pair(struct gate_work *work)
{
    struct gate_session_choice *c = gate_container_of(work, struct gate_session_choice, work);

    if (gate_tls_pair_new(c->server, c->hello.cert, c->hello.key, &c->pair, c->why,
                          sizeof(c->why)) == GATE_OK)
        c->why[0] = '\0';
}

static void on_read(struct gate_work *work, void *worker)
{
    struct gate_session_choice *c = gate_container_of(work, struct gate_session_choice, work);

    ((struct gate_worker *)worker)->offloaded--;
    if (c->session == NULL) {
        choice_free(c);
        return;
    }
    if (c->pair == NULL)
        gate_logf(c->session->worker->log, GATE_LOG_ERROR,
                  "what the certificate hook chose cannot be used: %s", c->why);
    answer(c, c->pair != NULL || c->hello.open);
}

static void on_verdict(void *arg, const struct gate_hook_verdict *v)
{
    struct gate_session_choice *c = arg;
    struct gate_worker *w = c->session->worker;

    c->session->hook = NULL;
    gate_seat_unref(&c->session->hook_seat);
    if (v->kind != GATE_VERDICT_CERTIFICATE) {
        answer(c, v->kind == GATE_VERDICT_NEXT);
        return;
    }
    c->server = gate_tls_server_ref(c->session->listener->tls);
    c->work.reply = &w->mail;
    c->work.run = read_pair;
    c->work.done = on_read;
    c->submitted = true;
    w->offloaded++;
    gate_offload_submit(w->offload, &c->work);
}

void gate_session_choose(struct gate_session *s)
{
    const struct gate_tls *tls = gate_tls_of(&s->conn);
    struct gate_str sni = gate_tls_asked(tls);
    struct gate_str offer = gate_tls_offer(tls);
    struct gate_session_choice *c = gate_calloc(1, sizeof(*c));
    struct gate_hook_verdict v = {.kind = GATE_VERDICT_NEXT};
    struct gate_out o;

    gate_conn_reading(&s->conn, false);
    s->choice = c;
    c->session = s;
    c->wants = gate_alloc(sni.n + offer.n + 1);
    o = gate_out_on(c->wants, sni.n + offer.n + 1);
    gate_out_str(&o, sni);
    gate_out_char(&o, '\n');
    gate_out_str(&o, offer);
    /* The rest of the time is for the rest of the handshake. */
    c->hello.until_ms = s->deadline.at_ms - gate_session_limits(s)->handshake_timeout_ms / 4;
    c->hello.ip = gate_str_of(s->ip, s->ip_len);
    c->hello.wants = gate_out_view(&o);
    s->hook_seat = gate_seat_ref(s->worker->seat);
    if (gate_flow_certificate(s->worker, &c->hello, on_verdict, c, &s->hook, &v) != GATE_VM_YIELD)
        on_verdict(c, &v);
}

void gate_session_choice_drop(struct gate_session *s)
{
    struct gate_session_choice *c = s->choice;

    s->choice = NULL;
    c->session = NULL;
    if (!c->submitted)
        choice_free(c);
}
