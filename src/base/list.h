/*
 * Intrusive doubly linked lists. A head is a `struct list`; a member embeds a `struct list`.
 * A zeroed or deleted node is not linked; list_del on it does nothing.
 */
#ifndef STIGMER_BASE_LIST_H
#define STIGMER_BASE_LIST_H

#include "base/macro.h"

#include <stdbool.h>

struct list {
    struct list *prev, *next;
};

static inline void list_init(struct list *head)
{
    head->prev = head->next = head;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

static inline bool list_linked(const struct list *node)
{
    return node->next != NULL;
}

static inline void list_push_back(struct list *head, struct list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void list_del(struct list *node)
{
    if (!node->next)
        return;
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->prev = node->next = NULL;
}

/* The first node unlinked, or NULL. */
static inline struct list *list_pop_front(struct list *head)
{
    struct list *node = head->next;
    if (node == head)
        return NULL;
    list_del(node);
    return node;
}

#define LIST_FOR_EACH(pos, head)                                                                   \
    for (struct list *pos = (head)->next; pos != (head); pos = pos->next)
/* The body may delete pos. */
#define LIST_FOR_EACH_SAFE(pos, head)                                                              \
    for (struct list *pos = (head)->next, *next_##pos = pos->next; pos != (head);                  \
         pos = next_##pos, next_##pos = pos->next)

#endif
