#ifndef SLUICE_DOORS_SIO_BINARY_H
#define SLUICE_DOORS_SIO_BINARY_H

#include "gateway/channel/message.h"
#include "gateway/socketio/sio_server.h"

/*
 * Attachments of Socket.IO ("sio" in names) in messages that are JSON. The placeholders stay
 * where they are, and the object gets a last member "bin", an array of the attachments' bytes
 * in base64. Logs, history and JSON clients have this form; clients of Socket.IO get
 * attachments again.
 */

/* The most attachments of a message. With more, official clients disconnect. */
#define SIO_BINARY_MOST 10

/* Writes an event's data with its attachments in it to `out` (which may have failed). Returns
 * NULL, or the name of the field that cannot have attachments. */
const char *sio_binary_in(struct slice event, struct json_value data,
                          const struct sio_message *m, struct buf *out);

/* Writes the attachments of a message as an array of base64, if it has any. */
void sio_binary_put(const struct sio_message *m, struct buf *out);

enum sio_binary { SIO_BINARY_NONE, SIO_BINARY_SOME, SIO_BINARY_NO_MEMORY };

/* If the message has attachments, each with its placeholder: writes its data without "bin" to
 * `out`, and sets m->attached. Otherwise the message is sent as it is. */
enum sio_binary sio_binary_out(struct message *m, struct net *n, struct buf *out);

#endif
