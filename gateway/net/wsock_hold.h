#ifndef SLUICE_NET_WSOCK_HOLD_H
#define SLUICE_NET_WSOCK_HOLD_H

#include "gateway/net/http_later.h"
#include "gateway/net/ws_handshake.h"
#include "gateway/net/wsock.h"

/*
 * The handshake of a WebSocket that is held until its owner knows whether to agree, at once or
 * later. It counts as a socket meanwhile, so that a node cannot be filled with handshakes, and
 * its time goes on running (handshake-timeout). Bytes that the client sends before the answer
 * are not lost.
 *
 *      wsock_hold ──> held ──> wsock_admit, wsock_refuse, or gone(): it is over
 */
struct wsock_hold {
    struct http_later later;
    struct wsock_shared *shared;
    const struct conn *conn; /* while it is held */
    enum door_kind door;     /* as which the handshake is counted */
    struct ws_handshake handshake;
    /* The client has gone, or the time is over (it was answered 503 then). */
    void (*gone)(struct wsock_hold *hold);
};

/* Holds the request (true), or answers it with the reason why it cannot become a WebSocket. The
 * owner has set `gone`. Nothing is called back before it returns. */
bool wsock_hold(struct wsock_hold *hold, struct wsock_shared *shared, enum door_kind door,
                const struct http_request *request);

/*
 * Agrees. The owner has zeroed w. Returns false if the connection cannot take it; w was not
 * used then. After true, the owner calls wsock_take_early as soon as it is ready for messages.
 * Nothing is called back before it returns.
 */
bool wsock_admit(struct wsock_hold *hold, struct wsock *w, const struct wsock_ops *ops,
                 struct buf *early);
/* Takes the bytes that came before the answer, as if they came now, and frees them. */
void wsock_take_early(struct wsock *w, struct buf *early);

/* Answers with an error; `extra` as with http_answer. The connection ends. */
void wsock_refuse(struct wsock_hold *hold, int status, const char *why, const char *extra);

#endif
