#ifndef SLUICE_LOGIN_LOGIN_H
#define SLUICE_LOGIN_LOGIN_H

#include "gateway/client/request.h"
#include "gateway/login/channels_ask.h"
#include "gateway/session/session.h"

/*
 * A login, after its channels are known (ask.h), up to the answer. Its steps:
 *  1. The connection is entered in the registry. The registry refuses it before anything is
 *     written if the user would then be in too many rooms.
 *  2. The inbox, rooms and topics are entered, all at once.
 *  3. The session is written, if there is one.
 *  4. The answer is sent.
 * If Redis does not answer a step, the login is undone, so that the client can simply try
 * again.
 *
 * A recovery is a login without an event. It differs in two ways. All channels are checked
 * before the registry and the rooms are entered, since a client that lost messages in one
 * channel is not logged in at all. And rooms that the user has left meanwhile are left out.
 */

/* A channel that is asked for. */
struct entry {
    struct request *request;
    struct sub *sub;       /* made by this login; NULL: refused, or the client was in already */
    struct position since; /* as the client gave it */
    struct position now;   /* the end of the log when it was checked */
    enum check_result result;
    bool resumed;                        /* named in `resume`, or part of a recovery */
    bool checking;                       /* the check's answer is awaited */
    bool granted;                        /* the back end lets it in: it needs no right */
    bool announced;                      /* others are told that the user came, as by `join` */
    bool known;                          /* the client was in already */
    bool unasked;                        /* the client did not name it: see channels_ask.h */
    bool left;                           /* the user is no member, as it has to be */
    const struct recovered_channel *was; /* of a recovery: its state; else NULL */
    struct slice data; /* what subscribe-hook has said of it: JSON, in login.asks; or empty */
    unsigned char len;
    char name[CHANNEL_NAME_SIZE];
};

enum login_end {
    LOGIN_DONE,
    LOGIN_LOST,      /* it cannot be recovered: a channel has lost messages, for instance */
    LOGIN_UNANSWERED /* Redis did not answer, or the client is gone */
};

struct login {
    struct entering entering; /* given to the registry while its answer is awaited */
    unsigned pending;         /* answers that the current step awaits */
    bool failed;
    bool too_many; /* rooms */
    bool revoked;  /* the token */
    bool refused;  /* by subscribe-hook, in the words of */
    struct hook_answer refusal;
    bool away; /* subscribe-hook, with */
    enum outcome outcome;
    bool full;     /* the user has too many connections */
    bool stranger; /* the user is no member of a room that is to be entered */
    bool joins;    /* it is a `join`, and gets the answer of one */
    bool fresh;    /* the connection had no user before */
    bool resuming;
    bool members_only;  /* it enters only rooms of which the user is a member */
    bool told;          /* a back end made the membership: nothing is answered */
    struct entry *room; /* named by csId, room or join: the default room from now on */
    struct entry *entries;
    size_t count;
    bool saved;
    struct identity *who;    /* a reference; NULL: identity is off */
    bool identified;         /* the client has it by this login, in place of `former` */
    struct identity *former; /* a reference, or NULL */
    struct buf denied;       /* channels of `resume` without a right: JSON strings, by commas */
    const struct recovered *what; /* the state to recover; NULL: no recovery */
    void (*recovered)(void *arg, enum login_end how); /* a recovery's `done` */
    void *arg;
    struct channels_ask *asks; /* owned: what subscribe-hook is asked */
    /* Steps that are done or are not needed: see login_step. */
    bool checks_first; /* all channels are checked before rooms are entered */
    bool checked;
    bool asked;
    bool registered;
    bool entered;
};

static inline struct slice entry_name(const struct entry *e) {
    return (struct slice){e->name, e->len};
}
static inline bool entry_is_room(const struct entry *e) {
    return is_room(entry_name(e));
}
/* The room's name; only for the entry of a room. */
static inline struct slice entry_room(const struct entry *e) {
    return room_of(entry_name(e));
}
/* NULL: this login has no entry of that name. */
struct entry *entry_find(struct login *l, struct slice name);

/* Begins the steps. r->state is the login, with all its entries. Answers r, now or later. */
void login_begin(struct request *r);
/* Undoes the steps that are done, and answers r with a failure. */
void login_fail(struct request *r, struct login *l);

#endif
