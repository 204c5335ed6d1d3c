#include "tls/info.h"

#include "base/mem.h"

#define TEXTS 7

/* The texts of an info that have to be copied. */
static void texts_of(struct gate_tls_info *i, struct gate_str *v[TEXTS])
{
    v[0] = &i->version;
    v[1] = &i->cipher;
    v[2] = &i->sni;
    v[3] = &i->alpn;
    v[4] = &i->subject;
    v[5] = &i->fingerprint;
    v[6] = &i->common_name;
}

struct gate_tls_info *gate_tls_info_new(const struct gate_tls_info *from)
{
    struct gate_tls_info given = *from;
    struct gate_str *texts[TEXTS];
    struct gate_tls_info *i;
    size_t n = sizeof(given);
    char *at;

    texts_of(&given, texts);
    for (int k = 0; k < TEXTS; k++)
        n += texts[k]->n;
    i = gate_alloc(n);
    *i = given;
    i->refs = 1;
    at = (char *)(i + 1);
    texts_of(i, texts);
    for (int k = 0; k < TEXTS; k++) {
        if (texts[k]->n > 0)
            memcpy(at, texts[k]->p, texts[k]->n);
        texts[k]->p = at;
        at += texts[k]->n;
    }
    return i;
}

void gate_tls_info_unref(struct gate_tls_info **i)
{
    struct gate_tls_info *x = *i;

    *i = NULL;
    if (x != NULL && --x->refs == 0)
        gate_free(x);
}
