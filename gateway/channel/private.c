#include "gateway/channel/private.h"

#include <string.h>

#include "common/json.h"
#include "gateway/channel/message.h"
#include "gateway/channel/name.h"

/* --- the message ----------------------------------------------------------------------------
 */

/* The scripts add the end: the time, the seq and the closing brace. */
static void put_private(struct buf *out, const struct private_message *m) {
    buf_str(out, "{\"senderId\":");
    json_escape(out, m->sender);
    buf_str(out, ",\"receiverId\":");
    json_escape(out, m->receiver);
    buf_str(out, ",\"content\":");
    buf_slice(out, m->content);
    append_put_bin(out, m->bin);
}

void private_deinit(struct private_send *s) {
    buf_deinit(&s->data);
    buf_deinit(&s->words);
}

/* dm.lua answers so to a message that the log knew already. */
#define REPEATED 10
static bool is_repeat(const struct reply *reply) {
    return reply->count > REPEATED;
}

/* Was the message not written? */
static bool is_refused(struct private_send *s, const struct reply *reply) {
    s->conflict = reply != NULL && reply_number(reply_item(reply, 0)) == SCRIPT_CONFLICT;
    return reply == NULL || s->conflict;
}

/* --- in one step ----------------------------------------------------------------------------
 */

static void on_private(void *arg, const struct reply *reply, enum outcome outcome) {
    struct private_send *s = arg;
    if (is_refused(s, reply)) {
        s->done(s, NULL, outcome);
        return;
    }
    s->sent.seq = (uint64_t)reply_number(reply_item(reply, 1));
    s->sent.time = (uint64_t)reply_number(reply_item(reply, 2));
    s->sent.delivered = reply_number(reply_item(reply, 3)) != 0;
    s->sent.cut = append_has_cut(reply);
    position_set(&s->sent.inbox, reply_text(reply_item(reply, 4)),
                 (uint64_t)reply_number(reply_item(reply, 5)));
    s->done(s, &s->sent, OUTCOME_NONE);
}

/* --- the third step -------------------------------------------------------------------------
 */

/* Nobody waits for it. If it fails, the inboxes are asked once more, which have the message. */
static void tell_log(struct private_send *s) {
    char seq[DIGITS_SIZE];
    struct slice args[] = {slice_of(s->place.epoch), slice_digits(s->place.seq, seq)};
    redis_script(redis_partition(s->redis, s->dm), SCRIPT_posted, &s->dm, 1, args, 2, NULL,
                 NULL);
}

/* --- the second step ------------------------------------------------------------------------
 */

static void courier_over(struct private_send *s) {
    if (--s->pending > 0)
        return;
    if (!s->failed)
        tell_log(s);
    s->done(s, s->failed ? NULL : &s->sent, s->failed ? OUTCOME_UNKNOWN : OUTCOME_NONE);
}

static void on_brought(struct courier *c, bool good) {
    struct private_courier *one = container_of(c, struct private_courier, courier);
    struct private_send *s = one->send;
    s->failed = s->failed || !good;
    s->sent.cut = s->sent.cut || c->cut;
    if (slice_eq(c->user, s->sender))
        s->sent.inbox = c->inbox;
    if (slice_eq(c->user, s->receiver))
        s->sent.delivered = c->live;
    courier_over(s);
}

static struct courier *prepare(struct private_send *s, bool is_senders, courier_done done) {
    struct private_courier *one = &s->couriers[is_senders];
    *one = (struct private_courier){.send = s,
                                    .courier = {.redis = s->redis,
                                                .done = done,
                                                .dm = s->dm,
                                                .user = is_senders ? s->sender : s->receiver,
                                                .peer = is_senders ? s->receiver : s->sender}};
    s->pending++;
    return &one->courier;
}

/* An answer of dm.lua. */
static void bring(struct private_send *s, const struct reply *reply) {
    char before[DIGITS_SIZE];
    struct carried message = {.epoch = slice_of(s->place.epoch),
                              .seq = reply_text(reply_item(reply, 1)),
                              .sender = s->sender,
                              .id = s->id,
                              .origin = s->origin,
                              .count = reply_text(reply_item(reply, 4)),
                              .data = buf_bytes(&s->data)};
    struct carried_after after = {.epoch = reply_text(reply_item(reply, 5)),
                                  .seq = slice_digits(s->place.seq - 1, before),
                                  .whole = reply_text(reply_item(reply, 6)).len > 0,
                                  .late = is_repeat(reply)};
    s->pending = 1; /* so that it is not over before both have begun */
    for (int is_senders = slice_eq(s->sender, s->receiver); is_senders < 2; is_senders++) {
        after.read = reply_text(reply_item(reply, is_senders ? 7 : 8));
        courier_bring(prepare(s, is_senders, on_brought), &after, &message);
    }
    courier_over(s);
}

/* --- the first step -------------------------------------------------------------------------
 */

