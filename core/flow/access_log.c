#include "flow/access_log.h"

#include <time.h>

#include "base/log_writer.h"
#include "http/date.h"

#define FLUSH_AFTER_MS 1000

/* Fields of a line come from strangers: each is escaped, then cut, so that a line stays whole and
 * below GATE_LOG_LINE_MAX whatever they are. Escaped bytes. */
enum { MAX_SHORT = 64, MAX_NAME = 256, MAX_TEXT = 1024, MAX_TARGET = 3072 };

struct gate_access_log {
    struct gate_worker *worker;
    struct gate_log_writer *writer;
    struct gate_log_buffer *buffer; /* NULL between flushes */
    struct gate_timer timer;
    bool json;
    int64_t date_s; /* the second that `date` shows */
    uint8_t date_len;
    char date[GATE_DATE_LOG_LEN];
};

static void on_timer(struct gate_timer *t)
{
    gate_access_log_flush(gate_container_of(t, struct gate_access_log, timer));
}

struct gate_access_log *gate_access_log_new(struct gate_worker *w, struct gate_log_writer *writer,
                                            bool json)
{
    struct gate_access_log *log = gate_calloc(1, sizeof(*log));

    log->worker = w;
    log->writer = writer;
    log->json = json;
    log->date_s = INT64_MIN;
    gate_timer_init(&log->timer, on_timer);
    return log;
}

void gate_access_log_free(struct gate_access_log **log)
{
    struct gate_access_log *l = *log;

    *log = NULL;
    if (l == NULL)
        return;
    gate_access_log_flush(l);
    gate_free(l);
}

void gate_access_log_flush(struct gate_access_log *log)
{
    gate_loop_untimer(&log->worker->loop, &log->timer);
    if (log->buffer == NULL)
        return;
    gate_log_writer_put(log->writer, log->buffer);
    log->buffer = NULL;
}

static struct gate_str date_of(struct gate_access_log *log, int64_t s)
{
    time_t t = (time_t)s;
    struct tm tm;

    if (log->date_s != s && log->json) {
        gmtime_r(&t, &tm);
        log->date_len = (uint8_t)strftime(log->date, sizeof(log->date), "%Y-%m-%dT%H:%M:%SZ", &tm);
    } else if (log->date_s != s) {
        gate_date_log(s, log->date);
        log->date_len = GATE_DATE_LOG_LEN;
    }
    log->date_s = s;
    return gate_str_of(log->date, log->date_len);
}

