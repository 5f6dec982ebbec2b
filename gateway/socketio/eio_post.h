#ifndef SLUICE_SOCKETIO_EIO_POST_H
#define SLUICE_SOCKETIO_EIO_POST_H

#include "common/eio.h"
#include "gateway/socketio/eio_session.h"

/*
 * A POST of a polled session. When its body has come, its packets are handled, a number of them
 * a turn, and then it is answered. A session has one POST at a time: a second one ends the
 * session. Polling embeds this in its state of a session.
 */
struct eio_post {
    struct eio_session *session;
    struct http_later request;
    struct eio_payload reading;
    struct buf rest; /* the rest of a body that takes more than a turn */
    uint64_t since;  /* when it began */
    bool handling;   /* its packets are being handled, and it was not answered yet */
};

void eio_post_init(struct eio_post *p, struct eio_session *s);
/* The request must have been answered. */
void eio_post_deinit(struct eio_post *p);

/* A body is to come: watches the request. Returns false when another POST is under way; the
 * session was then ended. */
bool eio_post_watch(struct eio_post *p, const struct http_request *request);
/* The body has come. Both functions handle packets, and may end the session. They return true
 * when the POST was answered. */
bool eio_post_take(struct eio_post *p, const struct http_request *request);
bool eio_post_go_on(struct eio_post *p);

/* Answers the POST, if one is under way. */
void eio_post_answer(struct eio_post *p, bool good);

static inline bool eio_post_is_under_way(const struct eio_post *p) {
    return p->request.http != NULL;
}

#endif
