#ifndef SLUICE_CORE_SESSION_H
#define SLUICE_CORE_SESSION_H

#include "common/name.h"
#include "gateway/channel/hub.h"

/*
 * Connection state recovery: a client that was cut off comes back, to any node, with two
 * strings, and is what it was: logged in, in its channels, and sent what it missed, once.
 *
 * The first string, its `pid`, names a hash in Redis, {sio:<pid>}: who it is and which channels
 * it is in. The second, the offset, stands behind each message of a log, is the client's last
 * word of what it has, and is one of
 *
 *   T.seq.epoch.channel                      plain: the message, at the time T. Of every other
 *                                            channel the client has what is not later than T.
 *   ~T.term.seq.epoch.channel[ seq.epoch.channel]...
 *                                            the client has what is not later than T, but of
 *                                            these channels what is up to the seq.
 *   !                                        it cannot be said (too many channels)
 *
 * (T, term and seq in hexadecimal.) A plain one is the same for all clients, and may be so
 * because times rise from one append to the next on one Redis, in all channels together
 * (log.lua), and doorbells ring in that order: a client whose channels are all live has all up
 * to the time of the message that it gets. While some channel of its own is not live (a heal, a
 * client that is caught up), messages come out of that order, and it gets the second form;
 * `term` is the Redis's whose order T belongs to, mixed with a number that the session takes
 * anew when it enters a channel from an older position: what an offset said of that channel
 * before is void then.
 *
 * (An entry that was put into a log by hand, without ringing the doorbell, is outside of that
 * order: who is there gets it with the next message's heal, who is recovered may not.)
 *
 * What the hash says of a channel is where the client entered it: epoch, seq (the floor: it
 * has had nothing up to there, or need not), and the latest time of any message then: an offset
 * that is not later says nothing of the channel. All of it is checked against the logs, and
 * what cannot be exact is not recovered.
 */
struct client;
struct core;
struct message;

/* Of the socket; the pid begins with it. */
#define SESSION_NAME_LEN 20
#define SESSION_PID_SIZE (2 * SESSION_NAME_LEN + 1)
/* A session with more is not recovered. */
#define SESSION_CHANNELS_MOST 1000

/* A channel of a session. */
struct standing {
    struct sub *sub;
    struct position floor;
    uint64_t since;
    uint64_t version; /* of the session, when it came */
    bool moved;       /* the client was sent messages of it that `base` does not cover */
};

struct session {
    struct client *client;
    struct list link; /* in core->sessions, those first that were kept first */
    uint64_t kept;
    char pid[SESSION_PID_SIZE];
    struct slice space; /* the namespace */
    struct standing *standings;
    unsigned count;
    unsigned moved;

    /* What the client was sent: see above. */
    uint64_t base;
    uint64_t high; /* the latest time of any message */
    uint32_t term; /* of base, with the salt */
    uint32_t salt; /* 0 until a channel is entered from an older position */
    uint32_t calm; /* hub->upsets when all its channels were seen live */

    /* Redis has, or is being sent, the state of a version. */
    uint64_t version;
    uint64_t saved;
    uint64_t sending;
    uint64_t dropped; /* the version that last lost a channel */
    uint32_t stored_term;
    bool stored;
    bool beyond; /* some channel could not be noted: no memory */
    bool busy; /* a script is on its way: one at a time, since two could overtake each other */
    void (*done)(void *arg, bool good); /* who waits for it */
    void *arg;
    struct sub *room; /* the default room */
};

/* Its term now, as in `term`. */
uint32_t session_term(const struct session *s);
/* For offset.c and recover.c. */
#define SESSION_KEY_SIZE (SESSION_PID_SIZE + 4)
struct slice session_key(const char *pid, char out[SESSION_KEY_SIZE]);
/* Of a session in use, in ms. */
struct slice session_ttl(const struct core *core, char out[DIGITS_SIZE]);
void session_moved(struct session *s, struct standing *t, bool moved);