static bool is_plain(char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* At most `max` bytes of the escaped value; a cut one ends with "...". */
static void put_escaped(struct gate_out *o, struct gate_str s, size_t max, bool json)
{
    size_t end = o->n + max - 3;
    size_t i = 0;

    while (i < s.n) {
        size_t run = i;
        char one[8];
        struct gate_out esc = gate_out_on(one, sizeof(one));

        while (run < s.n && is_plain(s.p[run]) && o->n + (run - i) < end)
            run++;
        gate_out_put(o, s.p + i, run - i);
        i = run;
        if (i == s.n)
            return;
        if (json)
            gate_log_escape_json(&esc, gate_str_of(s.p + i, 1));
        else
            gate_log_escape(&esc, gate_str_of(s.p + i, 1));
        if (o->n + esc.n > end)
            break;
        gate_out_str(o, gate_out_view(&esc));
        i++;
    }
    if (i < s.n)
        GATE_OUT_LIT(o, "...");
}

static void put_or_dash(struct gate_out *o, struct gate_str s, size_t max)
{
    if (s.n == 0)
        gate_out_char(o, '-');
    else
        put_escaped(o, s, max, false);
}

/* ip - - [date] "GET /a HTTP/1.1" 200 12 "referer" "agent" */
static void put_combined(struct gate_access_log *log, struct gate_out *o,
                         const struct gate_access_record *r)
{
    put_or_dash(o, r->ip, MAX_NAME);
    GATE_OUT_LIT(o, " - - [");
    gate_out_str(o, date_of(log, r->wall_s));
    GATE_OUT_LIT(o, "] \"");
    if (r->method.n > 0) {
        put_escaped(o, r->method, MAX_SHORT, false);
        gate_out_char(o, ' ');
        put_escaped(o, r->target, MAX_TARGET, false);
        GATE_OUT_LIT(o, " HTTP/");
        gate_out_str(o, r->version);
    } else {
        gate_out_char(o, '-');
    }
    GATE_OUT_LIT(o, "\" ");
    gate_out_u64(o, (uint64_t)r->status);
    gate_out_char(o, ' ');
    gate_out_u64(o, r->bytes_out);
    GATE_OUT_LIT(o, " \"");
    put_or_dash(o, r->referer, MAX_TEXT);
    GATE_OUT_LIT(o, "\" \"");
    put_or_dash(o, r->user_agent, MAX_TEXT);
    GATE_OUT_LIT(o, "\"\n");
}

static void put_text(struct gate_out *o, const char *key, struct gate_str s, size_t max)
{
    if (s.n == 0)
        return;
    gate_out_fmt(o, ",\"%s\":\"", key);
    put_escaped(o, s, max, true);
    gate_out_char(o, '"');
}

static void put_number(struct gate_out *o, const char *key, uint64_t v)
{
    gate_out_fmt(o, ",\"%s\":%llu", key, (unsigned long long)v);
}

/* Microseconds as seconds; zero is left out: it did not happen. */
static void put_seconds(struct gate_out *o, const char *key, uint64_t us)
{
    if (us > 0)
        gate_out_fmt(o, ",\"%s\":%llu.%06u", key, (unsigned long long)(us / 1000000),
                     (unsigned)(us % 1000000));
}

static void put_json(struct gate_access_log *log, struct gate_out *o,
                     const struct gate_access_record *r)
{
    GATE_OUT_LIT(o, "{\"time\":\"");
    gate_out_str(o, date_of(log, r->wall_s));
    gate_out_char(o, '"');
    put_text(o, "id", r->id, MAX_SHORT);
    put_text(o, "ip", r->ip, MAX_NAME);
    put_text(o, "method", r->method, MAX_SHORT);
    put_text(o, "host", r->host, MAX_NAME);
    put_text(o, "target", r->target, MAX_TARGET);
    put_text(o, "version", r->version, MAX_SHORT);
    put_number(o, "status", (uint64_t)r->status);
    put_text(o, "grpc_status", r->grpc_status, MAX_SHORT);
    put_number(o, "bytes_in", r->bytes_in);
    put_number(o, "bytes_out", r->bytes_out);
    put_text(o, "referer", r->referer, MAX_TEXT);
    put_text(o, "user_agent", r->user_agent, MAX_TEXT);
    put_text(o, "route", r->route, MAX_NAME);
    put_text(o, "upstream", r->upstream, MAX_NAME);
    put_text(o, "peer", r->peer, MAX_NAME);
    if (r->tries > 0)
        put_number(o, "tries", r->tries);
    put_text(o, "fault", r->fault, MAX_SHORT);
    put_text(o, "why", r->why, MAX_NAME);
    put_seconds(o, "total", r->total_us);
    put_seconds(o, "connect", r->connect_us);
    put_seconds(o, "first_byte", r->first_byte_us);
    put_seconds(o, "script", r->script_us);
    if (r->close != GATE_CLOSE_NONE)
        put_text(o, "close", gate_str_from_cstr(gate_close_reason_name(r->close)), MAX_SHORT);
    GATE_OUT_LIT(o, "}\n");
}

void gate_access_log_write(struct gate_access_log *log, const struct gate_access_record *r)
{
    struct gate_log_buffer *b = log->buffer;
    struct gate_out o;

    if (b == NULL) {
        b = log->buffer = gate_log_writer_take(log->writer);
        if (b == NULL) {
            gate_log_writer_drop(log->writer, 1);
            return;
        }
        gate_loop_timer(&log->worker->loop, &log->timer, FLUSH_AFTER_MS);
    }
    o = gate_out_on(b->data + b->n, GATE_LOG_LINE_MAX);
    if (log->json)
        put_json(log, &o, r);
    else
        put_combined(log, &o, r);
    b->n += o.n;
    b->lines++;
    if (b->n >= GATE_LOG_BUFFER_FULL)
        gate_access_log_flush(log);
}
