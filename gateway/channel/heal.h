#ifndef SLUICE_CHANNEL_HEAL_H
#define SLUICE_CHANNEL_HEAL_H

#include "gateway/channel/channel.h"

/*
 * The heal: a channel is compared with its log, page by page, and gets the messages that its
 * doorbell missed. What is asked at a time is bounded, however many channels heal. Of many that
 * were just subscribed again it is first asked, in one script, which logs have gone on at all.
 */
/* Starts a heal. If a read is under way, the log is read once more after it. While the channel
 * is SUBSCRIBING it does nothing: the confirmation starts the heal. */
void channel_heal(struct channel *ch);
/* Queues the next read of a channel that is healing. If a read is under way, its answer goes on
 * with the heal. */
void heal_queue(struct channel *ch);
/* Called when the position is at the end of the log. The channel becomes live, or another read
 * is queued. */
void channel_check_live(struct channel *ch);
/* Goes on with the channels of a partition that wait, up to the bound. */
void heal_pump(struct hub *h, struct partition *p);

#endif
