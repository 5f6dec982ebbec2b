#ifndef SLUICE_CORE_CORE_H
#define SLUICE_CORE_CORE_H

#include "gateway/core/client.h"
#include "gateway/core/peers.h"
#include "gateway/net/conn.h"
#include "gateway/options.h"

/*
 * The domain of one node: clients, channels, presence. It knows Redis as scripts and doorbells
 * and clients through their doors; no sockets, no framing.
 */

/* Another node's lease as this one has seen it. */
struct sighting {
    char incarnation[INCARNATION_SIZE];
    uint64_t lease;
    uint64_t since; /* loop time of the sweep that first saw this lease */
    bool reaping;
    bool swept; /* in the latest answer */
};

/* What a node says of itself: symbol, field of the hash. */
#define STAT_TABLE(X)                                                                          \
    X(READY, "ready")                                                                          \
    X(UPTIME, "uptime_s")                                                                      \
    X(CONNECTIONS, "connections")                                                              \
    X(CHANNELS, "channels")                                                                    \
    X(DELIVERIES, "deliveries_per_second")                                                     \
    X(EVENTS, "events_per_second")                                                             \
    X(LOOP_TURN_MAX, "loop_turn_max_us")                                                       \
    X(QUEUE, "queue_bytes")                                                                    \
    X(RSS, "rss_bytes")
#define STAT_ENUM(symbol, name) STAT_##symbol,
enum stat_kind { STAT_TABLE(STAT_ENUM) STAT_COUNT };
#undef STAT_ENUM

struct stats {
    uint64_t at;        /* loop time of the last rates */
    uint64_t delivered; /* by then */
    uint64_t events;    /* by then */
    uint64_t value[STAT_COUNT];
    char text[STAT_COUNT][24];
};

/* What is to be told of rooms' sizes. */
struct rooms {
    struct buf names; /* each with a NUL behind */
    uint64_t swept;   /* loop time of the last look at entries */
    uint64_t rank;    /* of the next entry to look at */
    bool stale;       /* Redis may lack what it was told */
};

/* due.c */
struct due {
    bool asked;
    bool all;                  /* that is under way */
    uint64_t looked;           /* loop time of the last look at old scores */
    uint64_t rank;             /* of the next one to look at */
    void (*done)(void *owner); /* the node goes: all are to be taken out */
};

struct core {
    const struct options *options;
    uv_loop_t *loop;
    struct net *net;    /* for the slabs */
    struct wheel wheel; /* of clients */
    struct wheel room_wheel;
    struct redis redis;
    struct hub hub;
    struct siphash_key roster_key;
    struct metrics *metrics;
    const char *node_id;
    struct subscribers clients; /* logged in or not */
    size_t waiting_bytes;       /* of events behind one in flight, of all clients */
    size_t chunk_bytes;         /* that unfinished message_chunk events hold */
    unsigned user_count;        /* of them: logged in */

    /* presence.c */
    struct list beaten;    /* clients whose user's score is due */
    struct list reenter;   /* clients to be registered under this incarnation */
    struct list lingering; /* gone clients that stay in presence a little */
    unsigned reentering;
    bool ghosts; /* some entry could not be taken out */
    uint32_t stamp;
    struct subscription *presence_bell;
    struct subscription *all_bell;

    /* session.c, recover.c */
    struct list sessions;   /* that are in Redis; those first that were kept first */
    struct list recoveries; /* that wait for Redis */
    uint32_t term_hash;     /* of the term of the Redis that is, or was last, up */

    /* lease.c */
    char incarnation[INCARNATION_SIZE];
    char former[INCARNATION_SIZE]; /* given up: others may reap it once all are registered anew
                                    */
    uint64_t former_since;
    bool leased; /* the lease has been taken */
    bool lease_asked;
    uint64_t lease_asked_us; /* of uv_hrtime */
    unsigned generation;     /* of incarnations */
    unsigned asked_generation;
    struct subscription *beacon_bell;
    uint64_t beacon_seen;
    uint64_t touched;
    struct sighting *sightings;
    size_t sighting_count;
    uv_timer_t lease_timer;
    struct stats stats;
    struct rooms rooms;
    struct due due;
    struct peers peers;
    const char *address; /* of the port, for the others to see */
    uint64_t born;       /* loop time */

    bool draining; /* who goes now lingers in Redis, not here */
    bool stopping;
    unsigned handles;
    void (*on_closed)(void *owner);
    void (*on_idle)(void *owner); /* while stopping: no script is on its way any more */
    void *owner;
};

/* Returns 0 or a libuv error. redis: where and how; copied. */
int core_init(struct core *core, uv_loop_t *loop, struct net *net,
              const struct options *options, const char *node_id,
              const struct redis_config *redis, void *owner);
void core_open(struct core *core);
/* The node is about to go: connections that linger are left to the other nodes, each with the
 * time that it is due, and so are those that end from now on. */
void core_drain(struct core *core);
/* Gives the lease back; what is left in presence is reaped by other nodes at once. If
 * there are none, nobody lingers. done in a later turn, or at once when Redis is away. */
