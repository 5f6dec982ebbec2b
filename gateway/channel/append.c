#include "gateway/channel/append.h"

#include "common/json.h"
#include "gateway/channel/name.h"

static enum append_result append_send(struct redis *r, enum script script,
                                      const struct slice keys[], size_t key_count,
                                      const struct slice args[], size_t arg_count,
                                      redis_done done, void *arg) {
    bool sent = redis_append(redis_partition(r, keys[0]), script, keys, key_count, args,
                             arg_count, done, arg);
    return sent ? APPEND_SENT : APPEND_AWAY;
}

enum append_result append_event(struct redis *r, struct slice channel, const char *event,
                                struct slice data, struct slice id, struct slice member,
                                redis_done done, void *arg) {
    struct slice args[] = {slice_of(event), data, id, member};
    return append_send(r, SCRIPT_append, &channel, 1, args, 4, done, arg);
}

enum append_result append_ephemeral(struct redis *r, struct slice channel, const char *event,
                                    struct slice data, struct slice member, redis_done done,
                                    void *arg) {
    struct slice args[] = {slice_of(event), data, member};
    bool sent = redis_script_asked(redis_partition(r, channel), SCRIPT_ring, &channel, 1, args,
                                   3, done, arg);
    return sent ? APPEND_SENT : APPEND_AWAY;
}

static void put_bin(struct buf *out, struct slice bin) {
    if (bin.len == 0)
        return;
    buf_str(out, ",\"bin\":");
    buf_slice(out, bin);
}

enum append_result append_room_message(struct redis *r, struct slice channel,
                                       struct slice sender, struct slice message,
                                       struct slice bin, struct slice id, redis_done done,
                                       void *arg) {
    enum append_result result = APPEND_NO_MEMORY;
    struct buf data;
    buf_init(&data);
    buf_str(&data, "{\"room\":");
    json_escape(&data, room_of(channel));
    buf_str(&data, ",\"userId\":");
    json_escape(&data, sender);
    buf_str(&data, ",\"message\":");
    buf_slice(&data, message);
    put_bin(&data, bin);
    if (!data.failed)
        result =
            append_event(r, channel, "chatMessage", buf_bytes(&data), id, sender, done, arg);
    buf_deinit(&data);
    return result;
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

enum append_result append_private_message(struct redis *r, struct slice sender,
                                          struct slice receiver, struct slice content,
                                          struct slice bin, struct slice id,
                                          struct slice origin, redis_done done, void *arg) {
    char to[CHANNEL_NAME_SIZE], from[CHANNEL_NAME_SIZE];
    enum append_result result = APPEND_NO_MEMORY;
    struct buf dm, data;
    buf_init(&dm);
    buf_init(&data);
    channel_dm_name(&dm, sender, receiver);
    put_private(&data, sender, receiver, content);
    put_bin(&data, bin);
    struct slice keys[] = {buf_bytes(&dm), user_channel(receiver, to),
                           user_channel(sender, from)};
    struct slice args[] = {sender, receiver, buf_bytes(&data), id, origin};
    if (!dm.failed && !data.failed)
        result = append_send(r, SCRIPT_private, keys, 3, args, 5, done, arg);
    buf_deinit(&dm);
    buf_deinit(&data);
    return result;
}

void append_put_result(struct buf *out, const struct reply *reply) {
    buf_printf(out, "{\"seq\":%lld,\"timestamp\":%lld", reply_number(reply_item(reply, 1)),
               reply_number(reply_item(reply, 2)) / 1000);
}
