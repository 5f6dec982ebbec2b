#ifndef SLUICE_REDIS_HELD_H
#define SLUICE_REDIS_HELD_H

#include "common/list.h"
#include "gateway/redis/pipeline.h"

/*
 * Scripts that wait while their slot moves to another master. The old master answered ASK,
 * TRYAGAIN or MOVED to them, so they have had no effect; or they were never sent. They are sent
 * when the slot has come to rest, in their order, with the term of then. ASK is never followed:
 * a log whose keys are half here and half there would begin again there.
 */
struct held_scripts {
    struct list scripts;
    size_t bytes;
    uint64_t since; /* loop time at which the first of them came; 0: none is held */
};

struct held_script {
    struct list link;
    int script;
    unsigned argc;
    redis_done done;
    void *arg;
    size_t len;
    char tail[]; /* its arguments, with the term with which it was sent first */
};

void held_init(struct held_scripts *h);
/* Takes a script. tail: copied. False: no memory. */
bool held_push(struct held_scripts *h, uint64_t now, int script, unsigned argc,
               struct slice tail, redis_done done, void *arg);
/* Takes the first one out; the caller frees it. NULL: none. */
struct held_script *held_pop(struct held_scripts *h);
/* Fails all as refused. A `done` may send others, which are not held. */
void held_fail(struct held_scripts *h);

/* Appends the arguments with another term. False: no memory, or they are not those of a script.
 */
bool held_tail(struct buf *out, struct slice tail, struct slice term);

#endif
