#ifndef SLUICE_CHANNEL_CHANNEL_H
#define SLUICE_CHANNEL_CHANNEL_H

#include <uv.h>

#include "common/map.h"
#include "common/metrics.h"
#include "common/name.h"
#include "gateway/channel/message.h"
#include "gateway/channel/position.h"
#include "gateway/channel/subscriber.h"
#include "gateway/redis/redis.h"

/*
 * A channel on this node: its place in the log, and its subscribers, to whom it delivers. How
 * it hears of messages stands in hub.h.
 *
 *   SUBSCRIBING --confirmed--> HEALING --level with the log--> LIVE
 *        ^                        ^                              |
 *        |                        +--- hole, foreign epoch ------+
 *        +---------------- the subscriber link fell -------------+
 *
 * A position moves only by the next seq or by what the log says. The log is always read after
 * the doorbell's subscription is confirmed, so nothing can fall between the two.
 */
struct hub;

enum channel_state { CHANNEL_SUBSCRIBING, CHANNEL_HEALING, CHANNEL_LIVE };

struct channel {
    struct map_node node; /* by name; the bytes follow this struct */
    struct hub *hub;
    struct subscription *subscription;
    enum channel_state state : 8;
    bool reading : 1;   /* a heal's page is under way */
    bool awaited : 1;   /* a sub has read past the position and waits for it */
    bool stale : 1;     /* it was asked for before the subscription was lost */
    bool doubtful : 1;  /* a doorbell since the heal's read was sent that the position cannot
                         * explain */
    unsigned busy;      /* deliveries under way: it must not be freed */
    struct position at; /* epoch empty: it has none yet */
    struct list live;   /* subs */
    struct list behind; /* subs */
    struct list waiters;
    struct list reads;       /* pages under way for subs */
    struct list heal_link;   /* in hub->heals */
    struct list walk;        /* of a walk over all channels that may free some */
    struct tail *tail;       /* frames since a read was sent */
    struct lineage *lineage; /* NULL: its log has had one epoch as long as it is here */
    void *room;              /* the roster of a room: presence/roster.c's */
    char name[];
};

static inline struct slice channel_name(const struct channel *ch) {
    return ch->node.key;
}

/* A subscriber in a channel. It is BEHIND until it is level with the channel (catchup.h). */
struct catchup;
struct sub {
    struct channel *channel;
    struct subscriber *subscriber;
    struct list in_channel;
    struct list in_subscriber;
    uint64_t seq; /* live: it has everything up to this, or up to the channel's position */
    struct catchup *catchup; /* NULL: live */
    bool recheck;            /* its user may have left the room: ask once it has started */
    uint32_t serial;         /* tells it from a later sub of the same two */
};

enum audience {
    AUDIENCE_NONE,
    AUDIENCE_LIVE,
    AUDIENCE_ALL /* those that are behind as well: of who is there, comes and goes, which is not
                  * in the log that they read. A newcomer is told of whoever comes after the
                  * roster that it was given. */
};

/* Who is above hears of these; none may free the channel. */
struct hub_events {
    /* An ephemeral message of a room: who gets it? *skip: a user whose connections do not. */
    enum audience (*on_room_event)(void *owner, struct channel *ch, const struct message *m,
                                   struct name *skip);
    /* The channel is level with the log again after the link was lost. */
    void (*on_healed)(void *owner, struct channel *ch);
    /* The channel is about to be freed. */
    void (*on_free)(void *owner, struct channel *ch);
    /* A subscriber is about to have a sub that is not live. */
    void (*on_entering)(void *owner, struct subscriber *s);
    /* It was checked, and will begin after `floor`. clock: what is later was appended after the
     * check. resumed: it has older messages, which come before. */
    void (*on_entered)(void *owner, struct sub *sub, const struct position *floor,
                       uint64_t clock, bool resumed);
    /* The check has made a log for it that nobody had written to. */
    void (*on_made)(void *owner, struct subscriber *s);
    /* The subscriber was told that the log begins again after `from`. */
    void (*on_reset)(void *owner, struct sub *sub, struct slice epoch, uint64_t from);
    /* The sub is about to be freed. */
    void (*on_dropped)(void *owner, struct sub *sub);
};

/* All channels of a node. */
struct hub {
    struct redis *redis;
    struct slabs *slabs;
    struct metrics *metrics;
    const struct hub_events *events;
    void *owner;
    void (*on_level)(struct channel *ch); /* catchup.c's: those that are behind may go on */
    struct map channels;
    struct list heals; /* channels that wait for their turn to read */
    size_t sub_count;  /* of all channels */
    unsigned reads;    /* heals' pages under way */
    bool stalled;      /* some sub could not send its read */
    uint64_t touched;  /* loop time; 0: they are touched again at once */
    uint32_t serial;
    uint32_t upsets;     /* one more when a channel stops being live; never 0 */
    size_t low_water;    /* bytes a socket may still hold when its next page is asked for */
    char page_bytes[24]; /* of a page, as the script wants it */
    uv_timer_t retry;
};

/* The channel if somebody here is in it. */
struct channel *hub_find(struct hub *h, struct slice name);
/* The subscriber's sub of that channel, or NULL. */
struct sub *sub_find(const struct subscriber *s, struct slice channel);

/* One that nobody is in yet, subscribed to its doorbell. NULL: no memory. */
struct channel *channel_make(struct hub *h, struct slice name,
                             const struct subscription_events *doorbell);
void channel_ref(struct channel *ch);
void channel_unref(struct channel *ch); /* frees it if nobody is left */
/* Asserts that the transition is one of those above. */
void channel_state_set(struct channel *ch, enum channel_state to);

/* Is this JSON string (a message's `channel`) its name? */
bool channel_is(const struct channel *ch, struct slice quoted);

/* Delivers a message to a channel's subscribers, but for those of the user `skip` (len 0:
 * nobody). The caller holds the channel (channel_ref): a delivery may close the last one. */
void channel_deliver(struct channel *ch, struct message *m, enum audience who,
                     struct slice skip);
/* The same for what came through Redis, with Redis's time: how long that took is measured. */
void channel_deliver_timed(struct channel *ch, struct message *m, enum audience who,
                           struct slice skip);

/* Waits until everything up to a seq has been handed to the sub's subscriber. */
struct waiter {
    struct list link;
    struct sub *sub;
    uint64_t seq;
    /* reached: false when the link to Redis fell before. */
    void (*done)(struct waiter *w, bool reached);
};
/* Calls done at once if it is so already. The owner of w takes it out (list_remove) if it goes
 * away before; sub_drop forgets it without a call. */
void sub_await(struct sub *sub, struct waiter *w);
/* Calls the waiters that are reached, or all of them (reached false). */
void channel_waiters(struct channel *ch, bool reached);

/* Tells a subscriber that what it had, or would have had, of these seqs is lost. */
void announce_reset(struct sub *sub, uint64_t from, uint64_t to);
/* The same to all that are live. */
void channel_announce(struct channel *ch, uint64_t from, uint64_t to);

#endif