/* Copies the words behind the name of the log, which stands there already. */
static bool keep_words(struct private_send *s, struct slice sender, struct slice receiver,
                       struct slice id, struct slice origin) {
    struct slice *const out[] = {&s->sender, &s->receiver, &s->id, &s->origin};
    const struct slice from[] = {sender, receiver, id, origin};
    size_t at = s->words.len;
    for (size_t i = 0; i < 4; i++)
        buf_slice(&s->words, from[i]);
    if (s->words.failed)
        return false;
    s->dm = (struct slice){s->words.data, at};
    for (size_t i = 0; i < 4; at += from[i++].len)
        *out[i] = (struct slice){s->words.data + at, from[i].len};
    return true;
}

/* Of a repeat, the data is that of the first message, unless the log does not have it any more.
 */
static void complete_data(struct private_send *s, const struct reply *reply) {
    struct message m;
    struct slice frame = reply_text(reply_item(reply, REPEATED));
    bool known = frame.len > 0 && message_parse_entry(&m, frame) &&
                 slice_is(m.epoch, s->place.epoch) && m.seq == s->sent.seq;
    if (known) {
        buf_clear(&s->data);
        buf_slice(&s->data, m.data);
    } else {
        buf_printf(&s->data, ",\"timestamp\":%llu,\"seq\":%llu}",
                   (unsigned long long)s->sent.time / 1000, (unsigned long long)s->sent.seq);
    }
}

static void on_dm(void *arg, const struct reply *reply, enum outcome outcome) {
    struct private_send *s = arg;
    if (is_refused(s, reply)) {
        s->done(s, NULL, outcome);
        return;
    }
    s->sent.seq = (uint64_t)reply_number(reply_item(reply, 1));
    s->sent.time = (uint64_t)reply_number(reply_item(reply, 2));
    s->sent.cut = reply_text(reply_item(reply, 9)).len > 0;
    position_set(&s->place, reply_text(reply_item(reply, 3)), s->sent.seq);
    complete_data(s, reply);
    if (!s->data.failed)
        bring(s, reply);
    else
        s->done(s, NULL, OUTCOME_UNKNOWN);
}

/* Can a later step be done, as far as the node knows? If not, nothing is begun. */
static bool is_open(const struct partition *p) {
    return redis_up(p) && !redis_is_full(p);
}

enum append_result private_send(struct private_send *s, struct redis *r,
                                const struct private_message *m, struct sending *sending,
                                private_done done) {
    char to[CHANNEL_NAME_SIZE], from[CHANNEL_NAME_SIZE];
    *s = (struct private_send){.redis = r, .done = done};
    put_private(&s->data, m);
    channel_dm_name(&s->words, m->sender, m->receiver);
    if (s->words.failed || s->data.failed)
        return APPEND_NO_MEMORY;
    struct slice keys[] = {buf_bytes(&s->words), user_channel(m->receiver, to),
                           user_channel(m->sender, from)};
    struct slice args[] = {m->sender, m->receiver, buf_bytes(&s->data), m->id, m->origin};
    struct partition *home = redis_partition(r, keys[0]), *theirs = redis_partition(r, keys[1]),
                     *mine = redis_partition(r, keys[2]);
    bool together = home == theirs && home == mine;
    enum append_result result = APPEND_AWAY;
    sending->alone = !together;
    if (!together && !keep_words(s, m->sender, m->receiver, m->id, m->origin))
        result = APPEND_NO_MEMORY;
    else if (together
                 ? redis_append(home, sending, SCRIPT_private, keys, 3, args, 5, on_private, s)
                 : is_open(theirs) && is_open(mine) &&
                       redis_append(home, sending, SCRIPT_dm, &s->dm, 1, args, 5, on_dm, s))
        result = APPEND_SENT;
    if (together) { /* the link has all of it */
        buf_deinit(&s->data);
        buf_deinit(&s->words);
    }
    return result;
}

/* --- from the outbox ------------------------------------------------------------------------
 */

/* Both inboxes have the log up to there. */
static void on_level(struct courier *c, bool good) {
    struct private_send *s = container_of(c, struct private_courier, courier)->send;
    if (s->place.epoch[0] == '\0' || c->reached.seq < s->place.seq)
        s->place = c->reached;
    s->failed = s->failed || !good;
    courier_over(s);
}

bool private_resume(struct private_send *s, struct redis *r, struct slice dm,
                    private_done done) {
    struct slice users = channel_rest(dm, SLICE("dm:"));
    const char *colon =
        slice_starts(dm, SLICE("dm:")) ? memchr(users.ptr, ':', users.len) : NULL;
    *s = (struct private_send){.redis = r, .done = done};
    if (colon == NULL)
        return false;
    size_t len = (size_t)(colon - users.ptr);
    struct slice one = {users.ptr, len}, two = {colon + 1, users.len - len - 1};
    if (!name_valid_user(one) || !name_valid_user(two))
        return false;
    buf_slice(&s->words, dm);
    if (!keep_words(s, one, two, (struct slice){NULL, 0}, (struct slice){NULL, 0}))
        return false;
    s->pending = 1;
    for (int second = slice_eq(one, two); second < 2; second++)
        courier_level(prepare(s, second, on_level));
    courier_over(s);
    return true;
}
