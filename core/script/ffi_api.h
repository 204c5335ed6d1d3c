/* What Lua may ask of C: plain structs and one table of function pointers, the single source of the
 * FFI declarations (the build strips this file into the module moongate.ffi_cdef). Functions never
 * raise, never run Lua, never take longer than about 1 ms. One thread: the one that is inside
 * lua_resume. */
#ifndef GATE_SCRIPT_FFI_API_H
#define GATE_SCRIPT_FFI_API_H

#include <stdint.h>

struct gate_vm;
struct gate_semaphore;

/* One a VM: what a chain is called with, how far it is, and where functions leave what they return.
 * Exchanges are known by handle, id and serial; both are int here, which compiled code passes on as
 * they are. */
struct gate_io {
    int32_t start;      /* the chain's entry to begin with, from 1; less than 0: it returned before
                         * that entry */
    int32_t stop;       /* before this entry and those behind it the chain returns; the watchdog may
                         * lower it */
    int32_t id;         /* the exchange; connect: the client's port */
    int32_t serial;
    uint64_t handle;    /* both in one word, serial above; 0: no exchange is being served */
    const char *p;      /* first result string; read before the next call */
    const char *p2;     /* second one */
    uint32_t n;
    uint32_t n2;
    double number;
    int32_t at;         /* entry of the running chain, from 1 */
    int32_t verdict;    /* enum gate_verdict_kind of the running chain */
    int32_t route;
    int32_t truth;
    uint32_t cursor_i;  /* of header_next; zeroed by the one who begins a walk */
    uint32_t cursor_edits;
    int32_t exiting;    /* a newer generation serves */
    uint32_t walk[3];   /* of dict_next, in the same way */
    /* After dict_get: the value holds as long as *seen_at is seen, and until *now is seen_until. */
    uint32_t seen;
    const uint32_t *seen_at;
    double seen_until;
    const uint64_t *now; /* the loop's clock, in ns */
    const int32_t *stop_at; /* &stop: behind a pointer, compiled code reads it anew each time */
};

/* A peer as balance hooks see it; the strings live as long as the request. */
struct gate_peer_view {
    const char *address;
    const char *host;
    const char *zone;
    uint32_t address_n;
    uint32_t host_n;
    uint32_t zone_n;
    int32_t port;
    int32_t weight;
    int32_t healthy;    /* not marked down */
    int32_t may;        /* may take this request now */
    int32_t active;     /* requests on it */
    double requests;
    double latency;     /* seconds */
};

/* Results: 1 yes (results in gate_io), 0 no, less: why not. */
enum gate_ffi_result {
    GATE_FFI_YES = 1,
    GATE_FFI_NO = 0,
    GATE_FFI_OVER = -1,     /* the request is over */
    GATE_FFI_INVALID = -2,  /* a value is not allowed; p, n: why */
    GATE_FFI_LIMIT = -3,    /* more than a request may take */
    GATE_FFI_WHERE = -4,    /* not possible here (no task: the file is loading) */
    GATE_FFI_LATE = -5      /* it has been sent already */
};

/* What wait_result answers besides 0, of enum gate_err. */
enum gate_ffi_wait {
    GATE_WAIT_LIMIT = 6,
    GATE_WAIT_TIMEOUT = 7,
    GATE_WAIT_EXITING = 8,
    GATE_WAIT_RAISED = 16
};

enum gate_ffi_side { GATE_SIDE_REQUEST, GATE_SIDE_RESPONSE };

/* Fields of text(): all strings that a request, its answer, fault, peer or client has. */
enum gate_ffi_text {
    GATE_TEXT_METHOD, GATE_TEXT_SCHEME, GATE_TEXT_HOST, GATE_TEXT_PATH, GATE_TEXT_QUERY,
    GATE_TEXT_TARGET, GATE_TEXT_ID, GATE_TEXT_ROUTE, GATE_TEXT_CLIENT_IP, GATE_TEXT_PEER_IP,
    GATE_TEXT_FROM, GATE_TEXT_FAULT_CODE, GATE_TEXT_FAULT_MESSAGE, GATE_TEXT_PEER_ADDRESS,
    GATE_TEXT_PEER_NAME, GATE_TEXT_PEER_ZONE, GATE_TEXT_VERSION, GATE_TEXT_UPSTREAM,
    GATE_TEXT_TLS_VERSION, GATE_TEXT_TLS_CIPHER, GATE_TEXT_TLS_SNI, GATE_TEXT_TLS_ALPN,
    GATE_TEXT_TLS_SUBJECT, GATE_TEXT_TLS_FINGERPRINT
};