void core_bye(struct core *core, void (*done)(void *owner));
void core_close(struct core *core, void (*on_closed)(void *owner));
void core_deinit(struct core *core);

static inline uint64_t core_now(const struct core *core) {
    return uv_now(core->loop);
}

/* Fires the timers of clients and rooms that are due. */
void core_tick(struct core *core, uint64_t now);
void client_timer(void *core, struct wheel_timer *t);

/* chunk.c: drops what no piece has come for in chunk_timeout; NULL is good. */
void chunks_expire(struct chunks *chunks, uint64_t now);

/* --- presence.c -----------------------------------------------------------------------------
 */
int presence_init(struct core *core);
/* The client should be in, or out of, the registry. Scripts follow as Redis allows. */
void presence_want(struct client *c, bool in);
/* The connection is over: out of the registry, at once or after the linger time. */
void presence_leave(struct client *c);
/* Logins that wait for the registry fail. */
void presence_redis_down(struct core *core);
/* Any event: the user's score is due, and a silent client comes back. */
void presence_beat(struct client *c, bool heartbeat);
void presence_timer(struct client *c);
/* From now on a client that has sent a heartbeat is held to it. */
void presence_hold(struct client *c);
/* Registers all clients anew, under a new incarnation. */
void presence_reenter(struct core *core);
/* The memberships of a client are made again; see room_reenter. */
void rooms_reenter(struct client *c);
/* Tries those again that Redis refused. */
void presence_pump(struct core *core);
/* Writes the scores that are due. */
void presence_scores(struct core *core, uint64_t elapsed_ms);
/* The room that a login under way enters; empty if there is none. */
struct slice login_room(const struct client *c);
/* All rooms that it enters; out: NULL, or room for them. Returns how many. None of a recovery,
 * whose user has been in them: which of them were left meanwhile is not known yet. */
size_t login_rooms(const struct client *c, struct slice *out);
/* A client's user enters a room: membership, roster. done may be NULL; false: Redis is away. */
enum room_mode { ROOM_QUIETLY, ROOM_ANNOUNCED, ROOM_ANEW }; /* as enter.lua has it */
bool room_enter(struct client *c, struct channel *ch, enum room_mode mode, redis_done done,
                void *arg);

/* A doorbell said that a user left a room: their connections here go too, if it is still so. */
void room_left(struct core *core, struct channel *ch, struct slice user);

/* A sub that could not be taken out while its login was under way has started. */
void room_recheck(struct core *core, struct sub *sub);
/* After an outage: the membership is made anew, or the sub is dropped if the user has left by
 * another connection meanwhile. */
void room_reenter(struct core *core, struct sub *sub);

/* --- roster.c -------------------------------------------------------------------------------
 */
/* Somebody came, went or changed state: the room's connections get its roster soon. */
void roster_touch(struct core *core, struct channel *ch);
/* A doorbell told a big room's counts. */
void roster_counted(struct core *core, struct channel *ch, struct slice counts);
/* The answer of enter.lua, for the others as usual. Returns true if all have just got it, the
 * newcomer too; else the newcomer gets it by roster_send. */
bool roster_entered(struct core *core, struct channel *ch, const struct reply *reply);
void roster_send(struct client *c, struct channel *ch, const struct reply *reply);
/* Somebody has been in the room without being told its roster: all are told it anew. */
void roster_renew(struct core *core, struct channel *ch);
bool roster_is_big(const struct channel *ch);
void roster_timer(void *core, struct wheel_timer *t);
void roster_free(struct core *core, struct channel *ch);

/* --- stats.c --------------------------------------------------------------------------------
 */
/* Measures, and puts field, value, ... into args; they hold until the next call. Returns how
 * many. */
#define STATS_ARGS (12 + 2 * STAT_COUNT)
size_t stats_args(struct core *core, struct slice args[STATS_ARGS]);

/* --- rooms.c --------------------------------------------------------------------------------
 */
/* Members of this room came online or went. */
void rooms_changed(struct core *core, struct slice room);
/* Writes the index: once an interval of the lease. */
void rooms_tell(struct core *core);

/* --- due.c ----------------------------------------------------------------------------------
 */
/* With each lease: takes out of presence who is due. */
void due_look(struct core *core);
/* Takes out all that linger: the last node goes. done perhaps before it returns. */
void due_take_all(struct core *core, void (*done)(void *owner));

/* --- lease.c --------------------------------------------------------------------------------
 */
int lease_init(struct core *core);
void lease_close(struct core *core, uv_close_cb on_closed);
void lease_deinit(struct core *core);
void lease_redis_up(struct core *core);
/* Drops the links if the beacon or the subscriber link's answers are late. Called often, so
 * that a silent link is noticed when its time is over and not with the next lease. */
void lease_watch(struct core *core);
/* Renews the lease now, for its answer: who is there. */
void lease_look(struct core *core);
/* node:<incarnation>, the name of its keys. */
struct slice node_channel(const char *incarnation, char out[INCARNATION_SIZE + 8]);
/* This incarnation was reaped, or its entries cannot be trusted: takes a new one. */
void lease_renew_incarnation(struct core *core);
void lease_all_entered(struct core *core);

#endif
