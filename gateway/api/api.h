#ifndef SLUICE_API_API_H
#define SLUICE_API_API_H

#include "common/list.h"
#include "gateway/net/http.h"
#include "gateway/options.h"
#include "gateway/redis/redis.h"

/*
 * HTTP answers in JSON under /api/, for who has the admin token (PROTOCOL.md, section 9). Each
 * is read from Redis when it is asked for; the view of the cluster is kept for a second, so
 * that many who look cost one read.
 */
struct api {
    /* Set by the owner, as parts of the node that answers. */
    const struct options *options;
    struct redis *redis;
    uv_loop_t *loop;
    const char *node;        /* its name */
    const char *incarnation; /* as it is now: the text behind it changes */
    struct buf cluster;      /* the last view; empty: none */
    uint64_t cluster_at;     /* loop time of it */
    uint64_t cluster_ask;    /* ns: when it was asked for */
    bool reading;
    struct list waiting; /* requests that want the view being read */
};

/* The owner's fields are set. */
void api_init(struct api *api);
/* No request may be left. */
void api_deinit(struct api *api);

/* False: there is no admin option, so no API and no page of it. */
bool api_is_on(const struct api *api);
/* Answers any path that begins with /api/, at once or later. */
void api_route(struct api *api, const struct http_request *request);

/* --- json.c: answers of scripts as JSON -------------------------------------------------
 */
struct cluster_view {
    const char *node;
    const char *incarnation; /* of who answers */
    uint64_t lease_timeout_ms;
    uint64_t latency_us; /* of the read */
};
/* cluster.lua */
void api_put_cluster(struct buf *b, const struct cluster_view *view, const struct reply *reply);
/* search.lua */
void api_put_online(struct buf *b, const struct reply *reply);
/* user.lua */
void api_put_user(struct buf *b, struct slice id, const struct reply *reply);

#endif
