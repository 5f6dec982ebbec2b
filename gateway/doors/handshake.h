#ifndef SLUICE_DOORS_HANDSHAKE_H
#define SLUICE_DOORS_HANDSHAKE_H

#include "common/bucket.h"
#include "gateway/auth/auth.h"
#include "gateway/net/wsock_hold.h"

/*
 * The handshake of a door, and the token that came with it: in `Authorization: Bearer TOKEN`,
 * or, from a browser, in the subprotocol `bearer.TOKEN` beside `sluice`. The token is checked
 * before the door is asked, and a bad one is refused here (401; 400 if it is not clear which
 * one counts). Without a key, tokens are not looked at.
 *
 *      handshake_begin ──> checked() ──> handshake_admit or handshake_refuse ──> free()
 *                  └─ refused, or the client goes, or the time is over ──────────> free()
 */
struct handshake;

struct handshake_ops {
    enum door_kind door;
    /* Identity is on, and there is no token: sets h->who, and calls handshake_identified, at
     * once or later; or refuses. NULL: nobody need be known. */
    void (*identify)(struct handshake *h);
    /* The token is good, or none is needed (`who` is NULL). The door goes on, at once or later.
     */
    void (*checked)(struct handshake *h);
    /* The last call, unless the door has admitted: calls handshake_deinit, and frees it. */
    void (*free)(struct handshake *h);
};

/* What the handshakes of a node share. */
struct handshakes {
    struct auth *auth; /* NULL: identity is off */
    struct wsock_shared *sockets;
    struct bucket logged; /* the log names a few of those that are refused */
};

struct handshake {
    struct wsock_hold hold;
    struct handshakes *all;
    struct auth_check check;
    const struct handshake_ops *ops;
    struct identity *who; /* a reference, or NULL */
};

/* The owner has zeroed h. Refuses, or calls ops->checked, before it returns or later. */
void handshake_begin(struct handshake *h, struct handshakes *all,
                     const struct http_request *request, const struct handshake_ops *ops);
/* h->who is known: the door goes on. */
void handshake_identified(struct handshake *h);
/* Refuses with a status, and frees. 401 asks for a token. */
void handshake_refuse(struct handshake *h, int status, const char *why);
/* As wsock_admit. Frees h if it returns false; else the owner does so, by ops->free. */
bool handshake_admit(struct handshake *h, struct wsock *w, const struct wsock_ops *ops,
                     struct buf *early);
void handshake_deinit(struct handshake *h);

/* Is identity on? */
bool handshakes_need_tokens(const struct handshakes *all);

#endif
