#ifndef SLUICE_API_MESSAGES_H
#define SLUICE_API_MESSAGES_H

#include "gateway/api/ask.h"

/* POST /messages/private and /messages/room: the messages of the chat, in a user's name. */
void api_private_post(struct api_call *c);
void api_room_post(struct api_call *c);

#endif
