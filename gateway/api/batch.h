#ifndef SLUICE_API_BATCH_H
#define SLUICE_API_BATCH_H

#include "gateway/api/ask.h"

/* POST /batch: several requests, one after the other. */
void api_batch_post(struct api_call *c);

#endif
