#include <stdio.h>
#include <stdlib.h>

#include "gateway/core/request.h"

/* Private and room messages, typing, read marks. */

static void put_result(struct buf *out, const struct reply *reply) {
    buf_printf(out, "{\"seq\":%lld,\"timestamp\":%lld", reply_number(reply_item(reply, 1)),
               reply_number(reply_item(reply, 2)) / 1000);
}

/* --- private_message ------------------------------------------------------------------------
 */

/* The answer waits until everything up to its inbox position has been sent to this connection.
 */
struct private {
    struct request *request;
    struct waiter waiter;
    struct buf answer;
    bool waiting;
};

static void private_drop(void *state) {
    struct private *p = state;
    buf_deinit(&p->answer);
}

static void on_level(struct waiter *w, bool reached) {
    struct private *p = container_of(w, struct private, waiter);
    p->waiting = false;
    if (reached)
        request_ok_buf(p->request, &p->answer);
    else
        request_unavailable(p->request, OUTCOME_UNKNOWN);
}

static void private_abandon(struct request *r) {
    struct private *p = r->state;
    if (p->waiting)
        request_ok(r, (struct slice){NULL, 0});
}

static void on_private_stored(void *arg, const struct reply *reply, enum outcome outcome) {
    struct request *r = arg;
    struct private *p = r->state;
    struct client *c = r->client;
    char key[CHANNEL_NAME_SIZE];
    if (!request_check(r, reply, outcome))
        return;
    put_result(&p->answer, reply);
    buf_printf(&p->answer, ",\"delivered\":%s,\"resume\":{",
               reply_number(reply_item(reply, 3)) != 0 ? "true" : "false");
    json_escape(&p->answer, user_channel(client_user(c), key));
    buf_str(&p->answer, ":{\"epoch\":");
    json_escape(&p->answer, reply_text(reply_item(reply, 4)));
    buf_printf(&p->answer, ",\"seq\":%lld}}}", reply_number(reply_item(reply, 5)));
    if (c->as.gone || c->inbox == NULL) {
        request_ok(r, (struct slice){NULL, 0});
        return;
    }
    p->waiting = true;
    p->waiter.seq = (uint64_t)reply_number(reply_item(reply, 5));
    p->waiter.done = on_level;
    sub_await(c->inbox, &p->waiter);
}

/* `bin`: bytes in base64 that the content refers to; it is handed on behind it. Optional. */
static bool field_bin(struct request *r, struct json_value value) {
    struct json_iter it;
    bool good = value.type == JSON_NONE || value.type == JSON_ARRAY;
    json_iter_init(&it, value);
    while (good && json_iter_next(&it))
        good = it.value.type == JSON_STRING;
    if (!good)
        request_fail(r, ERR_BAD_FIELD, "bin", "must be an array of strings");
    return good;
}

static void put_bin(struct buf *out, struct slice bin) {
    if (bin.len == 0)
        return;
    buf_str(out, ",\"bin\":");
    buf_slice(out, bin);
}

static void put_private(struct buf *out, struct slice sender, struct slice receiver,
                        struct slice content) {
    buf_str(out, "{\"senderId\":");
    json_escape(out, sender);
    buf_str(out, ",\"receiverId\":");
    json_escape(out, receiver);
    buf_str(out, ",\"content\":");
    buf_slice(out, content);
}

static void private_send(struct request *r, struct slice receiver, struct slice content,
                         struct slice bin, struct slice field) {
    struct slice sender = client_user(r->client);
    char to[CHANNEL_NAME_SIZE], from[CHANNEL_NAME_SIZE], id[CLIENT_ID_SIZE];
    struct buf dm, data;
    buf_init(&dm);
    buf_init(&data);
    channel_dm_name(&dm, sender, receiver);
    put_private(&data, sender, receiver, content);
    put_bin(&data, bin);
    struct slice keys[] = {buf_bytes(&dm), user_channel(receiver, to),
                           user_channel(sender, from)};
    struct slice args[] = {sender, receiver, buf_bytes(&data), field,
                           subscriber_origin(&r->client->as, id)};
    if (dm.failed || data.failed)
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
    else
        request_script(r, SCRIPT_private, keys, 3, args, 5, on_private_stored);
    buf_deinit(&dm);
    buf_deinit(&data);
}

