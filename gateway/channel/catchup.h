#ifndef SLUICE_CHANNEL_CATCHUP_H
#define SLUICE_CHANNEL_CATCHUP_H

#include "gateway/channel/channel.h"

/*
 * A sub that is not level with its channel: it is checked against the log (one answer to who
 * asked for it), then reads pages as its subscriber's socket drains, then joins the live list.
 *
 *   UNCHECKED --confirmed--> CHECKING --answer--> CHECKED --sub_start--> IDLE --level--> live
 *                                                                       ^    |
 *                                                 page, drained --------+    v
 *                                                              READING, or DRAINING
 */
enum check_result {
    CHECK_GOOD,  /* the position given is good, or none was given */
    CHECK_LOST,  /* what followed it is not to be had */
    CHECK_FAILED /* Redis could not be asked: the sub is gone */
};
/* now: the end of the log. */
typedef void (*sub_checked)(void *arg, struct sub *sub, enum check_result result,
                            const struct position *now);

/* As hub_subscribe; the caller holds the channel. */
struct sub *catchup_new(struct channel *ch, struct subscriber *s, const struct position *since,
                        sub_checked checked, void *arg);
/* Begins to deliver: from `since` if that was good, else from the position that was checked. */
void sub_start(struct sub *sub);
/* Takes the subscriber out; no callback comes after it. */
void sub_drop(struct sub *sub);
/* What the subscriber has of the channel, as far as it has been sent to it. */
struct position sub_position(const struct sub *sub);
/* False between hub_subscribe and sub_start. */
bool sub_started(const struct sub *sub);
/* The subscriber's socket has taken all that was queued: pages go on. May end it. */
void subscriber_drained(struct subscriber *s);

/* The reads of subs under way were asked for before the subscription was lost. */
void reads_stale(struct channel *ch);
/* Moves the subs that are behind, as far as they can go now. */
void channel_step_behind(struct channel *ch);
/* Those that still wait for their first answer fail. */
void sub_fail_checks(struct channel *ch);

#endif
