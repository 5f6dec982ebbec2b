#ifndef SLUICE_API_ROOMS_H
#define SLUICE_API_ROOMS_H

#include "gateway/api/ask.h"

/* GET /rooms/{room}/members?limit&cursor: a page of the members. */
void api_members_get(struct api_call *c);

#endif
