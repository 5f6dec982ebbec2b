#ifndef SLUICE_NODE_METRICS_PAGE_H
#define SLUICE_NODE_METRICS_PAGE_H

#include "gateway/node/node.h"

/* The layers keep the counters; the gauges are filled in here with their present values. */
void metrics_refresh(struct node *n);

/* /metrics: appends the text that Prometheus reads, about this process. */
void metrics_page(struct node *n, struct buf *out);
/* The same about all workers of the node, added up, and a few lines about each of them. */
void metrics_page_of_all(struct node *n, struct buf *out);

#endif
