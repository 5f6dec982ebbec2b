#ifndef SLUICE_LOGIN_LOGIN_H
#define SLUICE_LOGIN_LOGIN_H

#include "gateway/client/request.h"
#include "gateway/session/session.h"

/*
 * A login, from what is asked for (ask.h) to the answer. First the registry, which refuses one
 * whose rooms would be too many before anything is written; then the inbox, rooms and topics,
 * all asked for at once; then the session is written, if there is one; then the answer leaves.
 * If one fails for want of Redis, all of it is undone, so that the client can simply try again.
 *
 * A recovery is a login that nobody asked for by an event, with two differences: the registry
 * and the rooms are entered only when all channels are known to be good, since nobody logs in
 * if one is not; and a room that the user has left meanwhile is left out.
 */

/* A channel that is asked for. */
struct entry {
    struct request *request;
    struct sub *sub;       /* made by this login; NULL: refused, or the client was in already */
    struct position since; /* as the client gave it */
    struct position now;
    enum check_result result;
    bool resumed;                        /* named in `resume` */
    bool checking;                       /* its first answer is on its way */
    bool announced;                      /* entered as by `join` */
    bool left;                           /* a recovery's: the user is no member any more */
    const struct recovered_channel *was; /* a recovery's */
    unsigned char len;
    char name[CHANNEL_NAME_SIZE];
};

enum login_end {
    LOGIN_DONE,
    LOGIN_LOST,      /* a channel cannot be caught up */
    LOGIN_UNANSWERED /* by Redis; or the client is gone */
};

struct login {
    struct entering entering; /* the registry's answer is waited for */
    unsigned pending;
    bool failed;
    bool too_many;
    bool joins; /* it is a `join`, and so answered */
    bool fresh; /* logs the connection in */
    bool resuming;
    struct entry *room; /* of csId or join: the default from now on */
    struct entry *entries;
    size_t count;
    bool saved;
    const struct recovered *what; /* NULL: no recovery */
    void (*recovered)(void *arg, enum login_end how);
    void *arg;
    /* What is done or need not be: see login_step. */
    bool checked;
    bool registered;
    bool entered;
};

static inline struct slice entry_name(const struct entry *e) {
    return (struct slice){e->name, e->len};
}
static inline bool entry_is_room(const struct entry *e) {
    return is_room(entry_name(e));
}
/* Of an entry of a room: its name. */
static inline struct slice entry_room(const struct entry *e) {
    return room_of(entry_name(e));
}
/* NULL: this login does not name it. */
struct entry *entry_find(struct login *l, struct slice name);

/* All that is asked for is in r->state. Answers r, now or later. */
void login_begin(struct request *r);
/* It will not be: undoes what there is, and answers r. */
void login_fail(struct request *r, struct login *l);

#endif
