#ifndef SLUICE_API_USERS_H
#define SLUICE_API_USERS_H

#include "gateway/api/ask.h"

/* Each function answers at once or later, and reads Redis each time. */

/* GET /online?search=TEXT&cursor=CURSOR: the users that are online, a page at a time. */
void api_online_get(struct api_call *c);
/* GET /users/{id}: one user. */
void api_user_get(struct api_call *c);
/* POST /users/online: which of these are online. */
void api_users_online_post(struct api_call *c);

#endif
