#ifndef SLUICE_CHANNEL_CHANNEL_H
#define SLUICE_CHANNEL_CHANNEL_H

#include <uv.h>

#include "common/map.h"
#include "common/metrics.h"
#include "common/name.h"
#include "gateway/channel/message.h"
#include "gateway/channel/position.h"
#include "gateway/channel/subscriber.h"
#include "gateway/channel/tide.h"
#include "gateway/redis/redis.h"

/*
 * A channel on this node: its place in the log, and the subscribers to which it delivers. hub.h
 * receives the messages.
 *
 *   SUBSCRIBING --confirmed--> HEALING --level with the log--> LIVE
 *        ^                        ^                              |
 *        |                        +--- hole, foreign epoch ------+
 *        +---------------- the subscriber link fell -------------+
 *
 * A channel's doorbell is a Redis Pub/Sub channel on which each new message is published. A
 * position moves only by the next seq or by an answer from the log. The log is always read
 * after the doorbell's subscription is confirmed, so no message can fall between the two.
 */
struct hub;

enum channel_state { CHANNEL_SUBSCRIBING, CHANNEL_HEALING, CHANNEL_LIVE };

struct channel {
    struct map_node node; /* by name; the bytes follow this struct */
    struct hub *hub;
    struct partition *redis; /* its own */
    struct subscription *subscription;
    enum channel_state state : 8;
    bool reading : 1;   /* a heal's page is under way */
    bool awaited : 1;   /* a sub has read past the position and waits until it gets there */
    bool compare : 1;   /* no message is known that it lacks: the log's end may be its own */
    bool stale : 1;     /* the heal's page was asked for before the subscription was lost */
    bool frozen : 1;    /* its subscription is lost; it was live at its partition's tide, which
                         * has not moved since */
    bool doubtful : 1;  /* since the heal's read was sent, a doorbell rang that the position
                         * cannot explain */
    unsigned busy;      /* references: deliveries and reads under way */
    struct position at; /* empty epoch: it has no position yet */
    struct list live;   /* subs that are level with the channel */
    struct list behind; /* subs that are not */
    struct list waiters;
    struct list reads;       /* pages under way for subs */
    struct list heal_link;   /* in hub_part.heals */
    struct list walk;        /* in the list of a walk over all channels that may free some */
    struct tail *tail;       /* frames that came since a read was sent */
    struct lineage *lineage; /* NULL: the log has had one epoch while the channel was here */
    void *room;              /* a room's roster; belongs to presence/roster.c */
    char name[];
};

static inline struct slice channel_name(const struct channel *ch) {
    return ch->node.key;
}

/* A sub is one subscriber in one channel. It is behind until it is level with the channel;
 * until then its `catchup` (catchup.h) says how far it is. */
struct catchup;
struct sub {
    struct channel *channel;
    struct subscriber *subscriber;
    struct list in_channel;
    struct list in_subscriber;
    uint64_t seq; /* it has everything up to this seq; a live sub also has everything up to the
                   * channel's position */
    struct catchup *catchup; /* NULL: live */
    bool started;            /* sub_start was called: what follows its position is its own */
    bool granted;            /* a back end has let it in, so it needs no right of its own */
    bool recheck;            /* its user may have left the room: ask when the sub has started */
    bool entering;           /* its user may not stand in the room yet */
    uint32_t serial; /* tells it from a later sub of the same subscriber in this channel */
};

enum audience {
    AUDIENCE_NONE,
    AUDIENCE_LIVE,
    AUDIENCE_STARTED, /* also the subs that are behind and have started: no log would bring them
                       * an ephemeral message */
    AUDIENCE_ENTERED, /* also the subs that are behind, but for those that are `entering` */
    AUDIENCE_ALL /* also these. Presence events need this, since the log that such subs read
                  * does not have them: a new member must hear of every user that enters after
                  * its roster was made. */
};

/* Calls to the layer above. None of them may free the channel. */
struct hub_events {
    /* An ephemeral message of a room came. Returns its audience. *skip: a user whose
     * connections do not get it. */
    enum audience (*on_room_event)(void *owner, struct channel *ch, const struct message *m,
                                   struct name *skip);
    /* The channel is level with the log again after the link was lost. */
    void (*on_healed)(void *owner, struct channel *ch);
    /* The channel is about to be freed. */
    void (*on_free)(void *owner, struct channel *ch);
    /* A subscriber is about to have a new sub, which is not live yet. */
    void (*on_entering)(void *owner, struct subscriber *s);
    /* The sub was checked, and will begin after `floor`. clock: a message with a later time was
     * appended after the check. resumed: messages from the log come first. */
    void (*on_entered)(void *owner, struct sub *sub, const struct position *floor,
                       uint64_t clock, bool resumed);
    /* The check has made the log's `meta`; until then the log did not exist. */
    void (*on_made)(void *owner, struct subscriber *s);
    /* The subscriber was told that the log begins again after `from`. */
    void (*on_reset)(void *owner, struct sub *sub, struct slice epoch, uint64_t from);
    /* The sub is about to be freed. */
    void (*on_dropped)(void *owner, struct sub *sub);
};

