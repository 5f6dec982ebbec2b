#ifndef SLUICE_API_OPENAPI_H
#define SLUICE_API_OPENAPI_H

#include "gateway/api/ask.h"

/* GET /openapi.json: the table of routes as a description in OpenAPI 3.1. */
void api_openapi_get(struct api_call *c);
/* GET /docs: the same as a page for people, which needs nothing else. */
void api_docs_get(struct api_call *c);

#endif
