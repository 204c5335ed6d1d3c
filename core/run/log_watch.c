/* Logs that cannot be written: said once a minute, where it can be. */
#include <string.h>

#include "run/engine_int.h"

#define TELL_EVERY_MS 60000

/* The other log is the better place; the error log's own trouble goes to stderr. A host has no
 * stderr of ours. */
static struct gate_log *place_for(struct gate_engine *e, const struct gate_log_writer *broken,
                                  struct gate_log *aside)
{
    if (broken != e->error_writer || e->host != NULL)
        return &e->log;
    gate_log_init(aside, &e->first_sink.sink, GATE_LOG_INFO, true);
    return aside;
}

static void look(struct gate_engine *e, struct gate_log_writer *writer, const char *target,
                 struct gate_log_watch *w)
{
    uint64_t now = gate_loop_now(&e->loop), dropped;
    struct gate_log aside, *log;
    int err;

    if (writer == NULL)
        return;
    log = place_for(e, writer, &aside);
    err = gate_log_writer_reopen_error(writer);
    if (err != 0)
        gate_logf(log, GATE_LOG_ERROR,
                  "cannot open log %s anew: %s; lines still go to the old file", target,
                  strerror(err));
    dropped = gate_log_writer_dropped(writer);
    if (dropped == w->dropped || (w->told_ms != 0 && now < w->told_ms + TELL_EVERY_MS))
        return;
    err = gate_log_writer_write_error(writer);
    gate_logf(log, GATE_LOG_ERROR, "cannot write log %s: %s; lost lines: %llu", target,
              err == 0 ? "it is too slow, or nobody reads it" : strerror(err),
              (unsigned long long)(dropped - w->dropped));
    w->dropped = dropped;
    w->told_ms = now;
}

void gate_log_watch(struct gate_engine *e)
{
    look(e, e->access_writer, e->access_target, &e->access_watch);
    look(e, e->error_writer, e->log_target, &e->error_watch);
}
