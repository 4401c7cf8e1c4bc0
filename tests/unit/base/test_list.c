#include "base/list.h"

#include "test.h"

struct item {
    int v;
    struct list link;
};

static struct item *item_of(struct list *node)
{
    return CONTAINER_OF(node, struct item, link);
}

/* The values in order as decimal digits. */
static int digits_of(struct list *head)
{
    int n = 0;
    LIST_FOR_EACH (node, head)
        n = n * 10 + item_of(node)->v;
    return n;
}

TEST(keeps_the_order_of_pushing)
{
    struct list head;
    struct item a = {.v = 1}, b = {.v = 2}, c = {.v = 3};
    list_init(&head);
    CHECK(list_empty(&head));
    CHECK_INT(digits_of(&head), 0);
    CHECK(!list_linked(&a.link));
    list_push_back(&head, &a.link);
    list_push_back(&head, &b.link);
    list_push_back(&head, &c.link);
    CHECK(list_linked(&a.link));
    CHECK(!list_empty(&head));
    CHECK_INT(digits_of(&head), 123);
}

TEST(deletes_anywhere_and_twice)
{
    struct list head;
    struct item i[4] = {{.v = 1}, {.v = 2}, {.v = 3}, {.v = 4}};
    list_init(&head);
    for (size_t k = 0; k < ARRAY_SIZE(i); k++)
        list_push_back(&head, &i[k].link);
    list_del(&i[1].link);
    CHECK_INT(digits_of(&head), 134);
    list_del(&i[1].link);
    CHECK(!list_linked(&i[1].link));
    list_del(&i[0].link);
    list_del(&i[3].link);
    CHECK_INT(digits_of(&head), 3);
    list_push_back(&head, &i[1].link);
    CHECK_INT(digits_of(&head), 32);
}

TEST(pops_from_the_front)
{
    struct list head;
    struct item a = {.v = 1}, b = {.v = 2};
    list_init(&head);
    CHECK(!list_pop_front(&head));
    list_push_back(&head, &a.link);
    list_push_back(&head, &b.link);
    CHECK(list_pop_front(&head) == &a.link);
    CHECK(!list_linked(&a.link));
    CHECK(list_pop_front(&head) == &b.link);
    CHECK(!list_pop_front(&head));
    CHECK(list_empty(&head));
}

TEST(the_safe_loop_survives_deletion)
{
    struct list head;
    struct item i[5] = {{.v = 1}, {.v = 2}, {.v = 3}, {.v = 4}, {.v = 5}};
    list_init(&head);
    for (size_t k = 0; k < ARRAY_SIZE(i); k++)
        list_push_back(&head, &i[k].link);
    LIST_FOR_EACH_SAFE (node, &head) {
        if (item_of(node)->v % 2)
            list_del(node);
    }
    CHECK_INT(digits_of(&head), 24);
}
