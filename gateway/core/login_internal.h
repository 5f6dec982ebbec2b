#ifndef SLUICE_CORE_LOGIN_INTERNAL_H
#define SLUICE_CORE_LOGIN_INTERNAL_H

#include "gateway/core/request.h"
#include "gateway/core/session.h"

/* What login.c (how a login proceeds and is answered) and login_ask.c (what is asked for: by
 * `login`, `join`, or a recovery) share. */
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
    char name[NAME_MAX_LEN + 8];
};

struct login {
    unsigned pending;
    bool failed;
    bool too_many;
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
