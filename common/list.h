#ifndef SLUICE_COMMON_LIST_H
#define SLUICE_COMMON_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* An intrusive doubly linked ring. A head, and a node that is in no list, point to themselves.
 */
struct list {
    struct list *next;
    struct list *prev;
};

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void list_init(struct list *l) {
    l->next = l;
    l->prev = l;
}

static inline bool list_empty(const struct list *l) {
    return l->next == l;
}

/* Puts `node` at the end; it must be in no list. */
static inline void list_push(struct list *head, struct list *node) {
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

/* Takes `node` out of its list, if it is in one. */
static inline void list_remove(struct list *node) {
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Takes the first node out of a list that has one. (As list_remove does it, but so that clang's
 * analyzer sees what is the first one then.) */
static inline struct list *list_pop(struct list *head) {
    struct list *node = head->next;
    head->next = node->next;
    node->next->prev = head;
    list_init(node);
    return node;
}

/* Moves all of `from` to the end of `to`. */
/* True if the list has more than so many. */
static inline bool list_is_longer(const struct list *l, unsigned than) {
    const struct list *at = l->next;
    while (at != l && than > 0) {
        at = at->next;
        than--;
    }
    return at != l;
}

static inline void list_splice(struct list *to, struct list *from) {
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#endif
