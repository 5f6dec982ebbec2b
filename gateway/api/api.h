#ifndef SLUICE_API_API_H
#define SLUICE_API_API_H

#include "gateway/api/cluster.h"

/*
 * The API under /api/, for a client that has the admin token (docs/http.md). Each resource is a
 * file of this directory, and a row of the table in api.c.
 */
struct api {
    struct api_source source;
    struct api_cluster cluster;
};

/* Everything to which the source points outlives the API. */
void api_init(struct api *api, const struct api_source *source);
/* No request may be left. */
void api_deinit(struct api *api);

/* False: there is no admin token, and so neither the API nor its page. */
bool api_is_on(const struct api *api);
/* Answers any path that begins with /api/, at once or later. */
void api_route(struct api *api, const struct http_request *request);

#endif
