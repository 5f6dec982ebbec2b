#ifndef SLUICE_REDIS_PARTITION_H
#define SLUICE_REDIS_PARTITION_H

#include "gateway/redis/clock.h"
#include "gateway/redis/held.h"
#include "gateway/redis/server.h"
#include "gateway/redis/subscriptions.h"

/*
 * A partition is a part of the names: a channel's keys are all in one of them. One Redis has
 * one partition. A Cluster has `redis-partitions` of them, each in one slot and so on one
 * master, with a clock, a term and a registry of its own. So a partition goes down and comes up
 * for itself.
 *
 * It is up when its server is ready (server.h) and has told the partition's term (term.lua).
 * When the server's subscriber link falls alone, the partition is deaf: scripts go on, and it
 * goes down only if the link is not back within the timeout.
 *
 * When its slot moves to another master, its scripts are held (held.h) for at most 2 s, and it
 * is deaf meanwhile, not down. A slot from which the old master still moves keys is held in the
 * same way.
 *
 * The term is a number that is raised whenever another server becomes the partition's master,
 * or the same one after it was demoted and promoted. Each script carries the term. Redis
 * answers STALE to an append with another term than its own; then the server's links are
 * dropped and greet it again. So nothing is appended without a new epoch to a log that lost its
 * tail, even if a link stays open over a failover and back. A server that tells neither run_id
 * nor replid gets a new term with each node that comes: there only the term is asked for again.
 */
#define TERM_SIZE 24

struct partition;

struct partition_events {
    /* It came up; or, without an on_down before, it hears again after it was deaf, or has
     * another term (`stood`). changed: the term differs from the last one, or it is the first,
     * and the server may be another one. */
    void (*on_up)(struct partition *p, bool changed);
    void (*on_down)(struct partition *p, const char *why);
};

struct partition {
    unsigned index;
    const struct partition_events *events;
    void *owner;
    struct server *server; /* its master; NULL: none is known */
    bool up;
    bool deaf;            /* up, while only the subscriber link is away */
    char term[TERM_SIZE]; /* of the server that is up, or was up last; "" before the first */
    bool stood;     /* at the last on_up only the term was another: nothing had been down */
    bool asked;     /* the server's answer with the term is awaited */
    uint64_t since; /* loop time of that question */
    bool stale;     /* Redis refused our term, and has told no other since */
    struct redis_clock clock; /* empty when it comes up; lease.c sets it */
    struct subscriptions subscriptions;
    struct held_scripts held;
    uint64_t moving; /* loop time since which its slot has another master, which is not ready
                      * yet; 0: it does not move */
    uint64_t unheard_at; /* loop time at which Redis ended a subscription; 0: it did not */
    uint64_t probe_at;   /* loop time at which a held slot is tried again */
    bool probing;
    char head[80]; /* what the names of the partition's own keys begin with */
    struct durable_part part;
    char open[84]; /* what stands before a channel's name in Redis, */
    char close[2]; /* and after it */
    char never_a_key[96];
    struct appending *appending; /* owned by batch.c, as is the next */
    size_t appending_bytes;      /* of the messages that are not answered */
    bool declares; /* each script gets the name of a channel of the partition, which is never a
                    * key, as its last key: a slot that moves refuses it */
};

/* Redis said, or showed, that another master may have had the partition's slot for a while. An
 * append that was sent before, and waits for replicas, is unknown. */
static inline void partition_doubt(struct partition *p) {
    p->part.doubts++;
}

/* Prepares it. prefix: of all keys. tag: of a partition of a Cluster, or NULL for one Redis. */
void partition_init(struct partition *p, unsigned index, const char *prefix, const char *tag,
                    const struct partition_events *events, void *owner);
void partition_deinit(struct partition *p);

/* --- for redis.c ----------------------------------------------------------------------------
 */
/* The server is its master now. Subscriptions that stood elsewhere are lost. NULL: nobody is. A
 * partition that is up is held until the server is ready; if it is, the caller calls
 * partition_rise. */
void partition_place(struct partition *p, struct server *server);
/* A script was answered with MOVED, ASK or TRYAGAIN: it is held. False: it is to fail. */
bool partition_hold(struct partition *p, const struct command *c);
/* A script was answered with STALE, on a server that does not tell what it is: it is held, and
 * sent again with the term that Redis has now. False: it is to fail, and the links greet the
 * server again. */
