/* Legacy: what an engine leaves to the one that comes after a crash of it: which generation served,
 * from which bundle, what can be rolled back to, what was given up. Whoever outlives engines holds
 * it (run/broker.h): each bundle once, and a record that is replaced in one step, all of it sealed,
 * so that a dying engine leaves the old one or the new one. Control thread. */
#ifndef GATE_RUN_LEGACY_H
#define GATE_RUN_LEGACY_H

#include "run/store.h"
#include "script/bundle.h"

/* Bundles that may come back: that of the present generation, and those that served before. */
#define GATE_KEPT_MAX     6
#define GATE_GIVEN_UP_MAX 8

enum gate_given_up_why {
    GATE_GIVEN_UP_CANARY,
    GATE_GIVEN_UP_ROLLBACK
};

struct gate_given_up {
    uint64_t hash;
    uint64_t number;    /* of its generation */
    uint64_t why;       /* enum gate_given_up_why */
};

/* Plain data, as one engine writes it and another one reads it. */
struct gate_legacy_record {
    uint64_t from;      /* of the generation that serves, as in struct gate_live */
    uint64_t made_ns;   /* of the monotonic clock, which all engines share */
    uint64_t last;      /* number of a generation; none was higher */
    uint64_t canary;    /* number of the one that ran; 0: none did */
    uint64_t n_kept;    /* at least one: the first is what serves */
    uint64_t n_given_up;
    struct gate_legacy_kept {
        uint64_t number;
        uint64_t hash;
        int64_t made_s;
    } kept[GATE_KEPT_MAX];
    struct gate_given_up given_up[GATE_GIVEN_UP_MAX];
};

/* What was found, piece by piece. */
struct gate_legacy {
    struct gate_legacy_record record;   /* n_kept 0: none */
    struct gate_bundle *bundles[2 * GATE_KEPT_MAX];
    uint32_t n_bundles;
};

void gate_legacy_init(struct gate_legacy *l);
void gate_legacy_fini(struct gate_legacy *l);

/* Takes what one of the pieces holds; the descriptor stays the caller's. GATE_E_SYNTAX,
 * GATE_E_SYS: that cannot be had of it. */
enum gate_err gate_legacy_add(struct gate_legacy *l, const struct gate_store_name *name, int fd);

/* The bundle of that hash, which is the caller's from now on; NULL: it was not among them. */
struct gate_bundle *gate_legacy_take(struct gate_legacy *l, uint64_t hash);

/* The other way round: the descriptors are the caller's. GATE_E_SYS: errno says why. */
enum gate_err gate_legacy_write(const struct gate_legacy_record *r, int *fd);
enum gate_err gate_legacy_write_bundle(struct gate_bundle *b, int *fd);

#endif
