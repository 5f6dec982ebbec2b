#ifndef SLUICE_NET_ORIGIN_H
#define SLUICE_NET_ORIGIN_H

#include "gateway/net/http_request.h"

/*
 * Decides which pages may use a door, by the header Origin, which a browser sends and a page
 * cannot choose (RFC 6454). A request without it does not come from a page, and is let through.
 *
 * The list has origins, separated by commas, "null" for pages without one (files, sandboxed
 * frames), or "*" alone for all pages. Without a list (""), a page may use the host that it
 * came from: its host and port are those of the request's Host, its scheme is http or https.
 * That page may always do so, with a list, too. Hosts are compared without regard to case and
 * to a dot at their end, and a port that is not given is the scheme's.
 */
struct origins {
    const char *list; /* the owner may replace it between two calls */
    bool told;        /* the log has told of an origin that was refused */
};

/* Returns what is wrong with a list (valid until the next call), or NULL. */
const char *origins_check(const char *list);

/* True for a request from a page that may not use the node. The first one is logged as a
 * warning, further ones at debug. */
bool origins_refuse(struct origins *o, const struct http_request *request);

/* True if the list has the request's origin, or is "*": what a browser needs to be told (CORS)
 * before it shows an answer to a page of another origin. */
bool origins_list(const struct origins *o, const struct http_request *request);
/* Appends the header lines that tell it so, and tell caches what the answer depends on. */
void origins_put_lines(const struct origins *o, const struct http_request *request,
                       struct buf *out);

#endif
