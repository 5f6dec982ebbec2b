#ifndef SLUICE_CLIENT_VISIT_H
#define SLUICE_CLIENT_VISIT_H

#include "gateway/net/http_request.h"
#include "gateway/options.h"

/* What is kept of the request by which a client came, as long as it is here, for the back end
 * that is asked who it is: the query, and the headers that `hook-headers` names. */
#define VISIT_HEADERS_MOST 8192
struct visit {
    struct slice query;
    struct slice headers; /* a line each, NAME: VALUE, that ends with \n */
    char bytes[];
};

/* Sets *out to one of the caller's, to be freed by free(); NULL if no back end is asked. A
 * header that does not fit into VISIT_HEADERS_MOST is left out. False: no memory. */
bool visit_keep(struct visit **out, const struct options *o,
                const struct http_request *request);

/* Appends the query as a JSON object: of each name its first value. The names that Engine.IO
 * has are left out. visit may be NULL. */
void visit_put_query(struct buf *out, const struct visit *visit);

#endif
