#include "gateway/channel/courier.h"

#include "gateway/channel/message.h"
#include "gateway/channel/name.h"

#define AT_ONCE    64
#define MOST       "64"     /* the same */
#define BYTES_MOST "262144" /* one message is always taken, however long */
#define ROUNDS     64 /* questions to the log; who lacks more is brought it later, by a sweep */
#define BEHIND     1  /* inbox.lua: it lacks others */
#define HEAD       6  /* arguments of inbox.lua before the messages, */
#define FIELDS     7  /* and of each message */
#define FIRST      7  /* item of missing.lua: the first message, */
#define ITEMS      5  /* and how many each has */

static void on_inbox(void *arg, const struct reply *reply, enum outcome outcome);
static void ask_log(struct courier *c, struct position mark);

/* --- to the inbox ---------------------------------------------------------------------------
 */

/* args: with room for the head; the messages are there. */
static void ask_inbox(struct courier *c, const struct carried_after *after, struct slice *args,
                      size_t count) {
    char name[CHANNEL_NAME_SIZE];
    struct slice key = user_channel(c->user, name);
    args[0] = c->peer;
    args[1] = after->epoch;
    args[2] = after->seq;
    args[3] = after->whole ? SLICE("1") : SLICE("");
    args[4] = after->late ? SLICE("1") : SLICE("");
    args[5] = after->read;
    if (!redis_append(redis_partition(c->redis, key), NULL, SCRIPT_inbox, &key, 1, args,
                      HEAD + count * FIELDS, on_inbox, c))
        c->done(c, false);
}

static void put_message(const struct carried *m, struct slice *args) {
    const struct slice all[FIELDS] = {m->epoch,  m->seq,   m->sender, m->id,
                                      m->origin, m->count, m->data};
    for (size_t i = 0; i < FIELDS; i++)
        args[i] = all[i];
}

static void on_inbox(void *arg, const struct reply *reply, enum outcome outcome) {
    struct courier *c = arg;
    struct position mark;
    (void)outcome;
    if (reply == NULL) {
        c->done(c, false);
        return;
    }
    position_set(&c->inbox, reply_text(reply_item(reply, 1)),
                 (uint64_t)reply_number(reply_item(reply, 2)));
    c->live = reply_number(reply_item(reply, 3)) != 0;
    c->cut = c->cut || reply_text(reply_item(reply, 4)).len > 0;
    position_set(&mark, reply_text(reply_item(reply, 5)),
                 (uint64_t)reply_number(reply_item(reply, 6)));
    if (reply_number(reply_item(reply, 0)) == BEHIND)
        ask_log(c, mark);
    else if (c->more)
        ask_log(c, c->reached);
    else
        c->done(c, true);
}

/* --- from the log ---------------------------------------------------------------------------
 */

/* The texts of messages that are on the way from the log's answer to the inbox. */
struct page {
    struct slice args[HEAD + AT_ONCE * FIELDS];
    char digits[AT_ONCE][DIGITS_SIZE];
    size_t count;
    bool has_wanted;
};

/* A message that somebody wrote into the log by hand may be no message. It is left out. */
static void take(const struct courier *c, struct page *page, const struct reply *reply,
                 size_t at) {
    struct message m;
    if (page->count == AT_ONCE ||
        !message_parse_entry(&m, reply_text(reply_item(reply, at + 4))))
        return;
    struct carried carried = {.epoch = m.epoch,
                              .seq = slice_digits(m.seq, page->digits[page->count]),
                              .sender = reply_text(reply_item(reply, at)),
                              .id = reply_text(reply_item(reply, at + 1)),
                              .origin = reply_text(reply_item(reply, at + 2)),
                              .count = reply_text(reply_item(reply, at + 3)),
                              .data = m.data};
    put_message(&carried, page->args + HEAD + page->count++ * FIELDS);
    page->has_wanted =
        page->has_wanted || (m.seq == c->wanted.seq && slice_is(m.epoch, c->wanted.epoch));
}

static bool wants_one(const struct courier *c) {
    return c->wanted.seq > 0;
}

static void on_missing(void *arg, const struct reply *reply, enum outcome outcome) {
    struct courier *c = arg;
    struct page page;
    char seq[DIGITS_SIZE];
    (void)outcome;
    page.count = 0;
    page.has_wanted = false;
    if (reply == NULL || (wants_one(c) && reply_number(reply_item(reply, 2)) == 0)) {
        c->done(c, false);
        return;
    }
    struct carried_after after = {.epoch = slice_of(c->mark.epoch),
                                  .seq = slice_digits(c->mark.seq, seq),
                                  .whole = reply_text(reply_item(reply, 5)).len > 0,
                                  .late = true,
                                  .read = reply_text(reply_item(reply, 6))};
    for (size_t i = FIRST; i + ITEMS <= reply->count; i += ITEMS)
        take(c, &page, reply, i);
    c->more = reply_number(reply_item(reply, 1)) != 0 && !page.has_wanted;
    position_set(&c->reached, reply_text(reply_item(reply, 3)),
                 (uint64_t)reply_number(reply_item(reply, 4)));
    if (page.count > 0)
        ask_inbox(c, &after, page.args, page.count);
    else if (c->more)
        ask_log(c, c->reached);
    else
        c->done(c, true);
}

/* Asks for what comes after this place, up to which the inbox has the log. */
static void ask_log(struct courier *c, struct position mark) {
    char digits[DIGITS_SIZE], wanted[DIGITS_SIZE];
    c->mark = mark;
    struct slice args[] = {slice_of(c->mark.epoch),
                           slice_digits(c->mark.seq, digits),
                           slice_of(c->wanted.epoch),
                           wants_one(c) ? slice_digits(c->wanted.seq, wanted) : SLICE(""),
                           c->user,
                           SLICE(MOST),
                           SLICE(BYTES_MOST)};
    if (c->rounds++ == ROUNDS ||
        !redis_script(redis_partition(c->redis, c->dm), SCRIPT_missing, &c->dm, 1, args,
                      sizeof args / sizeof args[0], on_missing, c))
        c->done(c, false);
}

/* --- both -----------------------------------------------------------------------------------
 */

void courier_bring(struct courier *c, const struct carried_after *after,
                   const struct carried *message) {
    struct slice args[HEAD + FIELDS];
    uint64_t seq = 0;
    slice_number(message->seq, UINT64_MAX, &seq);
    position_set(&c->wanted, message->epoch, seq);
    put_message(message, args + HEAD);
    ask_inbox(c, after, args, 1);
}

void courier_level(struct courier *c) {
    struct slice args[HEAD];
    struct carried_after nothing = {.seq = SLICE("0")};
    ask_inbox(c, &nothing, args, 0);
}
