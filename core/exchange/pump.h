/* Pumps: move a body in one direction, from a stream to a stream, with credits and filters. At most
 * one chunk is inside a filter. One thread; embedded in the exchange. */
#ifndef GATE_EXCHANGE_PUMP_H
#define GATE_EXCHANGE_PUMP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/block.h"
#include "http/stream.h"
#include "net/loop.h"

struct gate_pump;
struct gate_filter;

enum gate_filter_result {
    GATE_FILTER_DONE, /* out holds what replaces the chunk (may be empty) */
    GATE_FILTER_MORE, /* out holds a part of it: ask again, with nothing, when there is room */
    GATE_FILTER_WAIT, /* the filter holds the chunk and calls gate_pump_filtered later */
    GATE_FILTER_FAIL  /* the pump breaks (on_broken) */
};

/* A filter of a pump: async, one chunk at a time, `last` exactly once (again with each call after
 * MORE). Takes all of `in`. Linked in order by its owner, which outlives the pump. */
struct gate_filter {
    struct gate_filter *next;
    enum gate_filter_result (*chunk)(struct gate_filter *f, struct gate_chain *in, bool last,
                                     struct gate_chain *out);
    /* The pump ends while the filter holds a chunk. */
    void (*drop)(struct gate_filter *f);
    /* The pump's. */
    bool more; /* has more of what it was given */
    bool last; /* was given the last chunk */
};

enum gate_pump_end {
    GATE_PUMP_COMPLETE, /* all was sent, end of message included */
    GATE_PUMP_SOURCE,   /* the source broke */
    GATE_PUMP_SINK,     /* the destination broke */
    GATE_PUMP_FILTER,   /* a filter failed */
    GATE_PUMP_LIMIT     /* more than max bytes came */
};

struct gate_pump {
    struct gate_loop *loop;
    struct gate_stream *src; /* NULL: detached */
    struct gate_stream *dst; /* NULL: not started: bytes wait in `in` */
    struct gate_chain in;    /* arrived, not filtered */
    struct gate_chain out;   /* filtered, while there is no sink; or what is sent again */
    struct gate_filter *filters;
    struct gate_filter *holder; /* the filter that holds a chunk */
    struct gate_chain replay;   /* copy by reference of what came, while `keep`; filtered, where
                                 * there are filters: a body passes them once */
    size_t keep;                /* replay limit; 0: not kept */
    bool kept_all;              /* replay holds everything so far */
    bool src_ended;
    bool last_given; /* to the first filter */
    bool out_last;   /* the end of the message follows `out` */
    bool dst_ended;  /* `last` was sent */
    bool done;
    const struct gate_fields *trailers; /* to send at the end */
    struct gate_block *trailer_block;
    uint64_t max;   /* limit of bytes from src; UINT64_MAX: none */
    uint64_t got;   /* bytes from src */
    uint64_t sent;  /* bytes handed to dst */
    size_t granted; /* of src, not yet arrived */
    size_t
        window; /* grows from GATE_PUMP_WINDOW to GATE_PUMP_WINDOW_MAX when reads come back full */
    uint64_t moved_ms; /* last progress */
    void (*on_end)(struct gate_pump *p, enum gate_pump_end how);
    void *user;
};

#define GATE_PUMP_WINDOW     (64u * 1024)
#define GATE_PUMP_WINDOW_MAX (1024u * 1024)

void gate_pump_init(struct gate_pump *p, struct gate_loop *loop,
                    void (*on_end)(struct gate_pump *, enum gate_pump_end), void *user);

/* Drops all that it holds; no event follows. */
void gate_pump_fini(struct gate_pump *p);

/* The two ends. Before `dst` is set, bytes gather in `in` up to what was granted. */
void gate_pump_from(struct gate_pump *p, struct gate_stream *src);
void gate_pump_to(struct gate_pump *p, struct gate_stream *dst);

/* Puts a list of filters in; before there is a sink. */
void gate_pump_filter(struct gate_pump *p, struct gate_filter *first);

/* Called by the owners of the streams' events. */
void gate_pump_got(struct gate_pump *p, struct gate_chain *chunk);
void gate_pump_src_end(struct gate_pump *p);
void gate_pump_src_broken(struct gate_pump *p);
void gate_pump_dst_broken(struct gate_pump *p);
void gate_pump_room(struct gate_pump *p);

/* A filter that waited has its result. */
void gate_pump_filtered(struct gate_pump *p, struct gate_filter *f, enum gate_filter_result r,
                        struct gate_chain *out);

/* Allows the source enough that `max` bytes can gather in `in` before there is a sink (read_body).
 */
void gate_pump_gather(struct gate_pump *p, size_t max);

/* Starts again at the first byte from the replay list, for another attempt. False: not everything
 * was kept. */
bool gate_pump_rewind(struct gate_pump *p);

/* Whatever came and comes from the source, `bytes` are what is to be sent, for an attempt that has
 * not begun. They pass the filters, but not when something has passed them before: a body does so
 * once. False: no memory. */
bool gate_pump_replace(struct gate_pump *p, struct gate_str bytes);

#endif
