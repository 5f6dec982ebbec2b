#ifndef SLUICE_CLIENT_HOLDERS_H
#define SLUICE_CLIENT_HOLDERS_H

#include "common/list.h"
#include "common/map.h"
#include "gateway/auth/identity.h"

/*
 * The connections of this node whose token came with their handshake, by user. Some of them
 * have no client that is logged in, so no channel leads to them.
 */
struct holder;

struct holder_ops {
    /* The present token of the connection. */
    struct identity *(*who)(const struct holder *h);
    /* Closes the connection, which calls holders_leave, and may free the holder. */
    void (*close)(struct holder *h, uint16_t code, const char *reason);
};

/* Embedded by a door in what it keeps of such a connection. */
struct holder {
    const struct holder_ops *ops;
    struct list link;
    struct holder_user *user;
};

struct holders {
    struct map users;
};

void holders_init(struct holders *all);
/* No holder may be left. */
void holders_deinit(struct holders *all);

/* ops->who must have its answer already; its `sub` never changes. Returns false without memory.
 */
bool holders_enter(struct holders *all, struct holder *h, const struct holder_ops *ops);
/* Does nothing if it did not enter. */
void holders_leave(struct holders *all, struct holder *h);

/* Closes each connection of the user whose token `affects` says yes to. */
void holders_close(struct holders *all, struct slice user,
                   bool (*affects)(const void *arg, const struct identity *who),
                   const void *arg, uint16_t code, const char *reason);

/* Calls `visit` with a token of each user who has such a connection. `visit` changes nothing
 * here. */
void holders_each(struct holders *all, void (*visit)(void *arg, struct identity *who),
                  void *arg);

#endif
