#ifndef SLUICE_REDIS_MASTERS_H
#define SLUICE_REDIS_MASTERS_H

#include "gateway/redis/server.h"
#include "gateway/redis/slot_map.h"

/*
 * The masters of a Cluster: a server for each one that has a slot of ours. A server that has
 * had none for 10 s is closed.
 *
 * How many partitions there are is agreed on first: the key `partitions`, after the prefix, has
 * the number that the first node wrote. Until it is read, masters are looked for, and no
 * partition may come up.
 */
#define MASTERS_MOST 1000

struct masters;
struct masters_events {
    /* The partition's master. May be told again for a server that is closed by then. */
    void (*on_master)(void *owner, unsigned partition, struct server *s);
    /* The number of partitions is agreed on. theirs: "" if it is ours; or another one, with
     * which this node cannot go on. */
    void (*on_agreed)(void *owner, struct slice theirs);
};

struct masters_config {
    const struct redis_seeds *seeds;
    const struct redis_address *login; /* user, password, tls */
    const char *prefix;
    unsigned partitions;
};

struct masters {
    uv_loop_t *loop;
    const struct server_config *servers;
    const struct masters_events *events;
    const struct server_events *handlers;
    void *owner;
    struct redis_address login;
    SSL_CTX *tls_context;
    struct slot_map map;
    struct server **all; /* of `count` */
    unsigned count;
    unsigned turn; /* whom to ask next */
    unsigned partitions;
    char key[80]; /* that has their number */
    struct server *keeper;
    bool asked, agreed;
    uint64_t ask_at;   /* loop time before which it is not asked again, */
    uint64_t asked_at; /* and of the last question */
    uint64_t slots_at; /* loop time at which CLUSTER SLOTS was asked last; 0: never */
    unsigned leaving;  /* servers that are being closed */
    bool map_open;
    void (*on_closed)(struct masters *m); /* NULL: it is not being closed */
};

/* Prepares it. config is copied, and what it points to; the others are borrowed. handlers and
 * owner: for each server. */
void masters_init(struct masters *m, uv_loop_t *loop, const struct masters_config *config,
                  const struct server_config *servers, const struct masters_events *events,
                  const struct server_events *handlers, void *owner);
void masters_use_tls(struct masters *m, SSL_CTX *context);
void masters_open(struct masters *m);
/* on_closed is called in a later turn. */
void masters_close(struct masters *m, void (*on_closed)(struct masters *m));
void masters_deinit(struct masters *m);

/* A server is ready. True: its partitions may come up; else on_agreed comes. */
bool masters_ready(struct masters *m, struct server *s);
/* in_use: does any partition have this server? Closes those that none has. */
void masters_tidy(struct masters *m, bool (*in_use)(void *owner, const struct server *s));
/* Why the number of partitions is not agreed on; NULL if it is. Valid until the fourth call of
 * log_text from now. */
const char *masters_trouble(const struct masters *m);
/* Writes out what the turn gathered. */
void masters_flush(struct masters *m);

#endif