bool partition_outdated(struct partition *p, const struct command *c);
/* The server is ready: asks for the term, unless the partition is up and hears. on_up comes in
 * a later turn. False: nothing had to be asked. */
bool partition_rise(struct partition *p);
/* It cannot be used. Calls on_down if it was up. */
void partition_fall(struct partition *p, const char *why);
/* The subscriber link fell alone. */
void partition_deafen(struct partition *p);
/* Redis has ended, or refused, a subscription, since the slot is another master's. */
void partition_unheard(struct partition *p);
/* The subscriber link has something for it. False: Redis has ended a subscription, since the
 * slot is another master's. */
bool partition_take(struct partition *p, const struct reply *push);
/* Does what is due: drops the server's links when the term is not told in time, goes on with
 * what is held, or gives it up. Called once a turn. */
void partition_watch(struct partition *p);

/* --- for the domain -------------------------------------------------------------------------
 */
static inline bool redis_up(const struct partition *p) {
    return p->up;
}
/* True while it is up, but published messages are not received. */
static inline bool redis_deaf(const struct partition *p) {
    return p->deaf;
}

/*
 * Runs a script. keys: names, which all lie in this partition; prefix and braces are added
 * here, and after them the further keys that the script declares (scripts.h). args: its
 * arguments after the term and the fresh epoch, which are added here. done: as redis_done; a
 * reply is an array whose first item is a number. Returns false when the partition is not up;
 * then nothing is sent, and done is never called.
 */
bool redis_script(struct partition *p, enum script script, const struct slice keys[],
                  size_t key_count, const struct slice args[], size_t arg_count,
                  redis_done done, void *arg);

/*
 * True while unanswered commands hold so much memory that no more should be sent for clients;
 * request_script then refuses them. Commands that keep the node alive and its channels complete
 * are still sent.
 */
#define REDIS_HELD_MOST 67108864
bool redis_is_full(const struct partition *p);
/* Runs a script that a client asked for. As redis_script, but also false when redis_is_full. */
static inline bool redis_script_asked(struct partition *p, enum script script,
                                      const struct slice keys[], size_t key_count,
                                      const struct slice args[], size_t arg_count,
                                      redis_done done, void *arg) {
    return !redis_is_full(p) &&
           redis_script(p, script, keys, key_count, args, arg_count, done, arg);
}

/* For batch.c: as redis_script, for a script that appends. Its answer comes when so many
 * replicas have what it wrote as the option redis-wait says. If they do not have it in time,
 * there is no answer, and the outcome is unknown. */
bool redis_durable(struct partition *p, enum script script, const struct slice keys[],
                   size_t key_count, const struct slice args[], size_t arg_count,
                   redis_done done, void *arg);

/*
 * Subscribes to a Redis channel of exactly that name, which redis_doorbell or redis_bell made;
 * at most once at a time for a name. Callbacks come in later turns. NULL: no memory.
 */
struct subscription *redis_subscribe(struct partition *p, struct slice channel,
                                     const struct subscription_events *events, void *arg);
/* No callback comes after this. */
void redis_unsubscribe(struct partition *p, struct subscription *s);
/* Appends the name under which Redis has a channel's doorbell. */
void redis_doorbell(const struct partition *p, struct buf *out, struct slice name);
/* Appends the name of a bell of the partition itself, such as `presence`. */
void redis_bell(const struct partition *p, struct buf *out, const char *name);

/* Another node has come. Where that begins a term, asks for it at once, and not when a script
 * is refused. */
void redis_look_for_term(struct partition *p);
/* Asks the subscriber link for a sign of life, if it is ready, since requests may get lost on
 * it while messages still come. redis_probe_age: the ms since the last sign of life. */
void redis_probe(struct partition *p);
uint64_t redis_probe_age(const struct partition *p);
/* Asks from time to time whether Redis evicts keys (policy.h). Called with each lease. */
void redis_look(struct partition *p);
/* Drops the links to its server and connects again, for example after a late beacon. */
void redis_reset(struct partition *p, const char *why);
/* The address of our end of the command link. False: there is no link, or it is a Unix socket.
 */
bool redis_here(const struct partition *p, struct sockaddr_storage *out);

#endif
