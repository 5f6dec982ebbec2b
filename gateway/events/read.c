#include "gateway/channel/name.h"
#include "gateway/client/asking.h"
#include "gateway/client/field.h"

/* read: notes up to where the user has read a conversation. If the conversation, the reader and
 * the peer are not all in one partition, then after mark.lua the reader's count is settled and
 * the peer's doorbell rung, at once. The repeat of a reading that failed settles the count. The
 * peer's message_read is ephemeral: if it does not come through, none comes after it. */

struct read_steps {
    struct name peer;
    unsigned pending; /* scripts */
    bool failed;      /* the count was not settled */
};

static void part_over(struct request *r) {
    struct read_steps *s = r->state;
    if (--s->pending > 0)
        return;
    if (s->failed)
        request_unavailable(r, OUTCOME_UNKNOWN);
    else
        request_ok(r, SLICE("{}"));
}

static void on_settled(void *arg, const struct reply *reply, enum outcome outcome) {
    struct request *r = arg;
    (void)outcome;
    if (reply == NULL)
        ((struct read_steps *)r->state)->failed = true;
    part_over(r);
}

static void on_rung(void *arg, const struct reply *reply, enum outcome outcome) {
    (void)reply, (void)outcome;
    part_over(arg);
}

/* mark: the answer of mark.lua. */
static void settle(struct request *r, const struct reply *mark) {
    struct read_steps *s = r->state;
    struct redis *redis = clients_of(r->client)->redis;
    char bytes[CHANNEL_NAME_SIZE];
    struct slice key = user_channel(client_user(r->client), bytes);
    struct slice args[] = {name_slice(&s->peer), reply_text(reply_item(mark, 2)),
                           reply_text(reply_item(mark, 3)), reply_text(reply_item(mark, 4)),
                           reply_text(reply_item(mark, 5))};
    if (redis_script(redis_partition(redis, key), SCRIPT_settle, &key, 1, args, 5, on_settled,
                     r))
        s->pending++;
    else
        s->failed = true;
}

static void ring(struct request *r, struct slice seq) {
    struct read_steps *s = r->state;
    char bytes[CHANNEL_NAME_SIZE];
    struct slice nobody = {NULL, 0};
    struct buf data;
    buf_init(&data);
    buf_str(&data, "{\"userId\":");
    json_escape(&data, client_user(r->client));
    buf_str(&data, ",\"peer\":");
    json_escape(&data, name_slice(&s->peer));
    buf_str(&data, ",\"seq\":");
    buf_slice(&data, seq);
    buf_char(&data, '}');
    if (!data.failed &&
        append_ephemeral(clients_of(r->client)->redis,
                         user_channel(name_slice(&s->peer), bytes), "message_read",
                         buf_bytes(&data), nobody, on_rung, r) == APPEND_SENT)
        s->pending++;
    buf_deinit(&data);
}

static void on_marked(void *arg, const struct reply *reply, enum outcome outcome) {
    struct request *r = arg;
    struct read_steps *s = r->state;
    if (!request_check(r, reply, outcome))
        return;
    s->pending = 1; /* so that it is not over before both are sent */
    settle(r, reply);
    if (reply_number(reply_item(reply, 1)) != 0)
        ring(r, reply_text(reply_item(reply, 6)));
    part_over(r);
}

static void read_send(struct request *r, struct slice channel, uint64_t seq) {
    struct read_steps *s = r->state;
    struct redis *redis = clients_of(r->client)->redis;
    char me_key[CHANNEL_NAME_SIZE], peer_key[CHANNEL_NAME_SIZE], number[DIGITS_SIZE];
    struct slice me = client_user(r->client), peer = name_slice(&s->peer);
    struct slice keys[] = {channel, user_channel(me, me_key), user_channel(peer, peer_key)};
    struct slice args[] = {me, peer, slice_digits(seq, number), SLICE("1")};
    if (peer.len == 0 || slice_eq(peer, me)) {
        request_script(r, SCRIPT_mark, keys, 1, args, 3, request_done);
        return;
    }
    const struct partition *home = redis_partition(redis, channel),
                           *mine = redis_partition(redis, keys[1]),
                           *theirs = redis_partition(redis, keys[2]);
    if (home == mine && home == theirs)
        request_script(r, SCRIPT_mark, keys, 3, args, 3, request_done);
    else if (redis_up(mine) && redis_up(theirs))
        request_script(r, SCRIPT_mark, keys, 1, args, 4, on_marked);
    else
        request_unavailable(r, OUTCOME_REFUSED);
}

void on_read(struct request *r, struct json_value data) {
    static const char *const names[] = {"peer", "room", "seq"};
    struct json_value f[3];
    struct buf channel;
    uint64_t seq = 0;
    struct read_steps *s = request_state(r, sizeof *s);
    if (s == NULL)
        return;
    json_fields(data, names, f, 3);
    buf_init(&channel);
    if (field_number(r, f[2], "seq", false, 0, 1ULL << 53, &seq) &&
        field_conversation(r, f[0], f[1], &channel, &s->peer))
        read_send(r, buf_bytes(&channel), seq);
    buf_deinit(&channel);
}
