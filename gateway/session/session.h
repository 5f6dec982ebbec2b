#ifndef SLUICE_SESSION_SESSION_H
#define SLUICE_SESSION_SESSION_H

#include "gateway/client/client.h"
#include "gateway/cluster/leases.h"
#include "gateway/session/recovered.h"

/*
 * Connection state recovery. A client whose connection was lost comes back, to any node, with
 * two strings. It is then logged in again, is in its channels again, and is sent each message
 * that it missed, once.
 *
 * The first string, the `pid`, names a hash in Redis, sio:<pid>, which has the user and the
 * channels of the session. The second string is the offset. Each message from a log carries
 * one, and the client gives back the last one that it got. An offset has one of these forms (T,
 * term and seq are hexadecimal):
 *
 *   T.seq.epoch.channel
 *       The plain form. The message has this seq, and the time T. In every other channel, the
 *       client has all messages that are not later than T.
 *   ~T.term.seq.epoch.channel[ seq.epoch.channel]...
 *       In the channels that are named, the client has all messages up to the seq. In every
 *       other channel, it has all messages that are not later than T.
 *   !
 *       Too many channels would have to be named. The session cannot be recovered from here.
 *
 * The plain form is the same for all clients. That is possible since on one Redis the times
 * rise from one append to the next over all channels (log.lua), and doorbells ring in the same
 * order. So a client whose channels are all live has everything up to the time of the message
 * that it gets.
 *
 * With partitions (partition.h) each has times of its own, and offsets have these forms:
 *
 *   *T.V.seq.epoch.channel
 *       The message has this seq, and the time T. V has for each partition its tide (tide.h)
 *       when the message was sent, or `-` if nothing is known. In every other channel, the
 *       client has all messages that are not later than the tide of the channel's partition;
 *       where nothing is known, none after the floor (below).
 *   +T.salt.V.seq.epoch.channel[ seq.epoch.channel]...
 *       In the channels that are named, the client has all messages up to the seq. What V says
 *       is good for the others.
 *
 * A tide is written as the partition's term (two characters) and its distance from T in
 * microseconds (four or five characters as a rule), so the first form is the same for all
 * clients here, too. It is good only in that term, except in the partition of the message
 * itself, which proves its own. The second form is sent while some channel of the client is not
 * level with its tide: it is not live, or the client was sent messages of it out of the order
 * of times. A channel that was live when its partition went away is level until the tide moves
 * again. So an outage of one partition costs the others nothing.
 *
 * On one Redis, while some channel of the client is not live (it heals, or the client is
 * catching up),
 * messages come out of that order, and the client gets the second form. Its `term` names the
 * Redis to whose order T belongs. It is mixed with a number, the salt. The session takes a new
 * salt when it enters a channel from an older position, because earlier offsets are then wrong
 * about that channel.
 *
 * An entry that was put into a log by hand, without ringing the doorbell, is outside of that
 * order. Connected clients get it when the next message makes the channel heal. A client that
 * is recovered may not get it.
 *
 * For each channel, the hash has the point at which the client entered it: epoch, seq (the
 * floor: messages up to there need not be sent), and the latest time that any message had then.
 * An offset that is not later than this time says nothing about the channel. All of this is
 * checked against the logs. A session that cannot be recovered exactly is not recovered.
 */
/* The length of the socket's name, with which the pid begins. */
#define SESSION_NAME_LEN 20
#define SESSION_PID_SIZE (2 * SESSION_NAME_LEN + 1)
/* A session with more channels is not recovered. */
#define SESSION_CHANNELS_MOST 1000

/* A standing is what a session knows about one channel that its client is in. */
struct standing {
    struct sub *sub;
    struct position floor; /* where the client entered it, as above */
    uint64_t since;        /* the latest time that any message had then */
    uint64_t version;      /* of the session when the channel came, or its floor changed */
    bool moved;            /* the client was sent messages of it that `base` does not cover */
};

/* All sessions of a node. */
struct keeping;
struct sessions {
    struct leases *leases;
    struct redis *redis;
    const struct options *options;
    const uint32_t *upsets;   /* of the hub */
    const struct tide *tides; /* of the hub; NULL with one Redis */
    struct list kept; /* sessions that are in Redis; the next one to be kept alive first */
    struct list recoveries; /* those that wait for Redis (login/recover.h) */
    /* By partition: a hash of its term while it is up, or when it was up last. */
    uint32_t terms[PARTITIONS_MOST];
    struct keeping *gathered[PARTITIONS_MOST]; /* keep.c gathers those of a partition */
};

struct session {
    struct client *client;
    struct sessions *all;
    struct list link; /* in all->kept */
    uint64_t kept;    /* loop time at which Redis was last asked to keep it alive */
    char pid[SESSION_PID_SIZE];
    uint8_t home;       /* the partition in which its hash lies */
    struct slice space; /* the namespace */
    struct standing *standings;
    unsigned count;
    unsigned moved; /* standings that are `moved` */

