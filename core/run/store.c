#include "run/store.h"

#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "run/sealed.h"

struct piece {
    struct gate_list node;
    struct gate_store_name name;
    int fd;
};

struct gate_store_name gate_store_name_of(enum gate_store_kind kind, struct gate_str name,
                                          uint64_t number)
{
    struct gate_store_name n;

    GATE_ASSERT(name.n <= sizeof(n.name));
    memset(&n, 0, sizeof(n));
    n.kind = kind;
    n.number = number;
    n.n = (uint32_t)name.n;
    if (name.n > 0)
        memcpy(n.name, name.p, name.n);
    return n;
}

void gate_store_init(struct gate_store *s)
{
    gate_list_init(&s->pieces);
}

static void piece_free(struct piece *p)
{
    gate_list_remove(&p->node);
    if (p->name.kind != GATE_STORE_DICT)
        gate_sealed_wipe(p->fd);
    close(p->fd);
    gate_free(p);
}

void gate_store_fini(struct gate_store *s)
{
    while (!gate_list_empty(&s->pieces))
        piece_free(gate_container_of(s->pieces.next, struct piece, node));
}

static struct piece *find(const struct gate_store *s, const struct gate_store_name *name)
{
    for (struct gate_list *n = s->pieces.next; n != &s->pieces; n = n->next) {
        struct piece *p = gate_container_of(n, struct piece, node);

        if (memcmp(&p->name, name, sizeof(*name)) == 0)
            return p;
    }
    return NULL;
}

void gate_store_keep(struct gate_store *s, const struct gate_store_name *name, int fd)
{
    struct piece *p;

    gate_store_drop(s, name);
    p = gate_calloc(1, sizeof(*p));
    p->name = *name;
    p->fd = fd;
    gate_list_push(&s->pieces, &p->node);
}

void gate_store_drop(struct gate_store *s, const struct gate_store_name *name)
{
    struct piece *p = find(s, name);

    if (p != NULL)
        piece_free(p);
}

int gate_store_at(const struct gate_store *s, uint32_t i, struct gate_store_name *name)
{
    for (struct gate_list *n = s->pieces.next; n != &s->pieces; n = n->next) {
        struct piece *p = gate_container_of(n, struct piece, node);

        if (i-- == 0) {
            *name = p->name;
            return p->fd;
        }
    }
    return -1;
}
