#ifndef SLUICE_API_PUBLISH_H
#define SLUICE_API_PUBLISH_H

#include "gateway/api/ask.h"

/* POST /publish: an event to one channel, or to many. */
void api_publish_post(struct api_call *c);

#endif