    union {
        struct {
            /* The client has every message up to `base`; the channels that are `moved` go
             * beyond it. */
            uint64_t base;
            uint64_t high; /* the latest time of any message that it was sent */
        };
        /* With partitions, for each standing: its client has nothing of the channel that is
         * later than its partition's tide once this is not more than the tide. Owned. */
        uint64_t *owed;
    };
    uint32_t term; /* that of base, mixed with the salt */
    uint32_t salt; /* 0 until a channel is entered from an older position */
    uint32_t calm; /* the value of *all->upsets when all its channels were last seen live, or,
                    * with partitions, level with their tides */

    /* The state has versions. Redis has the version `saved`; `sending` is under way. */
    uint64_t version;
    uint64_t saved;
    uint64_t sending;
    uint64_t dropped;     /* the version that last lost a channel */
    uint32_t stored_term; /* of the Redis that has the whole state; 0: write all of it again */
    bool stored;          /* there is a hash in Redis, as far as known */
    bool stated;          /* the client has, or had, a state of the back end's */
    bool beyond;          /* some channel could not be noted: no memory */
    bool busy;            /* a script is under way: one at a time, since two could overtake
                           * each other */
    void (*done)(void *arg, bool good); /* of session_save, until it is called */
    void *arg;
    struct sub *room; /* the default room */
};

/* The arguments are borrowed. */
void sessions_init(struct sessions *all, struct leases *leases, const struct options *options,
                   const struct hub *hub);
/* A partition is up. To be called before any other part is told so. */
void sessions_redis_up(struct sessions *all, const struct partition *p);

/* The hash of a term. */
uint32_t session_term_of(const char *term);
/* The hash of the present term of the partition in which its hash lies, without the salt. */
uint32_t session_term(const struct session *s);
/* That partition, and the node's lease in it. */
struct partition *session_redis(const struct session *s);
struct lease *session_lease(const struct session *s);
/* Gives it another pid. */
void session_name(struct session *s, const char pid[SESSION_PID_SIZE]);
/* Writes sio:<pid>, the name of its hash. */
#define SESSION_KEY_SIZE (SESSION_PID_SIZE + 4)
struct slice session_key(const char *pid, char out[SESSION_KEY_SIZE]);
/* How long the hash of a session in use lives, in ms. */
struct slice session_ttl(const struct sessions *all, char out[DIGITS_SIZE]);
/* With partitions: the client has a message of the channel with that time, outside of the order
 * of times. */
void session_owes(struct session *s, const struct standing *t, uint64_t time);
/* Sets `moved` of a standing, and counts it. */
void session_moved(struct session *s, struct standing *t, bool moved);

/* Begins a client's session. One that it has is replaced. name: SESSION_NAME_LEN characters,
 * copied. space: must outlive the session. False: no memory, or no randomness. */
bool session_open(struct client *c, const char *name, struct slice space);
/* The connection is over; to be called before client_gone. back: it may be recovered. s may be
 * NULL. */
void session_over(struct session *s, bool back);
/* To be called when the client is freed; s may be NULL. */
void session_free(struct session *s);

/* Sends Redis what it lacks of the session's state. */
void session_sync(struct session *s);
/* Another connection has recovered the session. Closes this one. */
void session_taken(struct session *s);
/* Answers of session.lua and keep.lua other than 0: there is no such hash; it belongs to
 * another connection; a claim is to be made again in a while. */
enum { SESSION_NONE = 1, SESSION_TAKEN = 2, SESSION_UNSURE = 3 };

/* Called for the functions of hub_events that have the same names (channel.h). */
void session_entering(const struct client *c);
void session_entered(struct sub *sub, const struct position *floor, uint64_t clock,
                     bool resumed);
void session_dropped(struct sub *sub);
void session_reset(struct sub *sub, struct slice epoch, uint64_t from);

/* client.state is another one, or the sub (or NULL) was granted. */
void session_changed(struct client *c, const struct sub *sub);

/* Writes the session's state to Redis. room: the default room from now on, or NULL. done is
 * called once, perhaps before it returns. It gets false if Redis did not take the state, or if
 * another connection has the session by now; in the latter case the client is closed. It waits
 * while the node takes a new incarnation. */
void session_save(struct session *s, struct sub *room, void (*done)(void *arg, bool good),
                  void *arg);
/* The connection is gone. True: session_save waits for an incarnation, and its `done` is not
 * called any more. s may be NULL. */
bool session_abandon(struct session *s);

/* For a recovery whose channels are entered: takes over the state that Redis had, of the
 * session and of each channel. */
void session_restore(struct session *s, const struct recovered *what);
void session_restore_channel(struct sub *sub, const struct recovered_channel *was);

#endif
