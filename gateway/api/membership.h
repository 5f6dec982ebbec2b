#ifndef SLUICE_API_MEMBERSHIP_H
#define SLUICE_API_MEMBERSHIP_H

#include "gateway/api/ask.h"

/* PUT and DELETE /rooms/{room}/members/{user}: the user is a member of the room, or is not. An
 * entry in the user's inbox tells the connections (login/told.h). */
void api_member_put(struct api_call *c);
void api_member_delete(struct api_call *c);

#endif
