#include "admin/table.h"

#include <stdarg.h>

#include "base/mem.h"

#define CELL_MAX 80

void gate_table_init(struct gate_table *t, const char *const *titles, uint32_t columns)
{
    memset(t, 0, sizeof(*t));
    gate_arena_init(&t->arena, NULL);
    t->titles = titles;
    t->columns = columns;
}

void gate_table_fini(struct gate_table *t)
{
    gate_arena_clear(&t->arena);
    gate_free(t->cells);
    t->cells = NULL;
    t->n = t->cap = 0;
}

void gate_table_put(struct gate_table *t, struct gate_str text)
{
    char *p;

    if (text.n > CELL_MAX)
        text.n = CELL_MAX;
    if (t->n == t->cap) {
        t->cap = t->cap == 0 ? 64 : t->cap * 2;
        t->cells = gate_realloc(t->cells, t->cap * sizeof(*t->cells));
    }
    p = gate_arena_alloc(&t->arena, text.n + 1);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];

        p[i] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    t->cells[t->n++] = gate_str_of(p, text.n);
}

void gate_table_fmt(struct gate_table *t, const char *format, ...)
{
    char text[CELL_MAX + 1];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    gate_table_put(t, gate_str_from_cstr(text));
}

void gate_table_bytes(struct gate_table *t, uint64_t bytes)
{
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
    double n = (double)bytes / 1024;
    int i = 0;

    for (; n >= 1024 && i < 3; i++)
        n /= 1024;
    gate_table_fmt(t, "%.1f %s", n, units[i]);
}

/* UTF-8 goes by characters, not by bytes. */
static int width_of(struct gate_str s)
{
    int n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static struct gate_str cell(const struct gate_table *t, uint32_t row, uint32_t column)
{
    if (row == 0)
        return gate_str_from_cstr(t->titles[column]);
    return t->cells[(row - 1) * t->columns + column];
}

static int column_width(const struct gate_table *t, uint32_t column)
{
    int width = 0;

    for (uint32_t row = 0; row <= t->n / t->columns; row++) {
        int n = width_of(cell(t, row, column));

        width = n > width ? n : width;
    }
    return width;
}

void gate_table_print(const struct gate_table *t, FILE *to)
{
    int *widths = gate_alloc(t->columns * sizeof(*widths));

    for (uint32_t c = 0; c < t->columns; c++)
        widths[c] = column_width(t, c);
    for (uint32_t row = 0; row <= t->n / t->columns; row++) {
        for (uint32_t c = 0; c < t->columns; c++) {
            struct gate_str s = cell(t, row, c);
            int pad = c + 1 < t->columns ? widths[c] - width_of(s) + 2 : 0;

            fprintf(to, "%.*s%*s", (int)s.n, s.p, pad, "");
        }
        fputc('\n', to);
    }
    gate_free(widths);
}
