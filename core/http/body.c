/* Body decoder. The chunk grammar is RFC 9112 section 7.1 to the letter, extensions included
 * (7.1.1: BWS around ';' and '=', tokens and quoted strings), because what one server skips as
 * an extension another may read as content. */
#include "http/body.h"

#include "base/assert.h"
#include "http/bytes_int.h"

#define EXT_LINE_MAX    256
#define EXT_TOTAL_MAX   (16u * 1024)
#define SIZE_DIGITS_MAX 16

enum body_state {
    CONTENT,      /* of the length, of the chunk, or until the end */
    SIZE,         /* in the size, zero or more digits seen */
    EXT_GAP,      /* BWS behind the size or a complete extension: ';' must follow */
    EXT_NAME_GAP, /* BWS behind ';' */
    EXT_NAME,
    EXT_EQUALS_GAP, /* BWS behind a name: '=' or ';' must follow */
    EXT_VALUE_GAP,  /* BWS behind '=' */
    EXT_TOKEN,
    EXT_QUOTED,
    EXT_ESCAPED, /* behind '\' in a quoted string */
    EXT_CLOSED,  /* behind the closing quote */
    LINE_LF,
    DATA_CR,
    DATA_LF,
    TRAILERS
};

void gate_body_init(struct gate_body *b, enum gate_framing framing, uint64_t content_length)
{
    *b = (struct gate_body){0};
    b->framing = (uint8_t)framing;
    b->left = framing == GATE_BODY_LENGTH ? content_length : 0;
    b->state = framing == GATE_BODY_CHUNKED ? SIZE : CONTENT;
    b->done = framing == GATE_BODY_NONE || (framing == GATE_BODY_LENGTH && content_length == 0);
}

static bool is_bws(char c)
{
    return c == ' ' || c == '\t';
}

/* Where a byte of the size takes the decoder; -1: nowhere. */
static int step_size(struct gate_body *b, char c, const char **why)
{
    if (gate_byte_is(c, GATE_C_HEX)) {
        *why = "chunk size is too large";
        if (++b->digits > SIZE_DIGITS_MAX || b->left > (UINT64_MAX >> 5))
            return -1;
        b->left = b->left << 4 | gate_byte_hex(c);
        return SIZE;
    }
    *why = "bad chunk size";
    if (b->digits == 0)
        return -1;
    if (c == '\r')
        return LINE_LF;
    if (c == ';')
        return EXT_NAME_GAP;
    return is_bws(c) ? EXT_GAP : -1;
}

/* What may follow a complete extension name or value. */
static int step_ext_end(char c)
{
    if (c == ';')
        return EXT_NAME_GAP;
    if (c == '\r')
        return LINE_LF;
    return is_bws(c) ? EXT_GAP : -1;
}

static int step_name(char c)
{
    if (gate_byte_is(c, GATE_C_TOKEN))
        return EXT_NAME;
    if (c == '=')
        return EXT_VALUE_GAP;
    return is_bws(c) ? EXT_EQUALS_GAP : step_ext_end(c);
}

static int step_value_gap(char c)
{
    if (is_bws(c))
        return EXT_VALUE_GAP;
    if (c == '"')
        return EXT_QUOTED;
    return gate_byte_is(c, GATE_C_TOKEN) ? EXT_TOKEN : -1;
}

static int step_quoted(char c)
{
    if (c == '"')
        return EXT_CLOSED;
    if (c == '\\')
        return EXT_ESCAPED;
    return gate_byte_is(c, GATE_C_VALUE) ? EXT_QUOTED : -1;
}

