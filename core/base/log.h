/* Error log: lines formatted where they happen, handed to a sink that never blocks a loop. */
#ifndef GATE_BASE_LOG_H
#define GATE_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum gate_log_level { GATE_LOG_DEBUG, GATE_LOG_INFO, GATE_LOG_WARN, GATE_LOG_ERROR };

/* A field of a line: key and value; the value is escaped by the formatter. */
struct gate_log_field {
    const char *key;
    struct gate_str value;
    bool literal; /* a number, true or false: stands in JSON as it is */
};

/* Where lines go. `write` must not block. Thread-safe. The one below is for the command line, the
 * supervisor, and an engine that has read no file yet; engines that serve have the buffered one of
 * base/log_writer.h. */
struct gate_log_sink {
    void (*write)(struct gate_log_sink *sink, const char *line, size_t n);
};

/* Owned by the engine (or by main); shared by its threads. */
struct gate_log {
    struct gate_log_sink *sink;
    _Atomic int level;
    bool json;                  /* one JSON object a line; else text for people */
    _Atomic uint64_t lines[4];  /* written, by level */
};

void gate_log_init(struct gate_log *log, struct gate_log_sink *sink, enum gate_log_level level,
                   bool json);

static inline bool gate_log_on(const struct gate_log *log, enum gate_log_level level)
{
    return (int)level >= atomic_load_explicit(&log->level, memory_order_relaxed);
}

/* One line of at most 8 KiB: time, level, message, fields. Bytes below 0x20, 0x7f, above 0x7f,
 * quote and backslash are escaped. Longer: cut, with a mark. */
void gate_log_write(struct gate_log *log, enum gate_log_level level, const char *msg,
                    const struct gate_log_field *fields, size_t n);

/* The same with a printf message and no fields. */
void gate_logf(struct gate_log *log, enum gate_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Escapes into `o`: \xNN for bytes outside 0x20..0x7e, and for quote and backslash. */
void gate_log_escape(struct gate_out *o, struct gate_str s);

/* Escapes as a JSON string body: control bytes and non-ASCII bytes as \u00NN, quote and backslash
 * with a backslash. Both stop where `o` is full, with no escape cut in two. */
void gate_log_escape_json(struct gate_out *o, struct gate_str s);

/* Lines of one kind that come as often as somebody makes them come: so many a second, the others
 * are only counted. Zeroed to begin with; one thread. */
struct gate_log_pace {
    uint64_t since_ms; /* begin of the second */
    uint32_t told;     /* in it */
    uint32_t untold;   /* since the last line */
};

/* Whether the next line may be written. Then *untold says how many were left out before it. */
bool gate_log_pace_allows(struct gate_log_pace *p, uint64_t now_ms, uint32_t per_second,
                          uint32_t *untold);

/* A sink on a descriptor, blocking or not: what it does not take at once of a line is dropped. */
struct gate_log_fd_sink {
    struct gate_log_sink sink;
    int fd;
    size_t most;    /* bytes of one write */
};
void gate_log_fd_sink_init(struct gate_log_fd_sink *s, int fd);

#endif
