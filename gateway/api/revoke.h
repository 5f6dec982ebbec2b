#ifndef SLUICE_API_REVOKE_H
#define SLUICE_API_REVOKE_H

#include "gateway/api/ask.h"

/*
 * The requests that end a user's connections. The id is percent-encoded as it stands in the
 * path. revoke.lua tells all nodes, which close them (client/revocation.h).
 */

/* POST /api/v1/users/ID/revoke {"before"?}: the tokens that were issued before that second are
 * no good any more; by default all those that were issued up to now. */
void api_revoke_post(const struct api_source *source, const struct http_request *request,
                     struct slice id);
/* POST /api/v1/users/ID/disconnect: the connections are closed, no more. */
void api_disconnect_post(const struct api_source *source, const struct http_request *request,
                         struct slice id);

#endif
