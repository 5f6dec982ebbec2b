#ifndef SLUICE_LOGIN_CHANNELS_ASK_H
#define SLUICE_LOGIN_CHANNELS_ASK_H

#include "gateway/client/question.h"
#include "gateway/client/request.h"

/*
 * subscribe-hook: channels are entered at the client's word only when the back end lets it. All
 * channels of one step are asked about at once, with one POST for each URL.
 */
struct channels_ask {
    struct channels_ask *next;
    struct question *question; /* owned */
    struct buf names; /* those that it is about, with a newline before and after each */
    void (*done)(struct request *r);
};

/* Has a line of subscribe-hook this channel? */
bool channels_asked(const struct client *c, struct slice name);

/*
 * Asks about those of the names that have a line. *list becomes the questions, which are the
 * caller's to free; `done` is called as often as this returns, each time in a later turn. -1:
 * no memory; `done` is not called.
 */
int channels_ask(struct request *r, const struct slice names[], size_t count,
                 struct channels_ask **list, void (*done)(struct request *r));
/* Gives calls up that are under way. Returns how many. */
unsigned channels_cancel(struct channels_ask *list);
void channels_free(struct channels_ask *list);

enum channel_said { CHANNEL_OPEN, CHANNEL_REFUSED, CHANNEL_AWAY };
struct channel_word {
    struct slice data;         /* CHANNEL_OPEN: JSON for the answer; or empty */
    struct hook_answer answer; /* CHANNEL_REFUSED: the error */
    enum outcome outcome;      /* CHANNEL_AWAY */
};
/* What was said of a channel, when all is answered. One that was not asked about is open. The
 * values lie in the list. */
enum channel_said channels_said(const struct channels_ask *list, const struct client *c,
                                struct slice name, struct channel_word *word);

#endif
