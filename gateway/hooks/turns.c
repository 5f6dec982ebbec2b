#include "gateway/hooks/turns.h"

#include <stdlib.h>

struct turns_user {
    struct map_node node; /* in turns.users */
    struct list link;     /* in turns.ring, or in none */
    struct list waiting;
    unsigned waiting_count;
    unsigned running_count;
    char name[];
};

void turns_init(struct turns *t) {
    list_init(&t->ring);
    map_init(&t->users);
    t->waiting = t->running = 0;
}

void turns_deinit(struct turns *t) {
    map_deinit(&t->users);
}

/* --- users ----------------------------------------------------------------------------------
 */

static struct turns_user *make_user(struct turns *t, struct slice name) {
    struct turns_user *u = calloc(1, sizeof *u + name.len);
    if (u == NULL)
        return NULL;
    if (name.len > 0)
        memcpy(u->name, name.ptr, name.len);
    u->node.key = (struct slice){u->name, name.len};
    list_init(&u->link);
    list_init(&u->waiting);
    if (map_insert(&t->users, &u->node))
        return u;
    free(u);
    return NULL;
}

static struct turns_user *user_of(struct turns *t, struct slice name) {
    struct map_node *node = map_find(&t->users, name);
    return node != NULL ? container_of(node, struct turns_user, node) : make_user(t, name);
}

/* Is it in the ring, and is it needed at all? */
static void settle(struct turns *t, struct turns_user *u) {
    bool fits = u->waiting_count > 0 && u->running_count < t->most_user_running;
    if (fits && list_empty(&u->link))
        list_push(&t->ring, &u->link);
    if (!fits)
        list_remove(&u->link);
    if (u->waiting_count + u->running_count > 0)
        return;
    map_remove(&t->users, &u->node);
    free(u);
}

/* --- turns ----------------------------------------------------------------------------------
 */

bool turns_add(struct turns *t, struct turn *turn, struct slice user) {
    struct turns_user *u = t->waiting < t->most_waiting ? user_of(t, user) : NULL;
    if (u == NULL)
        return false;
    unsigned most = t->most_user_waiting;
    bool fits = u->waiting_count < (most != 0 ? most : t->most_waiting - t->waiting);
    if (fits) {
        list_push(&u->waiting, &turn->link);
        turn->user = u;
        turn->running = false;
        u->waiting_count++;
        t->waiting++;
    }
    settle(t, u);
    return fits;
}

struct turn *turns_next(struct turns *t) {
    if (t->running >= t->most_running || list_empty(&t->ring))
        return NULL;
    struct turns_user *u = container_of(list_pop(&t->ring), struct turns_user, link);
    struct turn *turn = container_of(list_pop(&u->waiting), struct turn, link);
    turn->running = true;
    u->waiting_count--;
    t->waiting--;
    u->running_count++;
    t->running++;
    settle(t, u); /* at the end of the ring, if another of its own waits */
    return turn;
}

struct turn *turns_waiting(struct turns *t) {
    struct map_node *node = NULL;
    while (t->waiting > 0 && (node = map_next(&t->users, node)) != NULL) {
        struct turns_user *u = container_of(node, struct turns_user, node);
        if (u->waiting_count > 0)
            return container_of(u->waiting.next, struct turn, link);
    }
    return NULL;
}

void turns_end(struct turns *t, struct turn *turn) {
    struct turns_user *u = turn->user;
    if (turn->running) {
        u->running_count--;
        t->running--;
    } else {
        list_remove(&turn->link);
        u->waiting_count--;
        t->waiting--;
    }
    turn->user = NULL;
    settle(t, u);
}
