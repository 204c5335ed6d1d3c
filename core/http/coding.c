/* zlib and brotli behind one interface. Both write into a block at a time; what a block holds goes
 * out as a slice of it. */
#include "http/coding.h"

#include <brotli/decode.h>
#include <zlib.h>

#include "base/assert.h"

struct gate_decoder {
    enum gate_coding coding;
    bool began;
    bool done;
    bool pending;
    bool raw; /* deflate without zlib's header */
    uint64_t taken;
    uint64_t given;
    z_stream z;
    BrotliDecoderState *brotli;
};

/* One step's view of the input and of the room for output. */
struct step {
    const char *in;
    size_t in_n;
    char *out;
    size_t out_n;
};

enum gate_coding gate_coding_of(struct gate_str value)
{
    enum gate_coding found = GATE_CODING_IDENTITY;
    struct gate_str item;

    while (gate_str_next_item(&value, &item)) {
        if (gate_str_ieq(item, GATE_STR("identity")))
            continue;
        if (found != GATE_CODING_IDENTITY)
            return GATE_CODING_UNKNOWN;
        if (gate_str_ieq(item, GATE_STR("gzip")) || gate_str_ieq(item, GATE_STR("x-gzip")))
            found = GATE_CODING_GZIP;
        else if (gate_str_ieq(item, GATE_STR("deflate")))
            found = GATE_CODING_DEFLATE;
        else if (gate_str_ieq(item, GATE_STR("br")))
            found = GATE_CODING_BROTLI;
        else
            return GATE_CODING_UNKNOWN;
    }
    return found;
}

/* Window bits: 15, and zlib's marks for a gzip header or for none. */
static int window_of(const struct gate_decoder *d)
{
    if (d->coding == GATE_CODING_GZIP)
        return 15 + 16;
    return d->raw ? -15 : 15;
}

struct gate_decoder *gate_decoder_new(enum gate_coding coding)
{
    struct gate_decoder *d = gate_calloc(1, sizeof(*d));

    GATE_ASSERT(coding > GATE_CODING_IDENTITY && coding < GATE_CODING_UNKNOWN);
    d->coding = coding;
    if (coding == GATE_CODING_BROTLI)
        d->brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    if (coding == GATE_CODING_BROTLI ? d->brotli != NULL
                                     : inflateInit2(&d->z, window_of(d)) == Z_OK)
        return d;
    gate_free(d);
    return NULL;
}

void gate_decoder_free(struct gate_decoder **d)
{
    struct gate_decoder *x = *d;

    *d = NULL;
    if (x == NULL)
        return;
    if (x->brotli != NULL)
        BrotliDecoderDestroyInstance(x->brotli);
    else
        inflateEnd(&x->z);
    gate_free(x);
}

static enum gate_err step_brotli(struct gate_decoder *d, struct step *s)
{
    const uint8_t *in = (const uint8_t *)s->in;
    uint8_t *out = (uint8_t *)s->out;
    BrotliDecoderResult r =
        BrotliDecoderDecompressStream(d->brotli, &s->in_n, &in, &s->out_n, &out, NULL);

    s->in = (const char *)in;
    s->out = (char *)out;
    d->pending = r == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
    d->done = r == BROTLI_DECODER_RESULT_SUCCESS;
    return r == BROTLI_DECODER_RESULT_ERROR ? GATE_E_SYNTAX : GATE_OK;
}

/* RFC 9110 section 8.4.1.2 notes that some send deflate without its zlib header. The first two
 * bytes tell (RFC 1950 section 2.2). */
static enum gate_err judge_header(struct gate_decoder *d, const struct step *s)
{
    const uint8_t *p = (const uint8_t *)s->in;

    if (d->coding != GATE_CODING_DEFLATE || s->in_n == 0)
        return GATE_OK;
    d->raw = (p[0] & 15) != 8 || (s->in_n > 1 && (p[0] * 256 + p[1]) % 31 != 0);
    if (!d->raw)
        return GATE_OK;
    return inflateReset2(&d->z, window_of(d)) == Z_OK ? GATE_OK : GATE_E_NOMEM;
}

static enum gate_err step_zlib(struct gate_decoder *d, struct step *s)
{
    int r;

    d->z.next_in = (Bytef *)(uintptr_t)s->in;
    d->z.avail_in = (uInt)s->in_n;
    d->z.next_out = (Bytef *)s->out;
    d->z.avail_out = (uInt)s->out_n;
    r = inflate(&d->z, Z_NO_FLUSH);
    s->in = (const char *)d->z.next_in;
    s->in_n = d->z.avail_in;
    s->out = (char *)d->z.next_out;
    s->out_n = d->z.avail_out;
    d->done = r == Z_STREAM_END;
    d->pending = !d->done && s->out_n == 0;
    if (r == Z_MEM_ERROR)
        return GATE_E_NOMEM;
    return r == Z_OK || r == Z_STREAM_END || r == Z_BUF_ERROR ? GATE_OK : GATE_E_SYNTAX;
}

/* A gzip body may be several members one behind the other (RFC 1952 section 2.2). */
static bool next_member(struct gate_decoder *d)
{
    if (d->coding != GATE_CODING_GZIP || inflateReset(&d->z) != Z_OK)
        return false;
    d->done = false;
    return true;
}

static enum gate_err step(struct gate_decoder *d, struct step *s)
{
    size_t in = s->in_n;
    size_t out = s->out_n;
    enum gate_err e = GATE_OK;

    if (d->done && in > 0 && !next_member(d))
        return GATE_E_SYNTAX;
    if (!d->began && in > 0) {
        d->began = true;
        e = judge_header(d, s);
    }
    if (e == GATE_OK)
        e = d->coding == GATE_CODING_BROTLI ? step_brotli(d, s) : step_zlib(d, s);
    d->taken += in - s->in_n;
    d->given += out - s->out_n;
    if (e == GATE_OK && d->given > GATE_DECODER_JUDGED_FROM &&
        d->given / GATE_DECODER_RATIO > d->taken)
        return GATE_E_LIMIT;
    return e;
}

/* Fills the rest of a block. */
static enum gate_err fill(struct gate_decoder *d, struct gate_chain *in, struct gate_chain *out,
                          struct gate_block *b)
{
    struct gate_slice front = {0};
    struct step s = {.out = b->data + b->used, .out_n = b->cap - b->used};
    enum gate_err e;
    size_t had;

    gate_chain_front(in, &front);
    s.in = front.p;
    s.in_n = had = front.n;
    e = step(d, &s);
    if (had > s.in_n)
        gate_chain_drop(in, had - s.in_n);
    gate_chain_add(out, b, b->data + b->used, (size_t)(s.out - (b->data + b->used)));
    b->used = (uint32_t)(s.out - b->data);
    return e;
}

enum gate_err gate_decoder_feed(struct gate_decoder *d, struct gate_chain *in,
                                struct gate_chain *out)
{
    size_t before = out->bytes;
    struct gate_block *b = NULL;
    enum gate_err e = GATE_OK;

    while (e == GATE_OK && (in->bytes > 0 || d->pending) &&
           out->bytes - before < GATE_DECODER_SLICE) {
        if (b == NULL)
            b = gate_block_take(out->pool);
        if (b == NULL)
            return GATE_E_NOMEM;
        e = fill(d, in, out, b);
        if (b->used == b->cap)
            gate_block_unref(&b);
    }
    gate_block_unref(&b);
    return e;
}

bool gate_decoder_pending(const struct gate_decoder *d)
{
    return d->pending;
}

bool gate_decoder_done(const struct gate_decoder *d)
{
    return d->done || !d->began;
}