/* The channels of a partition. */
struct hub_part {
    struct map channels;
    struct list heals; /* those that wait until they are compared with their logs */
    unsigned healing;  /* how much is asked of Redis for heals just now (heal.c) */
};

/* All channels of a node. */
struct hub {
    struct redis *redis;
    struct slabs *slabs;
    struct metrics *metrics;
    const struct hub_events *events;
    void *owner;
    void (*on_level)(struct channel *ch);   /* the channel is live: its subs that are behind may
                                             * go on (set to a function of catchup.c) */
    struct hub_part parts[PARTITIONS_MOST]; /* by partition */
    struct tide *tides;                     /* by partition; NULL with one Redis */
    size_t channel_count;
    size_t live_count; /* channels that are live */
    size_t sub_count;  /* of all channels */
    bool stalled;      /* some sub could not send its read, or waits for its channel */
    uint64_t touched;  /* loop time of the last touch; 0: touch them again at once */
    uint32_t serial;   /* the last one that a sub was given */
    uint32_t upsets;   /* counts each time that a channel stops being live, or that a tide says
                        * less; never 0 */
    size_t low_water;  /* bytes that a socket may still hold when its next page is asked for */
    char page_bytes[24]; /* the most bytes of a page, as digits for the script */
    uv_timer_t retry;
};

static inline void hub_upset(struct hub *h) {
    h->upsets += 1 + (h->upsets == UINT32_MAX);
}

static inline struct hub_part *hub_part_of(const struct channel *ch) {
    return &ch->hub->parts[ch->redis->index];
}

/* Walks the channels of a partition; NULL begins, NULL ends. None may come or go in between. */
struct channel *hub_next(struct hub *h, const struct partition *p, const struct channel *ch);
/* The channel, or NULL if nobody on this node is in it. */
struct channel *hub_find(struct hub *h, struct slice name);
/* The subscriber's sub of that channel, or NULL. */
struct sub *sub_find(const struct subscriber *s, struct slice channel);

/* Makes a channel without subs, and subscribes to its doorbell. NULL: no memory. */
struct channel *channel_make(struct hub *h, struct slice name,
                             const struct subscription_events *doorbell);
void channel_ref(struct channel *ch);
void channel_unref(struct channel *ch); /* frees it if no sub and no reference is left */
/* The only way to change the state. It asserts that the diagram above has the transition. */
void channel_state_set(struct channel *ch, enum channel_state to);

/* Is this JSON string (a message's `channel`) the name of the channel? */
bool channel_is(const struct channel *ch, struct slice quoted);

/* Delivers a message to a channel's subscribers, except those of the user `skip` (len 0: no
 * user). The caller holds the channel (channel_ref), since a delivery may close the last
 * subscriber. */
void channel_deliver(struct channel *ch, struct message *m, enum audience who,
                     struct slice skip);
/* The same for a message that came through Redis. It measures the time from publish to
 * delivery. */
void channel_deliver_timed(struct channel *ch, struct message *m, enum audience who,
                           struct slice skip);

/* Waits until the subscriber of a sub was sent everything up to a seq. */
struct waiter {
    struct list link;
    struct sub *sub;
    uint64_t seq;
    /* reached: false if the link to Redis was lost first. */
    void (*done)(struct waiter *w, bool reached);
};
/* Calls `done` before it returns if the seq is reached already. The owner of w takes it out by
 * list_remove if w goes away earlier. sub_drop takes it out without a call. */
void sub_await(struct sub *sub, struct waiter *w);
/* Calls `done` of each waiter whose seq is reached; with reached false, of every waiter. */
void channel_waiters(struct channel *ch, bool reached);

/* Tells a subscriber that the messages of these seqs are lost: those that it had, and those
 * that it would have got. */
void announce_reset(struct sub *sub, uint64_t from, uint64_t to);
/* The same for all live subs. */
void channel_announce(struct channel *ch, uint64_t from, uint64_t to);

#endif
