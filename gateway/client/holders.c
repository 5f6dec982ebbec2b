#include "gateway/client/holders.h"

#include <stdlib.h>

struct holder_user {
    struct map_node node; /* by the user's id; the bytes follow this struct */
    struct list holders;
    bool closing; /* its list is being walked */
    char id[];
};

void holders_init(struct holders *all) {
    map_init(&all->users);
}

void holders_deinit(struct holders *all) {
    map_deinit(&all->users);
}

static struct holder_user *user_find(struct holders *all, struct slice id) {
    struct map_node *found = map_find(&all->users, id);
    return found != NULL ? container_of(found, struct holder_user, node) : NULL;
}

static struct holder_user *user_make(struct holders *all, struct slice id) {
    struct holder_user *u = calloc(1, sizeof *u + id.len);
    if (u == NULL)
        return NULL;
    memcpy(u->id, id.ptr, id.len);
    u->node.key = (struct slice){u->id, id.len};
    list_init(&u->holders);
    if (map_insert(&all->users, &u->node))
        return u;
    free(u);
    return NULL;
}

static void free_when_empty(struct holders *all, struct holder_user *u) {
    if (u->closing || !list_empty(&u->holders))
        return;
    map_remove(&all->users, &u->node);
    free(u);
}

bool holders_enter(struct holders *all, struct holder *h, const struct holder_ops *ops) {
    h->ops = ops;
    struct slice id = name_slice(&ops->who(h)->sub);
    h->user = user_find(all, id);
    if (h->user == NULL)
        h->user = user_make(all, id);
    if (h->user == NULL)
        return false;
    list_push(&h->user->holders, &h->link);
    return true;
}

void holders_leave(struct holders *all, struct holder *h) {
    struct holder_user *u = h->user;
    if (u == NULL)
        return;
    h->user = NULL;
    list_remove(&h->link);
    free_when_empty(all, u);
}

void holders_close(struct holders *all, struct slice user,
                   bool (*affects)(const void *arg, const struct identity *who),
                   const void *arg, uint16_t code, const char *reason) {
    struct holder_user *u = user_find(all, user);
    if (u == NULL)
        return;
    u->closing = true;
    for (struct list *at = u->holders.next, *next; at != &u->holders; at = next) {
        struct holder *h = container_of(at, struct holder, link);
        next = at->next;
        if (affects(arg, h->ops->who(h)))
            h->ops->close(h, code, reason);
    }
    u->closing = false;
    free_when_empty(all, u);
}

void holders_each(struct holders *all, void (*visit)(void *arg, struct identity *who),
                  void *arg) {
    for (struct map_node *at = map_next(&all->users, NULL); at != NULL;
         at = map_next(&all->users, at)) {
        const struct holder_user *u = container_of(at, struct holder_user, node);
        const struct holder *h = container_of(u->holders.next, struct holder, link);
        visit(arg, h->ops->who(h));
    }
}
