/* Table: rows of text for people, in columns that are as wide as their widest cell. One thread. */
#ifndef GATE_ADMIN_TABLE_H
#define GATE_ADMIN_TABLE_H

#include <stdio.h>

#include "base/arena.h"
#include "base/str.h"

struct gate_table {
    struct gate_arena arena;
    uint32_t columns;
    const char *const *titles;  /* borrowed */
    struct gate_str *cells;     /* row by row */
    uint32_t n;
    uint32_t cap;
};

void gate_table_init(struct gate_table *t, const char *const *titles, uint32_t columns);
void gate_table_fini(struct gate_table *t);

/* The next cell. Control bytes are replaced; at most 80 bytes stay. */
void gate_table_put(struct gate_table *t, struct gate_str text);
void gate_table_fmt(struct gate_table *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A number of bytes for people: "12.3 MiB". */
void gate_table_bytes(struct gate_table *t, uint64_t bytes);

/* Titles and rows, all to the left. */
void gate_table_print(const struct gate_table *t, FILE *to);

#endif
