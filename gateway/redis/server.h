#ifndef SLUICE_REDIS_SERVER_H
#define SLUICE_REDIS_SERVER_H

#include "gateway/redis/durable.h"
#include "gateway/redis/link.h"
#include "gateway/redis/orphans.h"
#include "gateway/redis/policy.h"
#include "gateway/redis/scripts.h"

/*
 * One master as the node sees it: a command link, a subscriber link, and with redis-wait a
 * third one. The server is ready when all are ready, lead to the same server, and the
 * subscriber link has heard something: one that has heard nothing may still be refused. Before
 * it is told to be ready, our connections that fell are ended (orphans.h).
 *
 * It knows nothing of channels, terms and partitions (partition.h).
 */
struct server;

struct server_events {
    /* The server is ready. Told again whenever a link became ready or heard something and the
     * server was not settled since (server_settled). */
    void (*on_ready)(struct server *s);
    /* The command link fell, or another one as well, and the server cannot be used. */
    void (*on_down)(struct server *s, const char *why);
    /* The subscriber link fell alone: commands go on, and nothing published is received. */
    void (*on_deaf)(struct server *s);
    /* The subscriber link's server does not serve a slot (MOVED, CLUSTERDOWN), so some of its
     * subscriptions were not made. */
    void (*on_unsubscribed)(struct server *s);
    /* A link fell though it was not sent elsewhere. Comes before on_down and on_deaf. */
    void (*on_doubt)(struct server *s);
    /* The subscriber link became ready. */
    void (*on_hears)(struct server *s);
    /* The subscriber link fell. */
    void (*on_unheard)(struct server *s);
    /* The subscriber link has a message, a confirmation or a pong. */
    void (*on_push)(struct server *s, const struct reply *push);
    /* An error reply; it is logged already. */
    void (*on_error)(struct server *s, struct slice text);
    /* As link_events.on_moving. */
    bool (*on_moving)(struct server *s, const struct command *c, struct slice text);
};

struct server_config {
    const char *node; /* the caller's */
    const struct scripts *scripts;
    struct metrics *metrics; /* has the round trips of commands */
    struct durable wait;     /* the numbers of the option redis-wait */
    uint64_t timeout_ms;
    uint64_t backoff_ms; /* the longest wait of a link that fell before it tries again */
};

struct server {
    const struct server_config *config;
    const struct server_events *events;
    void *owner;
    struct redis_address address;
    struct link commands;
    struct link subscriber;
    struct durable durable;
    struct link *links[3]; /* in the order in which they are opened */
    unsigned link_count;
    bool loaded[SCRIPT_COUNT]; /* sent as a whole over the command link since it is ready, and
                                * not refused unread */
    bool settled;
    bool kill_warned;    /* the log has said that CLIENT KILL is refused */
    uint64_t moved_at;   /* loop time at which it said MOVED last; 0: never. The owner's */
    uint64_t probing_at; /* loop time of the last probe */
    uint64_t deaf_since; /* loop time; 0: it is not deaf. The owner's */
    uint64_t
        left_at; /* loop time at which another master got all of its slots; 0. The owner's */
    uint64_t denied_at;  /* loop time at which it refused CLUSTER NODES last; 0. The owner's */
    uint64_t idle_since; /* loop time since which no partition has it; 0. The owner's */
    uint64_t probed;     /* when the subscriber link last answered a probe, or became ready */
    struct orphans orphans;
    struct policy policy;
    char
        lost_text[256]; /* why a link fell last; the same reason is not logged twice in a row */
    char error_text[256];  /* Redis's last error */
    uint64_t error_logged; /* loop time of the last error line */
    unsigned errors_held;  /* errors after that which were not logged */
    struct buf scratch;    /* for whoever puts a command together */
    char names[2][160];
    unsigned open_links;
    void (*on_closed)(struct server *s, void *arg);
    void *closed_arg;
};

/* Prepares it. address is copied; config, events and owner stay the caller's. */
void server_init(struct server *s, uv_loop_t *loop, const struct server_config *config,
                 const struct redis_address *address, const struct server_events *events,
                 void *owner);
/* From their next connection on, the links speak TLS with this context; NULL: plain. */
void server_use_tls(struct server *s, SSL_CTX *context);
/* Connects, and keeps trying for ever. Calls nothing back before it returns. */
void server_open(struct server *s);
/* Closes it for good. on_closed comes in a later turn. */
void server_close(struct server *s, void (*on_closed)(struct server *s, void *arg), void *arg);

/* Frees what a closed one holds. */
void server_deinit(struct server *s);

/* Drops all links; they come again by themselves. on_down is called before it returns if they
 * stood. */
void server_reset(struct server *s, const char *why);
/* The master is at another address now: goes there at once. */
void server_go(struct server *s, const struct redis_place *to, const char *why);
/* Drops the links, and connects again after so long, or at server_go. */
void server_pause(struct server *s, uint64_t ms, const char *why);

/* Can it be used? */
bool server_ready(const struct server *s);
/* It is in use: on_ready is not told again until a link falls. Our connections that fell were
 * ended: every answer to that has come. */
void server_settled(struct server *s);
/* Why it is not ready; NULL if it is. Valid until the fourth call of log_text from now. */
const char *server_trouble(const struct server *s);

/* As link_send, over the command link. */
bool server_send(struct server *s, int script, unsigned argc, struct slice head,
                 struct slice tail, redis_done done, void *arg);
/* Asks the subscriber link for a sign of life, if it is ready. */
void server_probe(struct server *s);
/* The ms since its last sign of life. */
uint64_t server_probe_age(const struct server *s);
/* Asks from time to time whether Redis evicts keys. */
void server_look(struct server *s);
/* Bytes of memory for commands that are not sent, or not answered, yet. */
static inline size_t server_held(const struct server *s) {
    return pipeline_held(&s->commands.pipeline) + pipeline_held(&s->subscriber.pipeline);
}
/* Writes out what the turn gathered. Drops a link of which something is awaited for too long.
 */
void server_flush(struct server *s);

#endif
