#ifndef SLUICE_NODE_METRICS_PAGE_H
#define SLUICE_NODE_METRICS_PAGE_H

#include "gateway/node/node.h"

/* /metrics: appends the text that Prometheus reads. The layers keep the counters; the gauges
 * are filled in here with their present values. */
void metrics_page(struct node *n, struct buf *out);

#endif
