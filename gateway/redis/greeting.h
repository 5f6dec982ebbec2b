#ifndef SLUICE_REDIS_GREETING_H
#define SLUICE_REDIS_GREETING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "gateway/redis/address.h"
#include "gateway/redis/pipeline.h"

/*
 * What a link says and asks before it carries commands: AUTH, SELECT, its name, its id, INFO
 * (which server this is, and whether it is the master) and PING, which fails while Redis loads
 * its data. All of it is sent at once.
 */
struct greeting {
    /* What Redis told; "" or 0 is what it did not tell. */
    char run[64];    /* run_id: another one after each start */
    char replid[64]; /* master_replid: another one after each promotion and start */
    uint64_t id;     /* of the connection, on this run_id */

    /* Once: NULL when all is well, or why the link cannot be used. */
    void (*done)(void *owner, const char *why);
    void *owner;
    bool refused; /* when done is told why: Redis answers, but does not let us work */
    bool over;
    char cluster[256]; /* why it is refused if it is in cluster mode */
};

/* Sends one command; `answered` is called as redis_done. False: out of memory. */
typedef bool (*greeting_send)(void *owner, struct slice command, redis_done answered,
                              void *arg);

/* Sends the greeting; done and owner are set. name: for CLIENT SETNAME. done is called in a
 * later turn, or before it returns if memory is short. */
void greeting_begin(struct greeting *g, const struct redis_address *address, const char *name,
                    greeting_send send);
/* After done was told that Redis loads its data: asks once more. */
void greeting_ping(struct greeting *g, greeting_send send);
/* The link fell: done is not called any more. */
void greeting_end(struct greeting *g);

#endif
