#ifndef SLUICE_CLIENT_FIELD_H
#define SLUICE_CLIENT_FIELD_H

#include "gateway/client/request.h"

/*
 * Fields of an event's data. Each returns false when it has failed the request. A missing
 * optional one leaves the output as it is.
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
/* true or false; always optional. */
bool field_switch(struct request *r, struct json_value value, const char *field, bool *out);
/* True if the data is an object or was left out; else the request has failed, naming `first`.
 */
bool field_object(struct request *r, struct json_value data, const char *first);
/* {epoch, seq}; an empty epoch if it is not there. */
bool field_position(struct request *r, struct json_value value, const char *field,
                    struct position *out);
/* The same of a value that is there; fails no request. */
bool field_read_position(struct json_value value, struct position *out);
/* Makes the idempotency field "<sender>:<clientMessageId>" in out; empty if there is none. */
bool field_message_id(struct request *r, struct json_value value, struct buf *out);
/* `bin`: bytes in base64 that the content refers to. Optional. */
bool field_bin(struct request *r, struct json_value value);
/* The room of an event: given, or the one entered last, or lobby. As a channel name room:… */
bool field_room(struct request *r, struct json_value value, struct buf *channel);
/* `peer` or `room` as the name of their channel; other: the peer, or empty. */
bool field_conversation(struct request *r, struct json_value peer, struct json_value room,
                        struct buf *channel, struct name *other);

#endif
