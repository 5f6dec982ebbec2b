#ifndef SLUICE_API_TABLE_H
#define SLUICE_API_TABLE_H

#include "gateway/api/route.h"

/* The table of all routes. The first that fits a request counts. */
const struct api_route *api_table(size_t *count);

#endif