void on_private_message(struct request *r, struct json_value data) {
    static const char *const names[] = {"receiverId", "content", "clientMessageId", "bin"};
    struct json_value f[4];
    struct name receiver = {0};
    struct buf field;
    struct private *p = request_state(r, sizeof *p);
    if (p == NULL)
        return;
    p->request = r;
    r->drop = private_drop;
    r->abandon = private_abandon;
    json_fields(data, names, f, 4);
    if (!field_user(r, f[0], "receiverId", false, &receiver) || !field_bin(r, f[3]))
        return;
    if (f[1].type == JSON_NONE) {
        request_fail(r, ERR_MISSING_FIELD, "content", NULL);
        return;
    }
    buf_init(&field);
    if (field_message_id(r, f[2], &field))
        private_send(r, name_slice(&receiver), f[1].raw, f[3].raw, buf_bytes(&field));
    buf_deinit(&field);
}

/* --- sendMessage ----------------------------------------------------------------------------
 */

void on_appended(void *arg, const struct reply *reply, enum outcome outcome) {
    struct request *r = arg;
    struct buf answer;
    if (!request_check(r, reply, outcome))
        return;
    buf_init(&answer);
    put_result(&answer, reply);
    buf_char(&answer, '}');
    request_ok_buf(r, &answer);
    buf_deinit(&answer);
}

static void on_alive(void *arg, const struct reply *reply, enum outcome outcome) {
    struct request *r = arg;
    struct core *core = r->client->core;
    bool reaped = reply != NULL && reply_number(reply_item(reply, 0)) == SCRIPT_REAPED;
    (void)outcome;
    if (reaped)
        lease_renew_incarnation(core);
    else if (reply != NULL)
        rooms_reenter(r->client);
    request_unavailable(r, OUTCOME_REFUSED);
}

/* From a client that is in the room. If it is no member, it has left by another connection, or
 * Redis has lost its data (with the lease), or the membership, which expires by a clock that
 * was set ahead. So it is made again, or the client is taken out of the room: a repeat is told.
 */
static void on_appended_inside(void *arg, const struct reply *reply, enum outcome outcome) {
    struct request *r = arg;
    struct client *c = r->client;
    struct core *core = c->core;
    char key[INCARNATION_SIZE + 8];
    if (reply == NULL || reply_number(reply_item(reply, 0)) != SCRIPT_NOT_A_MEMBER) {
        on_appended(arg, reply, outcome);
        return;
    }
    if (!core->leased || !c->is_in || c->presence_busy) { /* it is being made anew */
        request_unavailable(r, OUTCOME_REFUSED);
        return;
    }
    struct slice node = node_channel(core->incarnation, key);
    struct slice args[] = {slice_of(core->incarnation)};
    request_script(r, SCRIPT_beat, &node, 1, args, 1, on_alive);
}

static void room_send(struct request *r, struct slice channel, struct slice message,
                      struct slice bin, struct slice field) {
    struct slice me = client_user(r->client);
    struct buf data;
    buf_init(&data);
    buf_str(&data, "{\"room\":");
    json_escape(&data, room_of(channel));
    buf_str(&data, ",\"userId\":");
    json_escape(&data, me);
    buf_str(&data, ",\"message\":");
    buf_slice(&data, message);
    put_bin(&data, bin);
    struct slice args[] = {SLICE("chatMessage"), buf_bytes(&data), field, me};
    if (data.failed)
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
    else
        request_script(r, SCRIPT_append, &channel, 1, args, 4,
                       sub_find(&r->client->as, channel) != NULL ? on_appended_inside
                                                                 : on_appended);
    buf_deinit(&data);
}

