#ifndef SLUICE_CLIENT_GOODBYE_H
#define SLUICE_CLIENT_GOODBYE_H

#include "gateway/client/client.h"
#include "gateway/hooks/hooks.h"

/*
 * disconnect-hook: the back end is told, at least once, that a connection has ended.
 *
 * What would be told of a connection is noted in Redis as long as it is there, so that others
 * tell it if its node dies (reap.lua). When it ends, the note becomes an end that is due: at
 * once if the client left, or its page has gone, or it was disconnected; else after
 * disconnect-linger. A socket that is recovered before takes its end back (bye.lua). An end is
 * told by whichever node takes it first. It stays in Redis until the back end has answered, and
 * is told again with the same id until then, for a day.
 *
 * All of it lies in the partition of the user. Nothing is kept unless the option is given.
 */
typedef void goodbye_done(void *arg, enum err err, enum outcome outcome);

struct goodbyes {
    struct clients *clients;
    struct list changed;            /* goodbye.link: to be noted */
    struct list ending;             /* its client has gone */
    struct list late;               /* Redis did not take it: again with the next lease */
    uint64_t next[PARTITIONS_MOST]; /* loop time of the next look at what is due */
    bool asked[PARTITIONS_MOST];
    unsigned telling;
    bool closed;
    /* Applies what the back end has answered to an end; calls done once, perhaps before it
     * returns. socket, id: of the call. */
    void (*on_answer)(void *owner, struct slice socket, struct slice id,
                      struct json_value answer, goodbye_done *done, void *arg);
    void *owner;
};

void goodbyes_init(struct goodbyes *all, struct clients *clients);
/* Sends notes and ends. Called once a turn, before the links are flushed. */
void goodbyes_flush(struct goodbyes *all);
/* Takes ends that are due, and tells them. */
void goodbyes_tick(struct goodbyes *all, uint64_t now);
/* An interval of the lease is over. */
void goodbyes_again(struct goodbyes *all);
/* The node closes; hooks are closed already. What is not in Redis yet is left to the reaper. */
void goodbyes_close(struct goodbyes *all);

/* The connection was registered, under a new incarnation perhaps. */
void goodbye_registered(struct client *c);
/* What would be told of the connection has changed. */
void goodbye_changed(struct client *c);
/* The connection is over, and its subs are still there. It is told when its last request is
 * over, too, which may be about to change what is told. */
void goodbye_gone(struct client *c);

#endif
