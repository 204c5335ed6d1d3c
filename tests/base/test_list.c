#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/list.h"

struct item {
    int value;
    struct gate_list node;
};

static int values(struct gate_list *head, int *out)
{
    int n = 0;

    for (struct gate_list *l = head->next; l != head; l = l->next) {
        assert_ptr_equal(l->next->prev, l);
        out[n++] = gate_container_of(l, struct item, node)->value;
    }
    return n;
}

static void test_order(void **state)
{
    struct gate_list head;
    struct item a = { 1 }, b = { 2 }, c = { 3 }, d = { 4 };
    int got[4];

    (void)state;
    gate_list_init(&head);
    assert_true(gate_list_empty(&head));
    assert_null(gate_list_pop(&head));
    gate_list_push(&head, &b.node);
    gate_list_push(&head, &d.node);
    gate_list_push_front(&head, &a.node);
    gate_list_insert_before(&d.node, &c.node);
    assert_int_equal(values(&head, got), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(got[i], i + 1);
    assert_ptr_equal(gate_list_pop(&head), &a.node);
    assert_true(gate_list_empty(&a.node));
}

static void test_removing_twice_does_nothing(void **state)
{
    struct gate_list head;
    struct item a = { 1 }, b = { 2 };
    int got[2];

    (void)state;
    gate_list_init(&head);
    gate_list_push(&head, &a.node);
    gate_list_push(&head, &b.node);
    gate_list_remove(&a.node);
    gate_list_remove(&a.node);
    assert_int_equal(values(&head, got), 1);
    assert_int_equal(got[0], 2);
}

static void test_splice(void **state)
{
    struct gate_list to, from;
    struct item a = { 1 }, b = { 2 }, c = { 3 };
    int got[3];

    (void)state;
    gate_list_init(&to);
    gate_list_init(&from);
    gate_list_splice(&to, &from);
    assert_true(gate_list_empty(&to));
    gate_list_push(&to, &a.node);
    gate_list_push(&from, &b.node);
    gate_list_push(&from, &c.node);
    gate_list_splice(&to, &from);
    assert_true(gate_list_empty(&from));
    assert_int_equal(values(&to, got), 3);
    assert_int_equal(got[2], 3);
    gate_list_splice(&from, &to);
    assert_true(gate_list_empty(&to));
    assert_int_equal(values(&from, got), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_removing_twice_does_nothing),
        cmocka_unit_test(test_splice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
