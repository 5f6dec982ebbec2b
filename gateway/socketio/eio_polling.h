#ifndef SLUICE_SOCKETIO_EIO_POLLING_H
#define SLUICE_SOCKETIO_EIO_POLLING_H

#include "gateway/socketio/eio_session.h"

/*
 * HTTP long-polling carries an Engine.IO session by GETs that wait for something to send
 * (polls) and by POSTs. It also keeps the probe, which is the WebSocket that is to carry the
 * session later, with its time limit.
 */

/* Begins a session; answers the request. */
void eio_polling_open(struct eio_server *e, const struct http_request *request);
/* These take a GET and a POST, and answer it now or later. They may end the session. */
void eio_polling_get(struct eio_session *s, const struct http_request *request);
void eio_polling_post(struct eio_session *s, const struct http_request *request);
/* A POST's body is to come; watches the request. Returns false when another POST is under way;
 * the session was then ended. */
bool eio_polling_body(struct eio_session *s, const struct http_request *request);

/* Gives the session a probe. Returns false if it has one already. */
bool eio_polling_probe(struct eio_session *s, struct wsock *probe);
/* The probe's "2probe" came: a waiting poll is answered in this turn. */
void eio_polling_probed(struct eio_session *s);
/* Closes the probe; polling goes on. */
void eio_polling_drop_probe(struct eio_session *s);
/* A WebSocket of the session is gone, which may have been the probe. */
void eio_polling_lost(struct eio_session *s, const struct wsock *w);

/* Answers a waiting poll, for an upgrade. Returns false if the session has ended instead. */
bool eio_polling_finish(struct eio_session *s);
/* Called after eio_upgrade. Sends the messages that waited for a poll over the WebSocket, and
 * frees the state of polling. May end the session. */
void eio_polling_hand_on(struct eio_session *s);

#endif
