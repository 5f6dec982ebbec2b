#ifndef SLUICE_API_DISPATCH_H
#define SLUICE_API_DISPATCH_H

#include "gateway/api/ask.h"

/*
 * From what is asked for to a route's function. The checks are in the order that docs/http.md
 * gives them.
 */

/* Finds the route of a call for the path below API_ROOT, and its parts. NULL after a refusal:
 * there is none, it takes another method, or the key (NULL: none) may not. */
const struct api_route *dispatch_find(struct api_call *c, struct slice method,
                                      struct slice path);
/* The most bytes that the body of a route may have. */
size_t dispatch_most(const struct api_source *source, const struct api_route *route);
/* Checks the parts, the query and the body, and calls the route's function. */
void dispatch_call(struct api_call *c);

/* As a request of the bearer of `key`; path: below API_ROOT, with its query. The item's
 * `answered` is called once, perhaps before this returns. */
void dispatch_item(const struct api_source *source, struct api_item *item, struct api_key *key,
                   struct slice method, struct slice path, struct slice body,
                   struct slice once);

#endif
