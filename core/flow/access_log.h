/* Access log: records to lines (combined or JSON), gathered per worker and written by a thread of
 * its own; lines are dropped and counted when the sink is stuck. struct gate_access_log is one
 * worker's; struct gate_log_writer is shared by all (its own lock, held for queue links only). */
#ifndef GATE_FLOW_ACCESS_LOG_H
#define GATE_FLOW_ACCESS_LOG_H

#include "exchange/record.h"
#include "exchange/worker.h"

struct gate_log_writer; /* base/log_writer.h */

/* A worker's buffer in front of the writer. Lines wait at most 1 s, or until 32 KiB are there. */
struct gate_access_log *gate_access_log_new(struct gate_worker *w, struct gate_log_writer *writer,
                                            bool json);
void gate_access_log_free(struct gate_access_log **log);

/* Formats and buffers; never blocks, no allocation once warm. What comes from
 * clients is escaped; at most 8 KiB a line. */
void gate_access_log_write(struct gate_access_log *log, const struct gate_access_record *r);

/* Hands over what is buffered now (drain, tests). */
void gate_access_log_flush(struct gate_access_log *log);

#endif
