#ifndef SLUICE_REDIS_SENTINEL_H
#define SLUICE_REDIS_SENTINEL_H

#include "gateway/redis/link.h"
#include "gateway/redis/sentinel_reply.h"

/*
 * One Sentinel: a link for questions and one that is subscribed to its news. It tells what the
 * Sentinel says of one master, and judges nothing (topology.h). When a link falls it comes
 * again by itself (link.h).
 */
struct sentinel;

struct sentinel_events {
    /* The Sentinel has answered: `known`, `master`, `epoch` and `peers` are new. */
    void (*on_answer)(struct sentinel *s);
    /* It announces that the master is another one. */
    void (*on_switch)(struct sentinel *s, const struct redis_place *from,
                      const struct redis_place *to);
    /* It is about to promote a replica, within a tenth of a second. */
    void (*on_selected)(struct sentinel *s);
    /* It tells that something has happened to the master or its Sentinels. */
    void (*on_hint)(struct sentinel *s);
    /* It cannot be asked; `why` says why. Called once for each attempt. */
    void (*on_lost)(struct sentinel *s);
};

struct sentinel_config {
    const char *master; /* the owner's, as long as the Sentinel is open */
    const char *name;   /* for CLIENT SETNAME; the owner's */
    struct redis_address address;
    uint64_t timeout_ms;
    SSL_CTX *tls_context;
};

struct sentinel {
    struct link questions;
    struct link news;
    struct redis_address address;
    char place[REDIS_HOST_SIZE + 16]; /* HOST:PORT, for the log */
    const char *master_name;
    const struct sentinel_events *events;
    void *owner;

    bool learnt;           /* not from the URL: another Sentinel told of it */
    bool tried;            /* it has answered or failed at least once */
    bool asked;            /* an answer is awaited */
    bool again;            /* and it is to be asked once more after that */
    bool fresh;            /* it has answered since its link came up */
    bool known;            /* it watches a master of this name */
    bool down;             /* and takes it for down, with the others */
    bool behind_told;      /* the log has said that it is behind; the owner's */
    uint64_t behind_since; /* loop time; the owner's */
    bool news_told;        /* the log has said that it refuses to tell news */
    bool lost_told;        /* the log has said that it cannot be asked */
    bool closing;
    uint64_t asked_at; /* loop time */
    uint64_t heard_at; /* loop time of the last sign of life of the news */
    uint64_t epoch;    /* the last one that it told; the owner's while it tells none */
    bool changed;      /* `master` differs from the answer before */
    struct redis_place master;
    unsigned replicas;   /* of the master, as far as it told last */
    uint64_t epoch_read; /* of the answer that is coming in */
    bool epoch_told, down_read;
    bool no_epoch_told;        /* the log has said that it tells no epoch; the owner's */
    char id[SENTINEL_ID_SIZE]; /* "" until it is told; kept when the link falls */
    bool id_told;              /* since the link came up */
    struct sentinel_peer peers[SENTINELS_MOST];
    size_t peer_count;
    char why[256]; /* why it has not told a master; "" if it has */
    unsigned open_links;
    void (*on_closed)(struct sentinel *s);
};

/* Opens both links. Calls nothing back before it returns. */
void sentinel_open(struct sentinel *s, uv_loop_t *loop, const struct sentinel_config *config,
                   const struct sentinel_events *events, void *owner);
/* Closes both. on_closed is called in a later turn. No other callback comes after this. */
void sentinel_close(struct sentinel *s, void (*on_closed)(struct sentinel *s));
/* Asks what it says of the master, now or after the answer that is awaited. */
void sentinel_ask(struct sentinel *s);
/* Ends links that are silent for too long, and asks when the last question is `every` ms old.
 * A Sentinel that tells no news is asked each second. Called from time to time. */
void sentinel_tick(struct sentinel *s, uint64_t every);
/* Its links use this context from their next connection on. */
void sentinel_use_tls(struct sentinel *s, SSL_CTX *context);
/* Writes out what the turn gathered. */
void sentinel_flush(struct sentinel *s);

#endif
