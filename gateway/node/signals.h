#ifndef SLUICE_NODE_SIGNALS_H
#define SLUICE_NODE_SIGNALS_H

#include "gateway/node/node.h"

/* SIGTERM drains the node, SIGINT ends it, and SIGHUP makes it read its options again. */

/* Used before there is a loop: SIGTERM and SIGINT end the process, with status 0. */
void signals_end_early(void);
/* Calls back for these three signals, `data` being the handle's. A SIGHUP that came since main
 * began is told, too. */
void signals_take(uv_loop_t *loop, uv_signal_t handles[3], uv_signal_cb on_signal, void *data);
/* From here on the node handles the signals, also a SIGHUP that came since main began. */
void signals_watch(struct node *n);

#endif
