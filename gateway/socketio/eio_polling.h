#ifndef SLUICE_SOCKETIO_EIO_POLLING_H
#define SLUICE_SOCKETIO_EIO_POLLING_H

#include "gateway/socketio/eio_session.h"

/*
 * HTTP long-polling: carries an Engine.IO session by GETs that wait for something to send
 * (polls) and by POSTs. It also keeps the probe, which is the WebSocket that is to carry the
 * session later: its time limit, and what polling has to leave to it.
 */

/* Begins a session; answers the request. */
void eio_polling_open(struct eio_server *e, const struct http_request *request);
/* A GET, a POST: answer the request now or later. May end the session. */
void eio_polling_get(struct eio_session *s, const struct http_request *request);
void eio_polling_post(struct eio_session *s, const struct http_request *request);
/* A POST's body is to come; watches the request. False: another POST is under way, so the
 * session has been ended. */
bool eio_polling_body(struct eio_session *s, const struct http_request *request);

/* The session has a probe from now on. False: it has one already. */
bool eio_polling_probe(struct eio_session *s, struct wsock *probe);
/* The probe's "2probe" came: a poll that waits is answered, in this turn. */
void eio_polling_probed(struct eio_session *s);
/* Closes the probe; polling goes on. */
void eio_polling_drop_probe(struct eio_session *s);
/* A WebSocket of the session has gone; perhaps it is the probe. */
void eio_polling_lost(struct eio_session *s, const struct wsock *w);

/* Answers a poll that waits, for an upgrade. False: the session has ended instead. */
bool eio_polling_finish(struct eio_session *s);
/* After eio_upgrade: sends over the WebSocket what waited for a poll, and frees what only
 * polling needs. May end the session. */
void eio_polling_hand_on(struct eio_session *s);

#endif
