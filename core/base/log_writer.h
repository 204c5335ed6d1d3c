/* Log writer: a thread that writes lines to one target, so that no loop waits for a file or a pipe.
 * Thread-safe: its queue has its own lock, held for links (and to copy an error line) only.
 * Bounded: when the target is stuck, takers get nothing, and what they drop is counted. */
#ifndef GATE_BASE_LOG_WRITER_H
#define GATE_BASE_LOG_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"

struct gate_log_writer;

/* Whole lines, each with its newline. Room beyond GATE_LOG_BUFFER_FULL takes the longest line. */
#define GATE_LOG_LINE_MAX (8u * 1024)
#define GATE_LOG_BUFFER_FULL (32u * 1024)

struct gate_log_buffer {
    struct gate_log_buffer *next;   /* the writer's */
    size_t n;
    uint32_t lines;
    char data[GATE_LOG_BUFFER_FULL + GATE_LOG_LINE_MAX];
};

/* Takes what would go to "stdout" or "stderr": whole lines, on the writer's thread. */
struct gate_log_taker {
    void (*take)(void *arg, const char *lines, size_t n);
    void *arg;
};

/* `target`: "stdout", "stderr" or a path that is appended to (made with mode 0640). `taker`: in
 * place of the first two, copied; NULL: none. At most `buffers` are filled or waiting. GATE_E_SYS:
 * errno says why it cannot be opened. */
enum gate_err gate_log_writer_open(const char *target, const struct gate_log_taker *taker,
                                   uint32_t buffers, struct gate_log_writer **out);

/* Writes what is queued, for at most a second when the target is stuck, and ends the thread.
 * Nobody else may use it any more. */
void gate_log_writer_close(struct gate_log_writer **writer);

/* An empty buffer; NULL: all are in use because the target is stuck. Any thread. */
struct gate_log_buffer *gate_log_writer_take(struct gate_log_writer *writer);

/* Gives a buffer back, to be written when it holds anything. Any thread; order is kept per
 * thread. */
void gate_log_writer_put(struct gate_log_writer *writer, struct gate_log_buffer *buffer);

/* Counts lines that had to be dropped for want of a buffer. */
void gate_log_writer_drop(struct gate_log_writer *writer, uint64_t lines);

/* Lines dropped so far, here and by takers. Any thread. */
uint64_t gate_log_writer_dropped(const struct gate_log_writer *writer);

/* errno of the last write that failed, and of the last reopening; 0: none has since the last call.
 * Any thread. */
int gate_log_writer_write_error(struct gate_log_writer *writer);
int gate_log_writer_reopen_error(struct gate_log_writer *writer);

/* After what is queued now, closes the file and opens it anew by its path (log rotation). When that
 * fails the old one stays. */
void gate_log_writer_reopen(struct gate_log_writer *writer);

/* The same with another target. It is opened at once: GATE_E_SYS and errno when it cannot be; then
 * nothing changes. */
enum gate_err gate_log_writer_retarget(struct gate_log_writer *writer, const char *target);

/* A sink for the error log: copies the line into a buffer, or drops and counts it. Lives as long as
 * the writer. */
struct gate_log_sink *gate_log_writer_sink(struct gate_log_writer *writer);

#endif