/* Fields of number(). */
enum gate_ffi_number {
    GATE_NUMBER_PORT, GATE_NUMBER_CLIENT_PORT, GATE_NUMBER_TRIES, GATE_NUMBER_BYTES_IN,
    GATE_NUMBER_BYTES_OUT, GATE_NUMBER_STATUS, GATE_NUMBER_FAULT_STATUS, GATE_NUMBER_UPSTREAM,
    GATE_NUMBER_TLS_VERIFIED,
    GATE_NUMBER_TIME_QUEUE, GATE_NUMBER_TIME_CONNECT, GATE_NUMBER_TIME_UPSTREAM_HEAD,
    GATE_NUMBER_TIME_UPSTREAM, GATE_NUMBER_TIME_SCRIPT, GATE_NUMBER_TIME_TOTAL,
    GATE_NUMBER_PEER_PORT, GATE_NUMBER_PEER_WEIGHT, GATE_NUMBER_PEER_HEALTHY,
    GATE_NUMBER_PEER_ACTIVE, GATE_NUMBER_PEER_REQUESTS, GATE_NUMBER_PEER_LATENCY
};

/* What a dictionary's function answers besides the kinds of values (1 to 4, as in shared/dict.h;
 * 0: there is none). */
enum gate_ffi_dict {
    GATE_DICT_AGAIN = 5,   /* not yet done: call again */
    GATE_DICT_FULL = 6,
    GATE_DICT_OTHER = 7,   /* there is a value, but not such a one */
    GATE_DICT_LEAD = 8,    /* fetch: it is on the caller to make the value */
    GATE_DICT_FAILED = 9   /* fetch: the leader had an error: code in p, message in p2 */
};

struct gate_api {
    /* Header fields. header_field gives the number of a name (enum gate_field_id), by which get
     * and set take it; -1: no field is called so. header_next walks (name_n 0: all, else those of
     * that name); name in p, value in p2. */
    int (*header_field)(const char *name, uint32_t name_n);
    int (*header_get)(struct gate_vm *vm, int32_t id, int32_t serial, int side, int field,
                      const char *name, uint32_t name_n);
    int (*header_set)(struct gate_vm *vm, int32_t id, int32_t serial, int side, int field,
                      const char *name, uint32_t name_n, const char *value, uint32_t value_n);
    int (*header_add)(struct gate_vm *vm, int32_t id, int32_t serial, int side,
                      const char *name, uint32_t name_n, const char *value, uint32_t value_n);
    int (*header_remove)(struct gate_vm *vm, int32_t id, int32_t serial, int side,
                         const char *name, uint32_t name_n);
    int (*header_next)(struct gate_vm *vm, int32_t id, int32_t serial, int side,
                       const char *name, uint32_t name_n);
    int (*trailer_next)(struct gate_vm *vm, int32_t id, int32_t serial, int side);

    /* Plain fields of an exchange. `alive` answers only whether the request is over. */
    int (*alive)(struct gate_vm *vm, int32_t id, int32_t serial);
    int (*text)(struct gate_vm *vm, int32_t id, int32_t serial, int field);
    int (*number)(struct gate_vm *vm, int32_t id, int32_t serial, int field);
    int (*text_set)(struct gate_vm *vm, int32_t id, int32_t serial, int field,
                    const char *value, uint32_t value_n);
    int (*status_set)(struct gate_vm *vm, int32_t id, int32_t serial, int status);
    int (*param)(struct gate_vm *vm, int32_t id, int32_t serial, int32_t index);

    /* Verdicts. A reply is begun, gets its fields, and counts once it is begun. */
    int (*reply_begin)(struct gate_vm *vm, int32_t id, int32_t serial, int status,
                       const char *body, uint32_t body_n);
    int (*reply_header)(struct gate_vm *vm, int32_t id, int32_t serial,
                        const char *name, uint32_t name_n, const char *value, uint32_t value_n);
    int (*header_check)(struct gate_vm *vm, int side, const char *name, uint32_t name_n,
                        const char *value, uint32_t value_n);
    int (*upstream_use)(struct gate_vm *vm, int32_t id, int32_t serial, int32_t ordinal);
    int (*upstream_find)(struct gate_vm *vm, const char *name, uint32_t name_n);
    int (*route_find)(struct gate_vm *vm, int32_t id, int32_t serial, const char *name,
                      uint32_t name_n);

    /* Another try (upstream -1: at the same one), as the verdict of a response hook. */
    int (*retry)(struct gate_vm *vm, int32_t id, int32_t serial, int32_t upstream);

    /* What a body hook makes of a piece: begun, and then put together of parts of at most 256 KiB
     * (GATE_FFI_LIMIT: more than 16 MiB in all). */
    int (*piece_begin)(struct gate_vm *vm);
    int (*piece_put)(struct gate_vm *vm, const char *bytes, uint32_t bytes_n);

    /* The certificate and key that a certificate hook chooses, as its verdict. */
    int (*certificate_use)(struct gate_vm *vm, const char *cert, uint32_t cert_n,
                           const char *key, uint32_t key_n);

