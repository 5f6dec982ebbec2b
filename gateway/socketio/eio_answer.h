#ifndef SLUICE_SOCKETIO_EIO_ANSWER_H
#define SLUICE_SOCKETIO_EIO_ANSWER_H

#include "common/eio.h"
#include "gateway/net/http_later.h"

/* The answers of Engine.IO over HTTP: payloads, and the errors of common/eio.h as JSON. */

#define EIO_TEXT_TYPE "text/plain; charset=UTF-8"
#define EIO_JSON_TYPE "application/json"

/* Refuses a request that was read to its end. The connection stays open: clients that have to
 * open another one reorder their requests. */
void eio_answer_error(const struct http_request *request, enum eio_error error);
/* Refuses a request whose body has not come. The connection is closed. */
void eio_answer_head(const struct http_request *request, enum eio_error error);

/* As http_answer_later: these do nothing if nobody waits for the answer. */
void eio_answer_error_later(struct http_later *later, enum eio_error error);
void eio_answer_text(struct http_later *later, struct slice text);
/* Answers a request for a session of another node: the session is unknown. */
void eio_answer_unknown(struct http_later *later);
/* Answers a poll when there is nothing to send (a noop packet). */
void eio_answer_nothing(struct http_later *later);

#endif
