#ifndef SLUICE_CORE_HUB_H
#define SLUICE_CORE_HUB_H

#include "common/list.h"
#include "common/map.h"
#include "common/metrics.h"
#include "common/name.h"
#include "gateway/core/message.h"
#include "gateway/redis/redis.h"

/*
 * The node's side of channels: one subscription to a channel's doorbell however many clients
 * want it, a position in its log, and the heal that mends whatever the doorbell missed.
 *
 *   SUBSCRIBING --confirmed--> HEALING --level with the log--> LIVE
 *        ^                        ^                              |
 *        |                        +--- hole, foreign epoch ------+
 *        +---------------- the subscriber link fell -------------+
 *
 * A position moves only by the next seq or by what the log says. The log is always read after
 * the subscription is confirmed, so nothing can fall between the two.
 *
 * A client's sub is BEHIND until it is level with the channel: it is checked against the log
 * (one answer to the caller), then reads pages as its socket drains, then joins the live list.
 */
struct client;
struct hub;

struct position {
    char epoch[16]; /* empty: from now on */
    uint64_t seq;
};

/* Of an epoch that is too long, which no log has, the beginning. */
static inline void position_set(struct position *p, struct slice epoch, uint64_t seq) {
    size_t len = epoch.len < sizeof p->epoch ? epoch.len : sizeof p->epoch - 1;
    if (len > 0)
        memcpy(p->epoch, epoch.ptr, len);
    p->epoch[len] = '\0';
    p->seq = seq;
}

enum channel_state { CHANNEL_SUBSCRIBING, CHANNEL_HEALING, CHANNEL_LIVE };

struct channel {
    struct map_node node; /* by name; the bytes follow this struct */
    struct hub *hub;
    struct subscription *subscription;
    enum channel_state state;
    struct position at; /* epoch empty: it has none yet */
    struct list live;   /* subs */
    struct list behind; /* subs */
    struct list waiters;
    struct list reads;     /* pages under way */
    struct list heal_link; /* in hub->heals */
    struct list walk;      /* of a walk over all channels that may free some */
    bool reading;          /* a heal's page is under way */
    bool awaited;          /* a sub has read past the position and waits for it */
    bool stale;            /* it was asked for before the subscription was lost */
    bool doubtful; /* a doorbell since the heal's read was sent that the position cannot explain
                    */
    unsigned busy; /* deliveries under way: it must not be freed */
    struct tail *tail;       /* frames since a read was sent */
    struct lineage *lineage; /* NULL: its log has had one epoch as long as it is here */
    void *room;              /* the roster of a room: presence.c's */
    char name[];
};

static inline struct slice channel_name(const struct channel *ch) {
    return ch->node.key;
}

struct catchup;
struct sub {
    struct channel *channel;
    struct client *client;
    struct list in_channel;
    struct list in_client;
    uint64_t seq; /* live: it has everything up to this, or up to the channel's position */
    struct catchup *catchup; /* NULL: live */
    bool recheck;            /* its user may have left the room: ask once it has started */
    uint32_t serial;         /* tells it from a later sub of the same client and channel */
};

enum check_result {
    CHECK_GOOD,  /* the position given is good, or none was given */
    CHECK_LOST,  /* what followed it is not to be had */
    CHECK_FAILED /* Redis could not be asked: the sub is gone */
};
/* now: the end of the log. */
typedef void (*sub_checked)(void *arg, struct sub *sub, enum check_result result,
                            const struct position *now);

enum audience {
    AUDIENCE_NONE,
    AUDIENCE_LIVE,
    AUDIENCE_ALL /* those that are behind as well: of who is there, comes and goes, which is not
                  * in the log that they read. A newcomer is told of whoever comes after the
                  * roster that it was given. */
};

struct hub_events {
    /* An ephemeral message of a room: who gets it? *skip: a user whose connections do not. */
    enum audience (*on_room_event)(void *owner, struct channel *ch, const struct message *m,
                                   struct name *skip);
    /* The channel is level with the log again after the link was lost. */
    void (*on_healed)(void *owner, struct channel *ch);
    /* The channel is about to be freed. */
    void (*on_free)(void *owner, struct channel *ch);
};

