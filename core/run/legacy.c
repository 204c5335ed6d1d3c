#include "run/legacy.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "run/sealed.h"

void gate_legacy_init(struct gate_legacy *l)
{
    memset(l, 0, sizeof(*l));
}

void gate_legacy_fini(struct gate_legacy *l)
{
    while (l->n_bundles > 0)
        gate_bundle_free(&l->bundles[--l->n_bundles]);
}

static enum gate_err take_record(struct gate_legacy *l, struct gate_str bytes)
{
    struct gate_legacy_record r;

    if (bytes.n != sizeof(r))
        return GATE_E_SYNTAX;
    memcpy(&r, bytes.p, sizeof(r));
    if (r.n_kept == 0 || r.n_kept > GATE_KEPT_MAX || r.n_given_up > GATE_GIVEN_UP_MAX)
        return GATE_E_SYNTAX;
    l->record = r;
    return GATE_OK;
}

static enum gate_err take_bundle(struct gate_legacy *l, struct gate_str image, uint64_t hash)
{
    struct gate_bundle *b;
    enum gate_err err;

    if (l->n_bundles == GATE_COUNT_OF(l->bundles))
        return GATE_E_SYNTAX;
    err = gate_bundle_from_image(image, &b);
    if (err == GATE_OK && gate_bundle_hash(b) != hash) {
        gate_bundle_free(&b);
        err = GATE_E_SYNTAX;
    }
    if (err == GATE_OK)
        l->bundles[l->n_bundles++] = b;
    return err;
}

enum gate_err gate_legacy_add(struct gate_legacy *l, const struct gate_store_name *name, int fd)
{
    enum gate_err err;
    char *bytes;
    size_t n;

    err = gate_sealed_read(fd, &bytes, &n);
    if (err != GATE_OK)
        return err;
    if (name->kind == GATE_STORE_LEGACY)
        err = take_record(l, gate_str_of(bytes, n));
    else
        err = take_bundle(l, gate_str_of(bytes, n), name->number);
    gate_sealed_free(bytes, n);
    return err;
}

struct gate_bundle *gate_legacy_take(struct gate_legacy *l, uint64_t hash)
{
    for (uint32_t i = 0; i < l->n_bundles; i++) {
        struct gate_bundle *b = l->bundles[i];

        if (gate_bundle_hash(b) == hash) {
            l->bundles[i] = l->bundles[--l->n_bundles];
            return b;
        }
    }
    return NULL;
}

enum gate_err gate_legacy_write(const struct gate_legacy_record *r, int *fd)
{
    return gate_sealed_write(gate_str_of((const char *)r, sizeof(*r)), fd);
}

enum gate_err gate_legacy_write_bundle(struct gate_bundle *b, int *fd)
{
    struct gate_str image = gate_bundle_image(b);
    enum gate_err err = gate_sealed_write(image, fd);

    gate_sealed_free(image.p, image.n);
    return err;
}
