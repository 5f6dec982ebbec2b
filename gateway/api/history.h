#ifndef SLUICE_API_HISTORY_H
#define SLUICE_API_HISTORY_H

#include "gateway/api/ask.h"

/* GET /channels/{channel}/history?before&after&limit: a page of a channel's log. */
void api_history_get(struct api_call *c);

#endif
