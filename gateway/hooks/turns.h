#ifndef SLUICE_HOOKS_TURNS_H
#define SLUICE_HOOKS_TURNS_H

#include "common/list.h"
#include "common/map.h"

/*
 * Who is next, of those that wait for one of a few slots. The slots go round the users: each
 * time one is free, the next user in the ring has it, for the oldest of its own. So one user
 * that asks for much waits for itself. A user has a name, which is any text.
 */
struct turns_user;

struct turns {
    struct list ring; /* users of which one waits, and which may have another slot */
    struct map users;
    unsigned waiting;
    unsigned running;
    /* The most of each, at once. */
    unsigned most_waiting;
    unsigned most_running;
    unsigned most_user_waiting; /* 0: as many as there is room left for, so nobody has it all */
    unsigned most_user_running;
};

/* Embedded in what waits. */
struct turn {
    struct list link; /* in its user's, while it waits */
    struct turns_user *user;
    bool running;
};

void turns_init(struct turns *t);
/* All must have ended. */
void turns_deinit(struct turns *t);

/* Lets it wait. Returns false if there is no room (then nothing is to be ended), or no memory.
 */
bool turns_add(struct turns *t, struct turn *turn, struct slice user);
/* Gives a free slot to the next one; NULL: none is free, or nobody waits who may have it. */
struct turn *turns_next(struct turns *t);
/* One that waits; NULL: none. */
struct turn *turns_waiting(struct turns *t);
/* It does not wait any more, or gives its slot back. */
void turns_end(struct turns *t, struct turn *turn);

#endif
