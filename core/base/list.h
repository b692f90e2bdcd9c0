/* list.h: a doubly linked list whose links live in the elements. */
#pragma once
#include <stdbool.h>
#include "base/util.h"

struct ft_list { struct ft_list *next, *prev; };

static inline void ft_list_init(struct ft_list *head) { head->next = head->prev = head; }
static inline bool ft_list_empty(const struct ft_list *head) { return head->next == head; }
static inline void ft_list_append(struct ft_list *head, struct ft_list *item)
{
    item->prev = head->prev;
    item->next = head;
    head->prev->next = item;
    head->prev = item;
}
/* Safe to call twice, and on a zeroed item that is in no list. */
static inline void ft_list_remove(struct ft_list *item)
{
    if (!item->next)
        return;
    item->prev->next = item->next;
    item->next->prev = item->prev;
    item->next = item->prev = NULL;
}
/* The body may remove `pos`. */
#define ft_list_each(pos, tmp, head) \
    for ((pos) = (head)->next, (tmp) = (pos)->next; (pos) != (head); (pos) = (tmp), (tmp) = (pos)->next)
