#ifndef SLUICE_CLIENT_FIELD_H
#define SLUICE_CLIENT_FIELD_H

#include "gateway/client/request.h"

/*
 * Readers for the fields of an event's data. Each returns false if it has failed the request.
 * If an optional field is missing, the output stays as it is.
 */
bool field_user(struct request *r, struct json_value value, const char *field, bool optional,
                struct name *out);
bool field_name(struct request *r, struct json_value value, const char *field, bool optional,
                struct name *out);
/* A text of up to NAME_MAX_LEN bytes, such as a display name. */
bool field_text(struct request *r, struct json_value value, const char *field,
                struct name *out);
bool field_number(struct request *r, struct json_value value, const char *field, bool optional,
                  uint64_t low, uint64_t high, uint64_t *out);
/* Reads true or false; always optional. */
bool field_switch(struct request *r, struct json_value value, const char *field, bool *out);
/* True if the data is an object or was left out. Otherwise the request has failed, and the
 * failure names the field `first`. */
bool field_object(struct request *r, struct json_value data, const char *first);
/* Reads {epoch, seq}. If it is missing, the epoch is empty. */
bool field_position(struct request *r, struct json_value value, const char *field,
                    struct position *out);
/* The same for a value that is there. It fails no request. */
bool field_read_position(struct json_value value, struct position *out);
/* Reads clientMessageId, and writes "<sender>:<clientMessageId>" to out, or nothing if there is
 * none. */
bool field_message_id(struct request *r, struct json_value value, struct buf *out);
/* Checks `bin`: bytes in base64 to which the content refers. Optional. */
bool field_bin(struct request *r, struct json_value value);
/* May the client do this with that name? Otherwise the event is forbidden, because of the
 * field. The right is one of those that the event's row names. */
bool field_may(struct request *r, enum right right, struct slice name, const char *field);
/* The room of an event, as a channel name room:…: the one that is given, else the one entered
 * last, else lobby. If the event's row names the right to rooms, it is asked for. */
bool field_room(struct request *r, struct json_value value, struct buf *channel);
/* Reads `peer` or `room`, and writes the name of the channel. other: the peer, or empty. The
 * right to write to the peer, or that to the room, is asked for. */
bool field_conversation(struct request *r, struct json_value peer, struct json_value room,
                        struct buf *channel, struct name *other);

/* Reads a name out of a back end's answer or an own event: a string or an integer, in which
 * what no name may have is percent-encoded. False: it cannot be a name. */
bool field_escaped_name(struct json_value value, struct name *out);

#endif
