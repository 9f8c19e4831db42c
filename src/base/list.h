/* base/list.h - a ring of objects linked through a node inside each of them.
 * Rules: the list owns nothing. A zeroed node is in no list; list_remove() may be called on it. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

struct list_node {
    struct list_node *next;
    struct list_node *prev;
};

struct list {
    struct list_node head;
};

static inline void list_init(struct list *list)
{
    list->head.next = list->head.prev = &list->head;
}

static inline bool list_is_empty(const struct list *list)
{
    return list->head.next == &list->head || list->head.next == NULL;
}

static inline bool list_holds(const struct list_node *node)
{
    return node->next != NULL;
}

static inline void list_insert(struct list_node *before, struct list_node *node)
{
    node->next = before;
    node->prev = before->prev;
    before->prev->next = node;
    before->prev = node;
}

static inline void list_push(struct list *list, struct list_node *node) /* at the end */
{
    list_insert(&list->head, node);
}

static inline void list_unshift(struct list *list, struct list_node *node) /* at the front */
{
    list_insert(list->head.next, node);
}

static inline void list_remove(struct list_node *node)
{
    if (node->next == NULL)
        return;
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = NULL;
}

static inline struct list_node *list_shift(struct list *list) /* NULL when empty */
{
    struct list_node *node = list->head.next;
    if (list_is_empty(list))
        return NULL;
    list->head.next = node->next; /* as list_remove(), in words that an analyzer follows */
    node->next->prev = &list->head;
    node->next = node->prev = NULL;
    return node;
}

/* list_move hands all of `from` to the empty list `to`, in order. */
static inline void list_move(struct list *to, struct list *from)
{
    list_init(to);
    if (list_is_empty(from))
        return;
    to->head = from->head;
    to->head.next->prev = to->head.prev->next = &to->head;
    list_init(from);
}

/* list_each walks; the body may remove and free the current object. */
#define list_each(list, type, member, at)                                                          \
    for (struct list_node *at##_node = (list)->head.next, *at##_next = at##_node->next;            \
         at##_node != &(list)->head && ((at) = container_of(at##_node, type, member), true);       \
         at##_node = at##_next, at##_next = at##_node->next)

#endif
