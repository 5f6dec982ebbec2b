#ifndef SLUICE_LOGIN_CONNECT_ASK_H
#define SLUICE_LOGIN_CONNECT_ASK_H

#include "gateway/client/visit.h"
#include "gateway/client/welcome.h"

/*
 * Asks the back end who somebody is that comes without a token (`connect-hook`). Its answer is
 * an identity like that of a token, and what is to be done for the connection (welcome.h).
 */
struct connect_about {
    struct slice socket; /* its id; of a recovery that of the former one */
    struct slice nsp;
    const char *door;          /* json, raw, socketio */
    const char *address;       /* with a port, as conn_address_text writes it */
    struct slice auth;         /* JSON that the client gave; or empty */
    const struct visit *visit; /* or NULL */
    struct slice former_user;  /* of the session that the client had; or empty */
    struct slice former_socket;
    struct slice state; /* JSON; or empty */
    bool recovered;     /* that session will go on if the user is the same */
    bool refresh;       /* the connection is open, and what was said of it ends */
};

struct connect_answer {
    enum {
        CONNECT_IS,  /* who, and perhaps welcome: the callee's */
        CONNECT_NOT, /* it may not come in: failure says why */
        CONNECT_AWAY /* the back end has not answered, or not as it must: failure.outcome */
    } how;
    struct identity *who;
    struct welcome *welcome; /* or NULL */
    struct failure failure;
    bool bare; /* no reason was given */
};

/* Embedded by whoever asks, zeroed; it must not move until `done` was called. */
struct connect_ask {
    struct hook_call call;
    struct clients *all;
    uint64_t sent; /* us of uv_hrtime */
    char socket[CLIENT_ID_SIZE];
    struct buf nsp;
    /* Called once. The texts of *answer are valid until it returns. It may free this. */
    void (*done)(struct connect_ask *a, const struct connect_answer *answer);
};

/* Is there a back end to be asked? */
static inline bool connect_asks(const struct clients *all) {
    return all->auth != NULL && all->options->connect_hook[0] != '\0';
}
/* `done` is called in a later turn. */
void connect_ask(struct connect_ask *a, struct clients *all, const struct connect_about *about);
/* The same about a client that is here. */
struct connect_about connect_about_client(const struct client *c, char socket[CLIENT_ID_SIZE],
                                          char address[64]);
/* `done` will not be called. Nothing happens if nothing was asked. */
void connect_ask_cancel(struct connect_ask *a);

#endif