    /* The peers of the present try: p points to n of struct gate_peer_view. peer_use chooses one by
     * its address, or by what its server was declared as. */
    int (*peers)(struct gate_vm *vm, int32_t id, int32_t serial);
    int (*peer_use)(struct gate_vm *vm, int32_t id, int32_t serial,
                    const char *address, uint32_t address_n);

    /* Tasks of their own: begins the function that Lua keeps under a number; begins n of them and
     * waits for all (wait_result 16: one raised, host.raised() tells what). */
    int (*spawn)(struct gate_vm *vm, int32_t number);
    int (*all)(struct gate_vm *vm, int32_t first, int32_t n);

    /* 0: the request, or the task, has none to give back. */
    int (*semaphore_release)(struct gate_vm *vm, struct gate_semaphore *s);
    uint32_t (*semaphore_free)(const struct gate_semaphore *s);
    /* Dropped by the finalizer of its Lua object. */
    struct gate_semaphore *(*semaphore_new)(uint32_t permits);
    void (*semaphore_drop)(struct gate_semaphore *s);

    /* Waits: 1 it is done, 0 yield now and ask wait_result afterwards. */
    int (*sleep)(struct gate_vm *vm, double seconds);
    /* Less than 0 s: as long as it takes. */
    int (*semaphore_acquire)(struct gate_vm *vm, struct gate_semaphore *s, double seconds);
    int (*read_body)(struct gate_vm *vm, int32_t id, int32_t serial, int side, double max);
    int (*wait_result)(struct gate_vm *vm);
    int (*body)(struct gate_vm *vm, int32_t id, int32_t serial, int side);
    int (*set_body)(struct gate_vm *vm, int32_t id, int32_t serial, int side,
                    const char *bytes, uint32_t bytes_n);

    /* Log lines: fields first, then the line. */
    int (*log_on)(struct gate_vm *vm, int level);
    int (*log_field)(struct gate_vm *vm, const char *key, const char *value, uint32_t value_n,
                     int literal);
    int (*log_write)(struct gate_vm *vm, int level, const char *text);

    /* Clocks, in seconds, and randomness. */
    double (*time)(struct gate_vm *vm);
    double (*clock)(struct gate_vm *vm);
    int (*random)(struct gate_vm *vm, uint8_t *to, uint32_t n);

    /* SHA-256 and HMAC in pieces of at most 64 KiB; one computation at a time, not across a wait.
     * hash_end writes 32 bytes. */
    int (*hash_begin)(struct gate_vm *vm, const char *key, uint32_t key_n, int keyed);
    int (*hash_add)(struct gate_vm *vm, const char *bytes, uint32_t bytes_n);
    int (*hash_end)(struct gate_vm *vm, uint8_t *to);
    int (*equal)(const char *a, const char *b, uint32_t n);

    /* Shared dictionaries, by the number that dict_open gives (less than 0: errno, negative).
     * Values come as their kind, a number in io->number, a string in p; they are handed over as
     * kind, number and string. Times to live in seconds; less than 0: for ever. */
    int (*dict_open)(struct gate_vm *vm, const char *name, uint32_t name_n, double bytes);
    double (*dict_value_max)(struct gate_vm *vm, int32_t dict);
    int (*dict_get)(struct gate_vm *vm, int32_t dict, const char *key, uint32_t key_n);
    int (*dict_put)(struct gate_vm *vm, int32_t dict, const char *key, uint32_t key_n, int mode,
                    int kind, double number, const char *text, uint32_t text_n, double ttl);
    int (*dict_cas)(struct gate_vm *vm, int32_t dict, const char *key, uint32_t key_n,
                    int old_kind, double old_number, const char *old_text, uint32_t old_n,
                    int kind, double number, const char *text, uint32_t text_n);
    int (*dict_incr)(struct gate_vm *vm, int32_t dict, const char *key, uint32_t key_n, double by,
                     double init, int make, double ttl);
    int (*dict_delete)(struct gate_vm *vm, int32_t dict, const char *key, uint32_t key_n);
    int (*dict_ttl)(struct gate_vm *vm, int32_t dict, const char *key, uint32_t key_n);
    int (*dict_next)(struct gate_vm *vm, int32_t dict);
    int (*dict_flush)(struct gate_vm *vm, int32_t dict, int begin);

    /* The flight of a key: join answers GATE_DICT_LEAD, or 0: yield now and ask dict_joined.
     * A leader ends it by land (kind 0: with nothing, or with an error if there is a code), or by
     * leave: then another one leads. */
    int (*dict_join)(struct gate_vm *vm, int32_t dict, const char *key, uint32_t key_n);
    int (*dict_joined)(struct gate_vm *vm, int32_t dict, const char *key, uint32_t key_n);
    int (*dict_land)(struct gate_vm *vm, int32_t dict, const char *key, uint32_t key_n, int kind,
                     double number, const char *text, uint32_t text_n, const char *code,
                     uint32_t code_n);
    int (*dict_leave)(struct gate_vm *vm, int32_t dict, const char *key, uint32_t key_n);
};

#endif
