#ifndef SLUICE_SESSION_KEEP_H
#define SLUICE_SESSION_KEEP_H

#include "gateway/session/session.h"

/* Called by the lease's timer. Keeps the hashes of sessions in use from expiring, and writes
 * those again that Redis may have lost, some at a time. */
void sessions_keep(struct sessions *all);
/* A partition of Redis may have lost any session. sessions_keep writes all of them again. */
void sessions_doubt(struct sessions *all, const struct partition *p);

#endif
