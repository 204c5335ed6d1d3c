/* Lists: intrusive doubly linked rings. The node lives in its owner; a list owns nothing. */
#ifndef GATE_BASE_LIST_H
#define GATE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct gate_list {
    struct gate_list *next;
    struct gate_list *prev;
};

#define gate_container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

static inline void gate_list_init(struct gate_list *l)
{
    l->next = l->prev = l;
}

/* True for an empty head and for a node that is in no list. */
static inline bool gate_list_empty(const struct gate_list *l)
{
    return l->next == l;
}

static inline void gate_list_insert_before(struct gate_list *at, struct gate_list *n)
{
    n->prev = at->prev;
    n->next = at;
    at->prev->next = n;
    at->prev = n;
}

static inline void gate_list_push(struct gate_list *head, struct gate_list *n)
{
    gate_list_insert_before(head, n);
}

static inline void gate_list_push_front(struct gate_list *head, struct gate_list *n)
{
    gate_list_insert_before(head->next, n);
}

/* Unlinks and re-initialises, so that a second removal does nothing. */
static inline void gate_list_remove(struct gate_list *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    n->next = n->prev = n;
}

/* The first node, unlinked; NULL when the list is empty. */
static inline struct gate_list *gate_list_pop(struct gate_list *head)
{
    struct gate_list *n = head->next;

    if (n == head)
        return NULL;
    gate_list_remove(n);
    return n;
}

/* Moves all of `from` to the end of `to`; `from` is empty afterwards. */
static inline void gate_list_splice(struct gate_list *to, struct gate_list *from)
{
    if (gate_list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    gate_list_init(from);
}

#endif
