#ifndef SLUICE_REDIS_GREETING_H
#define SLUICE_REDIS_GREETING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "gateway/redis/address.h"
#include "gateway/redis/pipeline.h"

/*
 * The commands that a link sends before it carries others: AUTH, its name, its id, INFO (which
 * server this is, and whether it is the master), SELECT and PING, which fails while Redis loads
 * its data. To a Sentinel it sends AUTH, its name and PING. All of them are sent at once.
 */
struct greeting {
    /* The answers of Redis; "" or 0 where it told nothing. */
    char run[64];    /* run_id, which changes with each start */
    char replid[64]; /* master_replid, which changes with each promotion and start */
    uint64_t id;     /* of the connection, on this run_id */

    /* Called once. why: NULL on success, or the reason why the link cannot be used. */
    void (*done)(void *owner, const char *why);
    void *owner;
    bool refused; /* the reason is that Redis answers, but refuses the link */
    bool over;
    const struct redis_address *address;
};

/* Sends one command; `answered` is called as redis_done. False: out of memory. */
typedef bool (*greeting_send)(void *owner, struct slice command, redis_done answered,
                              void *arg);

/* Sends the greeting; done and owner are set. name: for CLIENT SETNAME. address: borrowed until
 * greeting_end. done is called in a later turn, or before it returns if memory is short. */
void greeting_begin(struct greeting *g, const struct redis_address *address, const char *name,
                    greeting_send send);
/* Asks again, after done was told that Redis loads its data. */
void greeting_ping(struct greeting *g, greeting_send send);
/* The link fell: done is no longer called. */
void greeting_end(struct greeting *g);

#endif
