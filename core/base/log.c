#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"

/* A line with its newline. The end is kept free for the cut mark, quote, brace and newline. */
#define LINE_MAX_BYTES 8192u
#define LINE_END_BYTES 16u

static const char *const level_names[] = { "debug", "info", "warn", "error" };

/* Puts what fits of a run of plain bytes, so that a cut comes at the limit and not long before. */
static void put_run(struct gate_out *o, const char *p, size_t n)
{
    size_t room = o->cap - o->n;

    gate_out_put(o, p, n < room ? n : room);
    if (n > room)
        o->full = true;
}

static inline bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* The run of plain bytes at the front of s goes out as it is. Answers the next byte, or -1. */
static int put_plain(struct gate_out *o, struct gate_str *s)
{
    size_t n = 0;
    int c = -1;

    while (n < s->n && is_plain((unsigned char)s->p[n]))
        n++;
    if (n > 0)
        put_run(o, s->p, n);
    if (n < s->n)
        c = (unsigned char)s->p[n++];
    s->p += n;
    s->n -= n;
    return o->full ? -1 : c;
}

static const char hex_digits[] = "0123456789abcdef";

void gate_log_escape(struct gate_out *o, struct gate_str s)
{
    int c;

    while (s.n > 0 && (c = put_plain(o, &s)) >= 0) {
        char text[4] = { '\\', 'x', hex_digits[c >> 4], hex_digits[c & 15] };

        gate_out_put(o, text, sizeof(text));
        if (o->full)
            return;
    }
}

void gate_log_escape_json(struct gate_out *o, struct gate_str s)
{
    int c;

    while (s.n > 0 && (c = put_plain(o, &s)) >= 0) {
        if (c == '"' || c == '\\') {
            char text[2] = { '\\', (char)c };

            gate_out_put(o, text, sizeof(text));
        } else {
            char text[6] = { '\\', 'u', '0', '0', hex_digits[c >> 4], hex_digits[c & 15] };

            gate_out_put(o, text, sizeof(text));
        }
        if (o->full)
            return;
    }
}

static void put_digits(struct gate_out *o, unsigned v, unsigned width)
{
    char digits[8];

    for (unsigned i = width; i-- > 0; v /= 10)
        digits[i] = (char)('0' + v % 10);
    gate_out_put(o, digits, width);
}

/* RFC 3339 with milliseconds, in UTC: the wall clock of the system, not of the tests. */
static void put_time(struct gate_out *o)
{
    struct timespec now;
    struct tm tm;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    put_digits(o, (unsigned)tm.tm_year + 1900, 4);
    gate_out_char(o, '-');
    put_digits(o, (unsigned)tm.tm_mon + 1, 2);
    gate_out_char(o, '-');
    put_digits(o, (unsigned)tm.tm_mday, 2);
    gate_out_char(o, 'T');
    put_digits(o, (unsigned)tm.tm_hour, 2);
    gate_out_char(o, ':');
    put_digits(o, (unsigned)tm.tm_min, 2);
    gate_out_char(o, ':');
    put_digits(o, (unsigned)tm.tm_sec, 2);
    gate_out_char(o, '.');
    put_digits(o, (unsigned)(now.tv_nsec / 1000000), 3);
    gate_out_char(o, 'Z');
}

/* A value that would be read as more than one word, or as another field, stands in quotes. */
static bool needs_quotes(struct gate_str v)
{
    return v.n == 0 || memchr(v.p, ' ', v.n) != NULL || memchr(v.p, '=', v.n) != NULL;
}

static void text_line(struct gate_out *o, enum gate_log_level level, const char *msg,
                      const struct gate_log_field *fields, size_t n)
{
    put_time(o);
    gate_out_char(o, ' ');
    gate_out_str(o, gate_str_from_cstr(level_names[level]));
    gate_out_char(o, ' ');
    gate_log_escape(o, gate_str_from_cstr(msg));
    for (size_t i = 0; i < n && !o->full; i++) {
        bool quotes = needs_quotes(fields[i].value);

        gate_out_char(o, ' ');
        gate_log_escape(o, gate_str_from_cstr(fields[i].key));
        if (!o->full)
            gate_out_put(o, "=\"", quotes ? 2 : 1);
        if (!o->full)
            gate_log_escape(o, fields[i].value);
        if (!o->full && quotes)
            gate_out_char(o, '"');
    }
    o->cap = LINE_MAX_BYTES;
    if (o->full)
        GATE_OUT_LIT(o, "...cut");
    GATE_OUT_LIT(o, "\n");
}

/* ,"key":"value" with the closing quote, or ,"key":literal. A key or a literal that does not fit is
 * taken back to *open, the end of the text before it without its quote: then that carries the mark.
 */
