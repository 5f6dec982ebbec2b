#ifndef SLUICE_API_API_H
#define SLUICE_API_API_H

#include "gateway/api/cluster.h"

/*
 * What answers under /api/, for a client that has the admin token (docs/http.md).
 * Each resource is a file beside this one, and a row of the table in api.c.
 */
struct api {
    struct api_source source;
    struct api_cluster cluster;
};

/* What the source points to outlives the API. */
void api_init(struct api *api, const struct api_source *source);
/* No request may be left. */
void api_deinit(struct api *api);

/* False: there is no admin token, so there is no API, and no page for it. */
bool api_is_on(const struct api *api);
/* Answers any path that begins with /api/, at once or later. */
void api_route(struct api *api, const struct http_request *request);

#endif
