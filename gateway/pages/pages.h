#ifndef SLUICE_PAGES_PAGES_H
#define SLUICE_PAGES_PAGES_H

#include "gateway/net/http.h"
#include "gateway/pages/bundle.h"

/*
 * Answers requests with files: those of gateway/web, and the client of Socket.IO. Each has an
 * entity tag, by which a browser asks whether its copy of the file is still the same. The
 * node's routes decide which paths it serves.
 */

/* True for the path of a file of gateway/web. */
bool pages_have(struct slice path);

/* True for the path of a client library, in gateway/web or in a bundle. Pages of other origins
 * may load it, and may read the error if they cannot: every answer at that path has these
 * lines. */
bool pages_are_shared(struct slice path);
#define PAGES_SHARED_LINES                                                                     \
    "Access-Control-Allow-Origin: *\r\nCross-Origin-Resource-Policy: cross-origin\r\n"

/* Answers with the file at the request's path, which must be in gateway/web. by_token: the chat
 * page is to ask for a token, not for a name. */
void pages_answer(const struct http_request *request, bool by_token);
/* Answers with a file of the bundle (bundle_has_path), or 404 if this bundle does not have it.
 */
void pages_answer_bundle(const struct bundle *b, const struct http_request *request);

#endif