struct hub {
    struct redis *redis;
    struct slabs *slabs;
    struct metrics *metrics;
    const struct hub_events *events;
    void *owner;
    struct map channels;
    struct list heals; /* channels that wait for their turn to read */
    size_t sub_count;  /* of all channels */
    unsigned reads;    /* heals' pages under way */
    bool stalled;      /* some sub could not send its read */
    uint32_t serial;
    uint32_t upsets;     /* one more when a channel stops being live; never 0 */
    size_t low_water;    /* bytes a socket may still hold when its next page is asked for */
    char page_bytes[24]; /* of a page, as the script wants it */
    uv_timer_t retry;
};

/* max_queue: bytes that may wait for a connection; pages are a part of that. */
int hub_init(struct hub *h, uv_loop_t *loop, struct redis *redis, struct slabs *slabs,
             size_t max_queue, struct metrics *metrics, const struct hub_events *events,
             void *owner);
/* No sub may be left. */
void hub_close(struct hub *h, uv_close_cb on_closed);
void hub_deinit(struct hub *h);
/* From redis_events.on_down: what waits for Redis fails. */
void hub_redis_down(struct hub *h);
/* From redis_events.on_up. */
void hub_redis_up(struct hub *h);

/* The channel if somebody here is in it. */
struct channel *hub_find(struct hub *h, struct slice name);

/* Is this JSON string (a message's `channel`) its name? */
bool channel_is(const struct channel *ch, struct slice quoted);

/*
 * Puts a client into a channel. since: what the client has, or an empty epoch. `checked` is
 * called once in a later turn, unless the sub is dropped before; after CHECK_FAILED the sub is
 * gone. Nothing of the log is delivered before sub_start. NULL: no memory.
 */
struct sub *hub_subscribe(struct hub *h, struct client *client, struct slice name,
                          const struct position *since, sub_checked checked, void *arg);
/* Begins to deliver: from `since` if that was good, else from the position that was checked. */
void sub_start(struct sub *sub);
/* Takes the client out; no callback comes after it. */
void sub_drop(struct sub *sub);
/* What the client has of the channel, as far as it has been sent to it. */
struct position sub_position(const struct sub *sub);
/* False between hub_subscribe and sub_start. */
bool sub_started(const struct sub *sub);
/* The client's socket has drained: pages go on. */
void sub_drained(struct sub *sub);

/* Waits until everything up to a seq has been handed to the sub's client. */
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

/* Delivers a message to a channel's clients, but for those of the user `skip` (len 0: nobody).
 * The caller holds the channel (channel_ref): a delivery may close the last client. */
void channel_deliver(struct channel *ch, struct message *m, enum audience who,
                     struct slice skip);

/* Items of a page before its frames: status, epoch, seq, from, clock, forks (read.lua); a check
 * has one more if it made the log's meta. */
#define PAGE_HEAD 6
/* Where to go on behind a page after `from` that has no message: if it has entries, somebody
 * wrote them by hand, and each has a seq of its own; if not, all up to `last` fell out of the
 * log. */
uint64_t page_end(const struct reply *page, uint64_t from, uint64_t last);

/* --- between hub.c and catchup.c
 * --------------------------------------------------------------- */
void channel_ref(struct channel *ch);
void channel_unref(struct channel *ch); /* frees it if nobody is left */
/* Compares the channel with its log, if that is not being done. */
void channel_heal(struct channel *ch);
/* The reads of subs under way were asked for before the subscription was lost. */
void reads_stale(struct channel *ch);
/* After the position moved to the end of the log: live, or healing once more. */
void channel_check_live(struct channel *ch);
/* Calls the waiters that are reached, or all of them (reached false). */
void channel_waiters(struct channel *ch, bool reached);
/* Moves the subs that are behind, as far as they can go now. */
void channel_step_behind(struct channel *ch);
/* Those that still wait for their first answer fail. */
void sub_fail_checks(struct channel *ch);
struct sub *catchup_new(struct channel *ch, struct client *client, const struct position *since,
                        sub_checked checked, void *arg);
void announce_reset(struct sub *sub, uint64_t from, uint64_t to);
bool client_is(const struct client *c, struct slice origin);
/* Frames that came while a read was under way. False: no room; then tail_forget is due. */
bool tail_record(struct channel *ch, const struct message *m);
void tail_forget(struct channel *ch);
/* How many recorded frames the position does not cover. */
unsigned tail_unexplained(const struct channel *ch);
/* Calls `each` for the recorded frames that continue at seq + 1 of that epoch, in order, until
 * it returns false. */
void tail_replay(struct channel *ch, struct slice epoch, uint64_t seq,
                 bool (*each)(void *arg, struct message *m), void *arg);

#endif
