#ifndef SLUICE_CHANNEL_TAIL_H
#define SLUICE_CHANNEL_TAIL_H

#include "gateway/channel/message.h"
#include "gateway/channel/position.h"

/*
 * The frames that came by the doorbell while a page of the log was under way. NULL: none.
 */
struct tail;

/* False: there is no room; the caller then calls tail_forget. */
bool tail_record(struct tail **tail, const struct message *m);
void tail_forget(struct tail **tail);
/* The number of frames that a position does not cover. */
unsigned tail_unexplained(const struct tail *tail, const struct position *at);
/* Calls `each` for the frames that continue after a position, in order, until it returns false.
 * `each` must not forget the tail, unless it returns false. */
void tail_replay(const struct tail *tail, struct slice epoch, uint64_t seq,
                 bool (*each)(void *arg, struct message *m), void *arg);

#endif