static void json_field(struct gate_out *o, const struct gate_log_field *f, size_t *open)
{
    GATE_OUT_LIT(o, ",\"");
    gate_log_escape_json(o, gate_str_from_cstr(f->key));
    if (!o->full)
        GATE_OUT_LIT(o, "\":");
    if (!o->full && f->literal)
        gate_out_str(o, f->value);
    else if (!o->full)
        gate_out_char(o, '"');
    if (o->full)
        o->n = *open;
    if (o->full || f->literal)
        return;
    gate_log_escape_json(o, f->value);
    *open = o->n;
    if (!o->full)
        gate_out_char(o, '"');
}

static void json_line(struct gate_out *o, enum gate_log_level level, const char *msg,
                      const struct gate_log_field *fields, size_t n)
{
    const struct gate_log_field own[] = {
        {.key = "level", .value = gate_str_from_cstr(level_names[level])},
        {.key = "msg", .value = gate_str_from_cstr(msg)},
    };
    size_t open = 0;

    GATE_OUT_LIT(o, "{\"time\":\"");
    put_time(o);
    GATE_OUT_LIT(o, "\"");
    for (size_t i = 0; i < GATE_COUNT_OF(own); i++)
        json_field(o, &own[i], &open);
    for (size_t i = 0; i < n && !o->full; i++)
        json_field(o, &fields[i], &open);
    o->cap = LINE_MAX_BYTES;
    /* Full means: inside a string, whose quote is still open. */
    if (o->full)
        GATE_OUT_LIT(o, "...cut\"");
    GATE_OUT_LIT(o, "}\n");
}

void gate_log_init(struct gate_log *log, struct gate_log_sink *sink, enum gate_log_level level,
                   bool json)
{
    log->sink = sink;
    log->json = json;
    atomic_init(&log->level, (int)level);
    for (size_t i = 0; i < GATE_COUNT_OF(log->lines); i++)
        atomic_init(&log->lines[i], 0);
}

void gate_log_write(struct gate_log *log, enum gate_log_level level, const char *msg,
                    const struct gate_log_field *fields, size_t n)
{
    char line[LINE_MAX_BYTES];
    struct gate_out o = gate_out_on(line, sizeof(line) - LINE_END_BYTES);
    int saved = errno;

    GATE_ASSERT((unsigned)level < GATE_COUNT_OF(level_names));
    if (!gate_log_on(log, level))
        return;
    if (log->json)
        json_line(&o, level, msg, fields, n);
    else
        text_line(&o, level, msg, fields, n);
    atomic_fetch_add_explicit(&log->lines[level], 1, memory_order_relaxed);
    log->sink->write(log->sink, line, o.n);
    errno = saved;
}

void gate_logf(struct gate_log *log, enum gate_log_level level, const char *fmt, ...)
{
    /* As long as a line: a longer message is cut by the line, with its mark. */
    char msg[LINE_MAX_BYTES];
    va_list args;
    int saved = errno;

    if (!gate_log_on(log, level))
        return;
    va_start(args, fmt);
    if (vsnprintf(msg, sizeof(msg), fmt, args) < 0)
        msg[0] = '\0';
    va_end(args);
    errno = saved;
    gate_log_write(log, level, msg, NULL, 0);
}

bool gate_log_pace_allows(struct gate_log_pace *p, uint64_t now_ms, uint32_t per_second,
                          uint32_t *untold)
{
    if (p->told == 0 || now_ms >= p->since_ms + 1000) {
        p->since_ms = now_ms;
        p->told = 0;
    }
    if (p->told == per_second) {
        p->untold++;
        return false;
    }
    p->told++;
    *untold = p->untold;
    p->untold = 0;
    return true;
}



static void fd_write(struct gate_log_sink *sink, const char *line, size_t n)
{
    struct gate_log_fd_sink *s = (struct gate_log_fd_sink *)sink;
    struct pollfd ready = { .fd = s->fd, .events = POLLOUT };

    /* The descriptor may be blocking, and shared with other programs, so that its flags are not
     * ours to change: ask first, and drop the rest when nobody reads. */
    while (n > 0 && poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) != 0) {
        ssize_t put = write(s->fd, line, n < s->most ? n : s->most);

        if (put <= 0)
            return;
        line += put;
        n -= (size_t)put;
    }
}

/* A pipe is ready when it has room for PIPE_BUF bytes; a write of more would wait for a reader. */
static size_t most_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) ? PIPE_BUF : SIZE_MAX;
}

void gate_log_fd_sink_init(struct gate_log_fd_sink *s, int fd)
{
    s->sink.write = fd_write;
    s->fd = fd;
    s->most = most_of(fd);
}
