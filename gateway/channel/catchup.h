#ifndef SLUICE_CHANNEL_CATCHUP_H
#define SLUICE_CHANNEL_CATCHUP_H

#include "gateway/channel/channel.h"

/*
 * A sub that is not level with its channel. First its position is checked against the log, and
 * the caller gets the result. Then it reads pages of the log, as fast as its subscriber's
 * socket drains. When it is level with the channel, it joins the live list.
 *
 *   UNCHECKED --confirmed--> CHECKING --answer--> CHECKED --sub_start--> IDLE --level--> live
 *                                                                       ^    |
 *                                                 page, drained --------+    v
 *                                                              READING, or DRAINING
 */
enum check_result {
    CHECK_GOOD,  /* the position given is good, or none was given */
    CHECK_LOST,  /* the messages that followed it are lost */
    CHECK_FAILED /* Redis could not be asked; the sub is gone, and NULL is passed for it */
};
/* now: the end of the log. */
typedef void (*sub_checked)(void *arg, struct sub *sub, enum check_result result,
                            const struct position *now);

/* As hub_subscribe (hub.h). The caller holds the channel. */
struct sub *catchup_new(struct channel *ch, struct subscriber *s, const struct position *since,
                        sub_checked checked, void *arg);
/* Begins to deliver: after `since` if that was good, else after the log's end as the check
 * found it. */
void sub_start(struct sub *sub);
/* Takes the subscriber out of the channel and frees the sub. No callback comes after it. */
void sub_drop(struct sub *sub);
/* The position up to which messages were sent to the subscriber. */
struct position sub_position(const struct sub *sub);
/* The subscriber's socket has taken all that was queued, so its subs ask for their next pages.
 * May end the subscriber. */
void subscriber_drained(struct subscriber *s);

/* Moves each sub that is behind as far as it can go now. */
void channel_step_behind(struct channel *ch);
/* Ends the subs whose check was not sent yet, with CHECK_FAILED. */
void sub_fail_checks(struct channel *ch);

#endif
