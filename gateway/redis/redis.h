#ifndef SLUICE_REDIS_REDIS_H
#define SLUICE_REDIS_REDIS_H

#include "common/list.h"
#include "gateway/redis/clock.h"
#include "gateway/redis/durable.h"
#include "gateway/redis/link.h"
#include "gateway/redis/policy.h"
#include "gateway/redis/rising.h"
#include "gateway/redis/scripts.h"
#include "gateway/redis/subscriptions.h"
#include "gateway/redis/topology.h"

/*
 * One Redis as the node sees it: a command link, a subscriber link and the scripts. It comes up
 * when both links are ready and lead to the same master, the subscriber link has heard
 * something, and the master has told its term (rising.h). It goes down when the command link
 * falls. When the subscriber link falls alone, Redis is deaf: commands go on, and it goes down
 * only if the link is not back within the timeout. Keys are given as channel names
 * (room:lobby); prefix and braces are added here.
 *
 * With Sentinels the links go where the master is, at once when the Sentinels name another one
 * (topology.h). Nothing else changes.
 *
 * After each greeting the master is asked for its term (term.lua). The term is a number that is
 * raised whenever another server becomes the master, or the same one after it was demoted and
 * promoted. Each script carries the term. Redis answers STALE to an append with another term
 * than its own; then both links are dropped and greet it again. So nothing is appended without
 * a new epoch to a log that lost its tail, even if a link stays open over a failover and back.
 */
struct redis;

struct redis_events {
    /* Redis came up, or, without an on_down before, it hears again after it was deaf.
     * Subscriptions are renewed without the owner. changed: the term differs from the last one,
     * or it is the first. Then the last messages that were acknowledged in the earlier term may
     * be missing. */
    void (*on_up)(void *owner, bool changed);
    void (*on_down)(void *owner, const char *why);
    /* Redis answered a command with an error. The owner counts it; it is logged here. */
    void (*on_error)(void *owner, struct slice text);
};

struct redis_config {
    struct redis_address address;     /* with Sentinels the host is what they tell */
    struct topology_config sentinels; /* without seeds: the address is the master's */
    struct script_constants constants;
    const char *node;
    struct metrics *metrics; /* has the round trips of commands */
    struct durable wait;     /* the numbers of the option redis-wait */
    uint64_t timeout_ms;
    uint64_t backoff_ms; /* the longest wait of a link that fell before it tries again */
};

struct redis {
    struct redis_config config;
    const struct redis_events *events;
    void *owner;
    struct scripts scripts;
    bool loaded[SCRIPT_COUNT]; /* sent as a whole over the command link since it is ready */
    struct link commands;
    struct link subscriber;
    struct link *links[3]; /* those that lead to Redis, in the order in which they are opened */
    unsigned link_count;
    struct rising rising;
    struct topology topology; /* with Sentinels */
    bool up;
    bool deaf;            /* up, while only the subscriber link is away */
    char term[TERM_SIZE]; /* of the server that is up, or was up last; "" before the first */
    uint64_t probed;      /* when the subscriber link last answered a probe, or became ready */
    uv_timer_t deaf_timer;
    char
        lost_text[256]; /* why a link fell last; the same reason is not logged twice in a row */
    char error_text[256];     /* Redis's last error */
    struct redis_clock clock; /* empty when Redis comes up; lease.c sets it */
    struct policy policy;
    struct durable durable;
    struct subscriptions subscriptions;
    struct buf scratch;
    char names[2][160];
    unsigned open_parts;
    void (*on_closed)(void *owner);
    uint64_t error_logged; /* loop time of the last error line */
    unsigned errors_held;  /* errors after that which were not logged */
};

/* Prepares it. Returns 0 or a libuv error. */
int redis_init(struct redis *r, uv_loop_t *loop, const struct redis_config *config,
               const struct redis_events *events, void *owner);
/* From their next connection on, the links speak TLS with this context, which stays the
 * caller's; NULL: plain. Called at the start, too. */
void redis_use_tls(struct redis *r, SSL_CTX *context);
/* Connects, and keeps trying for ever. */
void redis_open(struct redis *r);
/* Closes Redis for good. on_closed comes in a later turn; all subscriptions must be gone by
 * then. */