static int step_ext(unsigned state, char c)
{
    switch (state) {
    case EXT_GAP:
        if (is_bws(c))
            return EXT_GAP;
        return c == ';' ? EXT_NAME_GAP : -1;
    case EXT_NAME_GAP:
        if (is_bws(c))
            return EXT_NAME_GAP;
        return gate_byte_is(c, GATE_C_TOKEN) ? EXT_NAME : -1;
    case EXT_NAME:
        return step_name(c);
    case EXT_EQUALS_GAP:
        if (is_bws(c))
            return EXT_EQUALS_GAP;
        if (c == '=')
            return EXT_VALUE_GAP;
        return c == ';' ? EXT_NAME_GAP : -1;
    case EXT_VALUE_GAP:
        return step_value_gap(c);
    case EXT_TOKEN:
        return gate_byte_is(c, GATE_C_TOKEN) ? EXT_TOKEN : step_ext_end(c);
    case EXT_QUOTED:
        return step_quoted(c);
    case EXT_ESCAPED:
        return gate_byte_is(c, GATE_C_VALUE) ? EXT_QUOTED : -1;
    default:
        return step_ext_end(c); /* EXT_CLOSED */
    }
}

/* One byte of framing. False: *why is set. */
static bool step(struct gate_body *b, char c, const char **why)
{
    int next = -1;

    switch (b->state) {
    case SIZE:
        next = step_size(b, c, why);
        break;
    case LINE_LF:
        *why = "CR without LF behind the chunk size";
        if (c == '\n')
            next = b->left > 0 ? CONTENT : TRAILERS;
        b->digits = 0;
        b->ext_bytes = 0;
        break;
    case DATA_CR:
        *why = "chunk data is longer than its size";
        next = c == '\r' ? DATA_LF : -1;
        break;
    case DATA_LF:
        *why = "CR without LF behind chunk data";
        next = c == '\n' ? SIZE : -1;
        break;
    default:
        *why = "bad chunk extension";
        next = step_ext(b->state, c);
    }
    if (next < 0)
        return false;
    if (next >= EXT_GAP && next <= EXT_CLOSED) {
        *why = "chunk extensions are too long";
        if (++b->ext_bytes > EXT_LINE_MAX || ++b->ext_total > EXT_TOTAL_MAX)
            return false;
    }
    b->state = (uint8_t)next;
    return true;
}

/* A run of content that ends with the input or with `left`. */
static enum gate_body_result run(struct gate_body *b, const char *p, size_t n, size_t *used,
                                 struct gate_str *content)
{
    size_t take = n;

    if (b->framing != GATE_BODY_EOF) {
        if (take > b->left)
            take = (size_t)b->left;
        b->left -= take;
    }
    b->total += take;
    *content = gate_str_of(p, take);
    *used += take;
    if (b->framing == GATE_BODY_CHUNKED && b->left == 0)
        b->state = DATA_CR;
    if (b->framing == GATE_BODY_LENGTH && b->left == 0)
        b->done = true;
    return GATE_BODY_DATA;
}

enum gate_body_result gate_body_feed(struct gate_body *b, const char *p, size_t n, size_t *used,
                                     struct gate_str *content, const char **why)
{
    *used = 0;
    *content = GATE_STR_NONE;
    if (b->done)
        return GATE_BODY_DONE;
    while (b->state != CONTENT && b->state != TRAILERS) {
        if (*used == n)
            return GATE_BODY_MORE;
        if (!step(b, p[*used], why))
            return GATE_BODY_BAD;
        (*used)++;
    }
    if (b->state == TRAILERS)
        return GATE_BODY_TRAILERS;
    if (*used == n)
        return GATE_BODY_MORE;
    return run(b, p + *used, n - *used, used, content);
}

bool gate_body_skip(struct gate_body *b, size_t n)
{
    GATE_ASSERT(b->framing == GATE_BODY_LENGTH && n <= b->left);
    b->left -= n;
    b->total += n;
    b->done = b->left == 0;
    return b->done;
}

enum gate_body_result gate_body_trailers(struct gate_body *b, const char *p, size_t n, size_t *used,
                                         const char **why)
{
    *used = 0;
    switch (gate_scan_trailers(&b->trailers, p, n, used, why)) {
    case GATE_SCAN_DONE:
        b->done = true;
        return GATE_BODY_DONE;
    case GATE_SCAN_MORE:
        return GATE_BODY_MORE;
    default:
        return GATE_BODY_BAD;
    }
}

bool gate_body_eof(struct gate_body *b)
{
    if (b->framing == GATE_BODY_EOF)
        b->done = true;
    return b->done;
}
