#ifndef SLUICE_NODE_METRICS_PAGE_H
#define SLUICE_NODE_METRICS_PAGE_H

#include "gateway/node/node.h"

/* /metrics: appends what Prometheus reads. The layers have kept the counters; the gauges are
 * filled in with what they are now. */
void metrics_page(struct node *n, struct buf *out);

#endif
