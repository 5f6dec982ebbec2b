#ifndef SLUICE_API_USERS_H
#define SLUICE_API_USERS_H

#include "gateway/api/ask.h"

/* Each function answers at once or later, and reads Redis each time. */

/* /api/v1/online?search=TEXT&cursor=NUMBER: the users that are online, a page at a time. */
void api_online_get(const struct api_source *source, const struct http_request *request);
/* /api/v1/users/ID: one user. The id is percent-encoded as it stands in the path. */
void api_user_get(const struct api_source *source, const struct http_request *request,
                  struct slice id);

#endif
