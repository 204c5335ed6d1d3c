#include <stdlib.h>

#include "base/mem.h"
#include "tls/names_int.h"

void gate_tls_names_claim(struct gate_tls_names *names, struct gate_str text,
                          struct gate_certificate *certificate, enum gate_tls_rank rank)
{
    if (names->n_claims == names->cap) {
        names->cap = names->cap == 0 ? 16 : names->cap * 2;
        names->claims = gate_realloc(names->claims, names->cap * sizeof(*names->claims));
    }
    names->claims[names->n_claims] = (struct gate_tls_claim){
        .text = gate_str_of(gate_strndup(text.p, text.n), text.n),
        .certificate = certificate,
        .order = names->n_claims,
        .rank = rank,
    };
    names->n_claims++;
}

static int compare_text(struct gate_str a, struct gate_str b)
{
    int d = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

    return d != 0 ? d : (a.n > b.n) - (a.n < b.n);
}

/* By name; the higher rank, then the earlier declaration first. */
static int compare_claims(const void *left, const void *right)
{
    const struct gate_tls_claim *a = left;
    const struct gate_tls_claim *b = right;
    int d = compare_text(a->text, b->text);

    if (d == 0)
        d = (int)b->rank - (int)a->rank;
    return d != 0 ? d : (a->order > b->order) - (a->order < b->order);
}

static int compare_name(const void *key, const void *name)
{
    return compare_text(*(const struct gate_str *)key,
                        ((const struct gate_tls_name *)name)->text);
}

/* Whether two claims of one name cannot both be meant. */
static bool clash(const struct gate_tls_claim *a, const struct gate_tls_claim *b)
{
    return a->rank == GATE_TLS_RANK_GIVEN && b->rank == GATE_TLS_RANK_GIVEN &&
           a->certificate->kind == b->certificate->kind && a->certificate != b->certificate &&
           gate_str_eq(a->text, b->text);
}

bool gate_tls_names_build(struct gate_tls_names *names, const struct gate_tls_claim **a,
                          const struct gate_tls_claim **b)
{
    struct gate_tls_claim *c = names->claims;
    struct gate_tls_name *name = NULL;

    if (names->n_claims > 0)
        qsort(c, names->n_claims, sizeof(*c), compare_claims);
    names->v = gate_calloc(names->n_claims + 1, sizeof(*names->v));
    for (uint32_t i = 0; i < names->n_claims; i++) {
        uint32_t k = i;

        while (k-- > 0 && gate_str_eq(c[k].text, c[i].text)) {
            *a = &c[k];
            *b = &c[i];
            if (clash(*a, *b))
                return false;
        }
        if (name == NULL || !gate_str_eq(name->text, c[i].text)) {
            name = &names->v[names->n++];
            name->text = c[i].text;
        }
        if (name->pairs[c[i].certificate->kind] == NULL)
            name->pairs[c[i].certificate->kind] = c[i].certificate;
    }
    return true;
}

static const struct gate_tls_name *find_exact(const struct gate_tls_names *names,
                                              struct gate_str text)
{
    return names->n == 0
               ? NULL
               : bsearch(&text, names->v, names->n, sizeof(*names->v), compare_name);
}

const struct gate_tls_name *gate_tls_names_find(const struct gate_tls_names *names,
                                                struct gate_str text)
{
    const struct gate_tls_name *name = find_exact(names, text);
    size_t dot = gate_str_find(text, '.', 0);
    char wild[GATE_TLS_NAME_CAP + 1] = "*";

    if (name != NULL || dot == 0 || dot == text.n || text.n - dot >= GATE_TLS_NAME_CAP)
        return name;
    memcpy(wild + 1, text.p + dot, text.n - dot);
    return find_exact(names, gate_str_of(wild, text.n - dot + 1));
}

void gate_tls_names_fini(struct gate_tls_names *names)
{
    for (uint32_t i = 0; i < names->n_claims; i++)
        gate_free((char *)names->claims[i].text.p);
    gate_free(names->claims);
    gate_free(names->v);
}
