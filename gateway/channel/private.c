#include "gateway/channel/private.h"

#include <string.h>

#include "common/json.h"
#include "gateway/channel/message.h"

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
    buf_deinit(&s->place);
}

/* --- in one step ----------------------------------------------------------------------------
 */

static void on_private(void *arg, const struct reply *reply, enum outcome outcome) {
    struct private_send *s = arg;
    if (reply == NULL) {
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
static void take_note_out(struct private_send *s) {
    struct buf dm;
    buf_init(&dm);
    channel_dm_name(&dm, s->sender, s->receiver);
    struct slice key = buf_bytes(&dm);
    if (!dm.failed)
        redis_script(redis_partition(s->redis, key), SCRIPT_posted, &key, 1, &s->note, 1, NULL,
                     NULL);
    buf_deinit(&dm);
}

/* --- the second step ------------------------------------------------------------------------
 */

static void inbox_over(struct private_send *s) {
    if (--s->pending > 0)
        return;
    if (!s->failed)
        take_note_out(s);
    s->done(s, s->failed ? NULL : &s->sent, s->failed ? OUTCOME_UNKNOWN : OUTCOME_NONE);
}

static void on_inbox(void *arg, const struct reply *reply, enum outcome outcome) {
    const struct private_inbox *inbox = arg;
    struct private_send *s = inbox->send;
    bool is_receivers = !inbox->is_senders || slice_eq(s->sender, s->receiver);
    (void)outcome;
    if (reply == NULL) {
        s->failed = true;
    } else {
        if (inbox->is_senders)
            position_set(&s->sent.inbox, reply_text(reply_item(reply, 1)),
                         (uint64_t)reply_number(reply_item(reply, 2)));
        if (is_receivers)
            s->sent.delivered = reply_number(reply_item(reply, 3)) != 0;
        s->sent.cut = s->sent.cut || append_has_cut(reply);
    }
    inbox_over(s);
}

static void ask_inbox(struct private_send *s, bool is_senders) {
    struct private_inbox *inbox = &s->inboxes[is_senders];
    char name[CHANNEL_NAME_SIZE];
    struct slice key = user_channel(is_senders ? s->sender : s->receiver, name);
    struct slice noted = s->is_noted ? SLICE("1") : SLICE("");
    struct slice args[] = {s->sender, s->receiver, buf_bytes(&s->data),
                           s->id,     s->origin,   s->epoch,
                           s->seq,    s->count,    s->read,
                           noted};
    *inbox = (struct private_inbox){.send = s, .is_senders = is_senders};
    s->pending++;
    if (!redis_append(redis_partition(s->redis, key), SCRIPT_inbox, &key, 1, args,
                      sizeof args / sizeof args[0], on_inbox, inbox))
        on_inbox(inbox, NULL, OUTCOME_REFUSED);
}

static void ask_inboxes(struct private_send *s) {
    s->pending = 1; /* so that it is not over before both are asked */
    if (!slice_eq(s->sender, s->receiver))
        ask_inbox(s, false);
    ask_inbox(s, true);
    inbox_over(s);
}

/* --- the first step -------------------------------------------------------------------------
 */

/* Copies words into the buffer, and sets the slices to where they are there. */
static bool keep(struct buf *into, struct slice *const out[], const struct slice from[],
                 size_t count) {
    size_t at = 0;
    for (size_t i = 0; i < count; i++)
        buf_slice(into, from[i]);
    for (size_t i = 0; i < count && !into->failed; at += from[i++].len)
        *out[i] = (struct slice){into->data + at, from[i].len};
    return !into->failed;
}

static bool keep_message(struct private_send *s, struct slice sender, struct slice receiver,
                         struct slice id, struct slice origin) {
    struct slice *const out[] = {&s->sender, &s->receiver, &s->id, &s->origin};
    const struct slice from[] = {sender, receiver, id, origin};
    return keep(&s->words, out, from, 4);
}

static bool keep_place(struct private_send *s, struct slice epoch, struct slice seq,
                       struct slice count, struct slice read, struct slice note) {
    struct slice *const out[] = {&s->epoch, &s->seq, &s->count, &s->read, &s->note};
    const struct slice from[] = {epoch, seq, count, read, note};
    return keep(&s->place, out, from, 5);
}

/* Of a repeat, the data is that of the first message, unless the log does not have it any more.
 */
static void complete_data(struct private_send *s, const struct reply *reply) {
    struct message m;
    struct slice frame = reply_text(reply_item(reply, 8));
    bool known = frame.len > 0 && message_parse_entry(&m, frame) &&
                 slice_eq(m.epoch, s->epoch) && m.seq == s->sent.seq;
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
    if (reply == NULL) {
        s->done(s, NULL, outcome);
        return;
    }
    s->sent.seq = (uint64_t)reply_number(reply_item(reply, 1));
    s->sent.time = (uint64_t)reply_number(reply_item(reply, 2));
    s->sent.cut = reply_text(reply_item(reply, 7)).len > 0;
    bool kept = keep_place(s, reply_text(reply_item(reply, 3)),
                           reply_text(reply_item(reply, 1)), reply_text(reply_item(reply, 4)),
                           reply_text(reply_item(reply, 5)), reply_text(reply_item(reply, 6)));
    if (kept)
        complete_data(s, reply);
    if (kept && !s->data.failed)
        ask_inboxes(s);
    else
        s->done(s, NULL, OUTCOME_UNKNOWN);
}

/* Can a later step be done, as far as the node knows? If not, nothing is begun. */
static bool is_open(const struct partition *p) {
    return redis_up(p) && !redis_is_full(p);
}

enum append_result private_send(struct private_send *s, struct redis *r,
                                const struct private_message *m, private_done done) {
    char to[CHANNEL_NAME_SIZE], from[CHANNEL_NAME_SIZE];
    struct buf dm;
    *s = (struct private_send){.redis = r, .done = done};
    buf_init(&dm);
    channel_dm_name(&dm, m->sender, m->receiver);
    put_private(&s->data, m);
    struct slice keys[] = {buf_bytes(&dm), user_channel(m->receiver, to),
                           user_channel(m->sender, from)};
    struct slice args[] = {m->sender, m->receiver, buf_bytes(&s->data), m->id, m->origin};
    struct partition *home = redis_partition(r, keys[0]), *theirs = redis_partition(r, keys[1]),
                     *mine = redis_partition(r, keys[2]);
    bool together = home == theirs && home == mine;
    enum append_result result = APPEND_AWAY;
    if (dm.failed || s->data.failed ||
        (!together && !keep_message(s, m->sender, m->receiver, m->id, m->origin)))
        result = APPEND_NO_MEMORY;
    else if (together ? redis_append(home, SCRIPT_private, keys, 3, args, 5, on_private, s)
                      : is_open(theirs) && is_open(mine) &&
                            redis_append(home, SCRIPT_dm, keys, 1, args, 5, on_dm, s))
        result = APPEND_SENT;
    if (together)
        buf_deinit(&s->data); /* the link has it */
    buf_deinit(&dm);
    return result;
}

/* --- from a note ----------------------------------------------------------------------------
 */

bool private_resume(struct private_send *s, struct redis *r, const struct reply *reply,
                    size_t at, private_done done) {
    struct message m;
    struct buf seq;
    struct slice item[PRIVATE_ITEMS];
    for (size_t i = 0; i < PRIVATE_ITEMS; i++)
        item[i] = reply_text(reply_item(reply, at + i));
    *s = (struct private_send){.redis = r, .done = done, .is_noted = true};
    bool kept = keep_message(s, item[1], item[2], item[3], item[4]);
    if (kept && !message_parse_entry(&m, item[5])) {
        s->note = item[0];
        take_note_out(s); /* somebody wrote into the log by hand */
        return false;
    }
    if (!kept)
        return false;
    s->sent.seq = m.seq;
    s->sent.time = m.time;
    buf_init(&seq);
    buf_u64(&seq, m.seq);
    buf_slice(&s->data, m.data);
    bool good = keep_place(s, m.epoch, buf_bytes(&seq), item[6], item[7], item[0]) &&
                !seq.failed && !s->data.failed;
    buf_deinit(&seq);
    if (good)
        ask_inboxes(s);
    return good;
}