void redis_close(struct redis *r, void (*on_closed)(void *owner));
void redis_deinit(struct redis *r);

/* The address of our end of the command link. False: there is no link, or it is a Unix socket.
 */
bool redis_here(const struct redis *r, struct sockaddr_storage *out);

static inline bool redis_up(const struct redis *r) {
    return r->up;
}

/* True while Redis is up, but published messages are not received. */
static inline bool redis_deaf(const struct redis *r) {
    return r->deaf;
}

/* Why Redis is not up, or why it is deaf; NULL if it is up and hears. Valid until the
 * fourth call of log_text from now. */
const char *redis_trouble(const struct redis *r);

/* Asks the subscriber link for a sign of life, if it is ready, since requests may get lost on
 * it while messages still come. redis_probe_age: the ms since the last sign of life. */
void redis_probe(struct redis *r);
uint64_t redis_probe_age(const struct redis *r);

/* Asks from time to time whether Redis evicts keys (policy.h). Called with each lease. */
void redis_look(struct redis *r);

/* Drops both links and connects again, for example after a late beacon or when the master was
 * demoted. */
void redis_reset(struct redis *r, const char *why);

/*
 * Runs a script. keys: channel names; args: its arguments after the term and the fresh epoch,
 * which are added here. done: as redis_done; a reply is an array whose first item is a number.
 * Returns false when Redis is not up; then nothing is sent, and done is never called.
 */
bool redis_script(struct redis *r, enum script script, const struct slice keys[],
                  size_t key_count, const struct slice args[], size_t arg_count,
                  redis_done done, void *arg);

/* Commands that Redis has not answered yet. */
static inline unsigned redis_pending(const struct redis *r) {
    return r->commands.pipeline.in_flight;
}

/* Bytes of commands that Redis has not taken yet. */
static inline size_t redis_backlog(const struct redis *r) {
    return r->commands.pipeline.out.len + r->commands.pipeline.writing.len;
}

/*
 * True while unanswered commands hold so much memory that no more should be sent for clients;
 * request_script then refuses them. Commands that keep the node alive and its channels complete
 * are still sent.
 */
#define REDIS_HELD_MOST 67108864
static inline size_t redis_held(const struct redis *r) {
    return pipeline_held(&r->commands.pipeline) + pipeline_held(&r->subscriber.pipeline);
}
static inline bool redis_is_full(const struct redis *r) {
    return pipeline_held(&r->commands.pipeline) >= REDIS_HELD_MOST;
}
/* Runs a script that a client asked for. As redis_script, but also false when redis_is_full. */
static inline bool redis_script_asked(struct redis *r, enum script script,
                                      const struct slice keys[], size_t key_count,
                                      const struct slice args[], size_t arg_count,
                                      redis_done done, void *arg) {
    return !redis_is_full(r) &&
           redis_script(r, script, keys, key_count, args, arg_count, done, arg);
}

/* As redis_script_asked, for a script that appends: its answer comes when so many replicas have
 * what it wrote as the option redis-wait says. If they do not have it in time, there is no
 * answer, and the outcome is unknown. */
bool redis_append(struct redis *r, enum script script, const struct slice keys[],
                  size_t key_count, const struct slice args[], size_t arg_count,
                  redis_done done, void *arg);

/* PUBLISH on a channel of exactly that name. done may be NULL. Returns as redis_script. */
bool redis_publish(struct redis *r, struct slice channel, struct slice payload, redis_done done,
                   void *arg);

/*
 * Subscribes to a Redis channel of exactly that name (redis_doorbell makes one of a channel's
 * name); at most once at a time for a name. Callbacks come in later turns. NULL: no memory.
 */
struct subscription *redis_subscribe(struct redis *r, struct slice channel,
                                     const struct subscription_events *events, void *arg);
/* No callback comes after this. */
void redis_unsubscribe(struct redis *r, struct subscription *s);
/* Appends prefix, braces and name. */
void redis_doorbell(const struct redis *r, struct buf *out, struct slice name);

/* Writes out the commands that the turn gathered, and drops links that are too slow to come up.
 * Called once a turn; there is at least one turn a second. */
void redis_flush(struct redis *r);

#endif
