#ifndef SLUICE_CHANNEL_HEAL_H
#define SLUICE_CHANNEL_HEAL_H

#include "gateway/channel/channel.h"

/*
 * The heal: a channel is compared with its log, page by page, and what the doorbell missed is
 * delivered. Ten thousand channels heal in a bounded number of reads at a time.
 */
/* Compares the channel with its log, if that is not being done. */
void channel_heal(struct channel *ch);
/* The same for one that is healing: its turn comes. A read under way comes round to it. */
void heal_queue(struct channel *ch);
/* After the position moved to the end of the log: live, or healing once more. */
void channel_check_live(struct channel *ch);
/* Sends the reads whose turn it is. */
void heal_pump(struct hub *h);

#endif
