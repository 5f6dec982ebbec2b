#ifndef SLUICE_API_API_H
#define SLUICE_API_API_H

#include "gateway/api/cluster.h"
#include "gateway/api/stream.h"
#include "gateway/api/table.h"

/*
 * The API under /api/, for whoever has a key (docs/http.md). This finds the route of a request,
 * checks who asks and what for, and calls the route's function.
 */
struct api {
    struct api_source source;
    struct api_keys keys; /* read again when the options are */
    struct api_cluster cluster;
    struct api_stream stream;
};

/* Everything to which the source points outlives the API. Its last members are set here. */
void api_init(struct api *api, const struct api_source *source);
/* No request may be left. */
void api_deinit(struct api *api);

/* Does what came by Redis alone, if the option api-stream says so. */
void api_tick(struct api *api, uint64_t now);

/* False: there is no key, and so no API. */
bool api_is_on(const struct api *api);
/* For http_router.body, of any path that begins with /api/: the most bytes that are read. */
size_t api_body(struct api *api, const struct http_request *request);
/* Answers any path that begins with /api/, at once or later. */
void api_route(struct api *api, const struct http_request *request);

#endif
