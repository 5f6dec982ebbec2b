#ifndef SLUICE_SESSION_SESSION_H
#define SLUICE_SESSION_SESSION_H

#include "gateway/client/client.h"
#include "gateway/session/recovered.h"

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

/* All of a node. */
struct sessions {
    struct lease *lease;
    struct redis *redis;
    const struct options *options;
    const uint32_t *upsets; /* of the hub */
    struct list kept;       /* that are in Redis; those first that were kept first */
    struct list recoveries; /* that wait for Redis (login/recover.h) */
    uint32_t term;          /* a hash of the term of the Redis that is, or was last, up */
};

struct session {
    struct client *client;
    struct sessions *all;
    struct list link; /* in all->kept */
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
    uint32_t calm; /* *all->upsets when all its channels were seen live */

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

/* What is given is borrowed. */
void sessions_init(struct sessions *all, struct lease *lease, const struct hub *hub);
/* Before anything else is told that Redis is up. */
void sessions_redis_up(struct sessions *all);

/* Its term now, as in `term`. */
uint32_t session_term(const struct session *s);
/* {sio:<pid>}, the name of its hash. */
#define SESSION_KEY_SIZE (SESSION_PID_SIZE + 4)
struct slice session_key(const char *pid, char out[SESSION_KEY_SIZE]);
/* Of a session in use, in ms. */
struct slice session_ttl(const struct sessions *all, char out[DIGITS_SIZE]);
/* The client was, or was not, sent messages of a channel that `base` does not cover. */
void session_moved(struct session *s, struct standing *t, bool moved);

/* Begins one for a client that has none, or begins anew with another pid. name: of
 * SESSION_NAME_LEN characters; space: outlives it. False: no memory, no randomness. */
bool session_open(struct client *c, const char *name, struct slice space);
/* The connection is over (before client_gone). back: it may be recovered. NULL is good. */
void session_over(struct session *s, bool back);
/* With its client; NULL is good. */
void session_free(struct session *s);

/* Brings Redis to the session's version. */
void session_sync(struct session *s);
/* Another connection goes on where this one was, which is only in the way: it is closed. */
void session_taken(struct session *s);
/* What session.lua and keep.lua answer besides 0. */
enum { SESSION_NONE = 1, SESSION_TAKEN = 2 };

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

/* Its channels are entered: what Redis knew of it and of each of them is the session's. */
void session_restore(struct session *s, const struct recovered *what);
void session_restore_channel(struct sub *sub, const struct recovered_channel *was);

#endif