/* Begins one for a client that has none, or begins anew with another pid. name: of
 * SESSION_NAME_LEN characters; space: outlives it. False: no memory, no randomness. */
bool session_open(struct client *c, const char *name, struct slice space);
/* The connection is over (before client_gone). back: it may be recovered. NULL is good. */
void session_over(struct session *s, bool back);
/* With its client; NULL is good. */
void session_free(struct session *s);

/* From hub_events: a client is about to have a sub that is not live; the sub was checked and
 * will begin behind `floor`; it is about to be freed; the client was told that its log begins
 * anew behind `from`. */
void session_entering(const struct client *c);
void session_entered(struct sub *sub, const struct position *floor, uint64_t clock,
                     bool resumed);
void session_dropped(struct sub *sub);
void session_reset(struct sub *sub, struct slice epoch, uint64_t from);

/* Writes what it is to Redis; room: the default room from now on, or NULL. done is called once,
 * perhaps before it returns; with false if Redis did not take it, or if the session is another
 * connection's by now: then the client is closed. */
void session_save(struct session *s, struct sub *room, void (*done)(void *arg, bool good),
                  void *arg);

/* Redis may have lost what it was told: all of it is written again. */
void session_doubt(struct core *core);
/* From the lease's timer: what is in use must not expire. */
void session_keep(struct core *core);

/* --- offset.c: what stands behind a message, for who encodes it -----------------------------
 */
enum offset_kind {
    OFFSET_NONE,  /* nothing: it is of no log */
    OFFSET_PLAIN, /* the same for all clients */
    OFFSET_BASE,  /* the same for all with this session's base and term */
    OFFSET_OWN    /* this client's alone */
};
/* To be called once for each message that is sent to the client. */
enum offset_kind session_sends(struct session *s, const struct message *m);
/* Appends the offset, without quotes, as it stands in a JSON string. */
void session_put_offset(const struct session *s, const struct message *m, enum offset_kind kind,
                        struct buf *out);

/* --- recover.c ------------------------------------------------------------------------------
 */
/*
 * Makes a client that has just been opened, with a session, what another one was. Returns false
 * if pid is none. Else `done` is called once, perhaps before it returns, but not if the client
 * goes before: with true, and the session has the pid given; or with false, and it is a new
 * one. No event of the client may come before; what it missed follows when done has returned.
 */
bool session_recover(struct client *c, struct slice pid, struct slice offset,
                     void (*done)(struct client *c, bool recovered));
/* Redis is up. */
void session_recover_waiting(struct core *core);
/* Ends those that have waited for Redis long enough; now: UINT64_MAX ends all. */
void session_recover_tick(struct core *core, uint64_t now);

/* login.c: logs a client in as one that was recovered. */
struct recovered_channel {
    char name[NAME_MAX_LEN + 8];
    struct position floor;
    uint64_t since;
    struct position at; /* what it has */
    bool moved;
};
struct recovered {
    struct name user;
    struct name username;
    struct name role;
    char room[NAME_MAX_LEN + 8]; /* the default room's channel, or empty */
    struct recovered_channel *channels;
    size_t count;
    uint64_t base;
    uint64_t clock;
    uint32_t salt;
};
enum login_end {
    LOGIN_DONE,
    LOGIN_LOST,      /* a channel cannot be caught up */
    LOGIN_UNANSWERED /* by Redis; or the client is gone */
};
/* done: once, perhaps before it returns; but for LOGIN_DONE the client is not logged in. What
 * is given must hold until then. */
void login_recover(struct client *c, const struct recovered *what,
                   void (*done)(void *arg, enum login_end how), void *arg);
/* Its channels are entered: what Redis knew of it and of each of them is the session's. */
void session_restore(struct session *s, const struct recovered *what);
void session_restore_channel(struct sub *sub, const struct recovered_channel *was);

#endif
