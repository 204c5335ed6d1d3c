#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "admin/table.h"

static const char *const titles[] = { "NAME", "SIZE" };

static char *print(const struct gate_table *t)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    gate_table_print(t, f);
    fclose(f);
    return text;
}

static void columns_are_as_wide_as_their_cells(void **state)
{
    struct gate_table t;
    char *text;

    (void)state;
    gate_table_init(&t, titles, 2);
    gate_table_put(&t, GATE_STR("a long name"));
    gate_table_bytes(&t, 1536);
    gate_table_put(&t, GATE_STR("\xc3\xa4\x1b["));
    gate_table_bytes(&t, 5ull << 30);
    text = print(&t);
    assert_string_equal(text, "NAME         SIZE\n"
                              "a long name  1.5 KiB\n"
                              "\xc3\xa4?[          5.0 GiB\n");
    free(text);
    gate_table_fini(&t);
}

static void long_cells_are_cut(void **state)
{
    struct gate_table t;
    char cell[301];
    char *text;

    (void)state;
    memset(cell, 'x', 300);
    cell[300] = '\0';
    gate_table_init(&t, titles, 2);
    gate_table_put(&t, gate_str_from_cstr(cell));
    gate_table_fmt(&t, "%s", cell);
    text = print(&t);
    assert_int_equal(strlen(text), 82 + 5 + 82 + 81);
    free(text);
    gate_table_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_cells),
        cmocka_unit_test(long_cells_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