void on_send_message(struct request *r, struct json_value data) {
    static const char *const names[] = {"room", "message", "clientMessageId", "bin"};
    struct json_value f[4];
    struct buf channel, field;
    json_fields(data, names, f, 4);
    if (data.type == JSON_STRING)
        f[1] = data; /* the short form */
    if (f[1].type == JSON_NONE) {
        request_fail(r, ERR_MISSING_FIELD, "message", NULL);
        return;
    }
    buf_init(&channel);
    buf_init(&field);
    if (field_bin(r, f[3]) && field_room(r, f[0], &channel) &&
        field_message_id(r, f[2], &field))
        room_send(r, buf_bytes(&channel), f[1].raw, f[3].raw, buf_bytes(&field));
    buf_deinit(&channel);
    buf_deinit(&field);
}

/* --- typing ---------------------------------------------------------------------------------
 */

static void on_done(void *arg, const struct reply *reply, enum outcome outcome) {
    struct request *r = arg;
    if (request_check(r, reply, outcome))
        request_ok(r, SLICE("{}"));
}

static void typing_send(struct request *r, struct slice channel, const char *who,
                        struct slice to, const char *where, bool member) {
    struct slice me = client_user(r->client);
    struct buf data;
    buf_init(&data);
    buf_printf(&data, "{\"%s\":", who);
    json_escape(&data, me);
    buf_printf(&data, ",\"%s\":", where);
    json_escape(&data, to);
    buf_char(&data, '}');
    struct slice none = {NULL, 0};
    struct slice args[] = {SLICE("typing"), buf_bytes(&data), member ? me : none};
    if (data.failed)
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
    else
        request_script(r, SCRIPT_ring, &channel, 1, args, 3, on_done);
    buf_deinit(&data);
}

void on_typing(struct request *r, struct json_value data) {
    static const char *const names[] = {"receiverId", "room"};
    struct json_value f[2];
    struct name receiver = {0};
    struct buf channel;
    char key[CHANNEL_NAME_SIZE];
    json_fields(data, names, f, 2);
    if (!field_user(r, f[0], "receiverId", true, &receiver))
        return;
    if (receiver.len != 0) {
        struct slice to = name_slice(&receiver);
        typing_send(r, user_channel(to, key), "senderId", to, "receiverId", false);
        return;
    }
    buf_init(&channel);
    if (field_room(r, f[1], &channel)) {
        struct slice name = buf_bytes(&channel);
        struct slice room = room_of(name);
        typing_send(r, name, "userId", room, "room", true);
    }
    buf_deinit(&channel);
}

/* --- read -----------------------------------------------------------------------------------
 */

static void read_send(struct request *r, struct slice channel, struct slice peer,
                      uint64_t seq) {
    char me_key[CHANNEL_NAME_SIZE], peer_key[CHANNEL_NAME_SIZE], number[DIGITS_SIZE];
    struct slice me = client_user(r->client);
    struct slice keys[] = {channel, user_channel(me, me_key), user_channel(peer, peer_key)};
    struct slice args[] = {me, peer, slice_digits(seq, number)};
    request_script(r, SCRIPT_mark, keys, peer.len != 0 ? 3 : 2, args, 3, on_done);
}

/* peer or room, one of them: as the name of its channel. */
bool field_conversation(struct request *r, struct json_value peer, struct json_value room,
                        struct buf *channel, struct name *other) {
    other->len = 0;
    if (!field_user(r, peer, "peer", true, other))
        return false;
    if (other->len == 0)
        return field_room(r, room, channel);
    if (room.type != JSON_NONE && room.type != JSON_NULL) {
        request_fail(r, ERR_BAD_FIELD, "room", "must not stand beside peer");
        return false;
    }
    channel_dm_name(channel, client_user(r->client), name_slice(other));
    return true;
}

void on_read(struct request *r, struct json_value data) {
    static const char *const names[] = {"peer", "room", "seq"};
    struct json_value f[3];
    struct name peer;
    struct buf channel;
    uint64_t seq = 0;
    json_fields(data, names, f, 3);
    buf_init(&channel);
    if (field_number(r, f[2], "seq", false, 0, 1ULL << 53, &seq) &&
        field_conversation(r, f[0], f[1], &channel, &peer))
        read_send(r, buf_bytes(&channel), name_slice(&peer), seq);
    buf_deinit(&channel);
}
