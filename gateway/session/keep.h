#ifndef SLUICE_SESSION_KEEP_H
#define SLUICE_SESSION_KEEP_H

#include "gateway/session/session.h"

/* From the lease's timer: what is in use must not expire, and what Redis may have lost is
 * written again, some of it at a time. */
void sessions_keep(struct sessions *all);
/* Redis may have lost what it was told: all of it is written again. */
void sessions_doubt(struct sessions *all);

#endif
