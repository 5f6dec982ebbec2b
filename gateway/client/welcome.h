#ifndef SLUICE_CLIENT_WELCOME_H
#define SLUICE_CLIENT_WELCOME_H

#include "gateway/client/client.h"
#include "gateway/hooks/hooks.h"

/* What the back end has said that is to be done when the connection is logged in: rooms to
 * enter, which need no right, what is emitted then, and a state. If it was asked twice for a
 * login, both count. */
struct welcome {
    struct welcome *next;   /* of an earlier answer; or NULL */
    struct json_value join; /* an array, or JSON_NONE */
    struct json_value emit;
    struct json_value state;
    char id[HOOK_ID_SIZE]; /* of the call */
    char text[];           /* the whole answer */
};

#define WELCOME_ROOMS 100
#define STATE_MOST    4096

/* Reads an answer. Returns one of the caller's, or NULL; *wrong is what is wrong with it (valid
 * until four more texts are made by log_text), or NULL if that is only that it says nothing of
 * this. socket, nsp: of the connection that it is about. */
struct welcome *welcome_read(struct clients *all, const struct hook_call *call,
                             struct json_value answer, struct slice socket, struct slice nsp,
                             const char **wrong);
void welcome_free(struct welcome *w); /* and those after it; NULL is fine */

/* Puts it before those that the client has. */
void welcome_add(struct client *c, struct welcome *w);
/* The client has the state from now on, if there is one. */
void welcome_state(struct client *c);
/* The client is logged in: it keeps the state, and what is to be emitted is sent. Frees all. */
void welcome_say(struct client *c);

#endif
