#include "gateway/channel/append.h"

#include "common/json.h"
#include "gateway/channel/name.h"

enum append_result append_event(struct redis *r, struct slice channel, const char *event,
                                struct slice data, struct slice id, struct slice member,
                                struct sending *s, redis_done done, void *arg) {
    struct slice args[] = {slice_of(event), data, id, member};
    bool sent = redis_append(redis_partition(r, channel), s, SCRIPT_append, &channel, 1, args,
                             4, done, arg);
    return sent ? APPEND_SENT : APPEND_AWAY;
}

enum append_result append_ephemeral(struct redis *r, struct slice channel, const char *event,
                                    struct slice data, struct slice member, redis_done done,
                                    void *arg) {
    struct slice args[] = {slice_of(event), data, member};
    bool sent = redis_script_asked(redis_partition(r, channel), SCRIPT_ring, &channel, 1, args,
                                   3, done, arg);
    return sent ? APPEND_SENT : APPEND_AWAY;
}

void append_put_bin(struct buf *out, struct slice bin) {
    if (bin.len == 0)
        return;
    buf_str(out, ",\"bin\":");
    buf_slice(out, bin);
}

enum append_result append_room_message(struct redis *r, struct slice channel,
                                       struct slice sender, struct slice message,
                                       struct slice bin, struct slice id, struct sending *s,
                                       redis_done done, void *arg) {
    enum append_result result = APPEND_NO_MEMORY;
    struct buf data;
    buf_init(&data);
    buf_str(&data, "{\"room\":");
    json_escape(&data, room_of(channel));
    buf_str(&data, ",\"userId\":");
    json_escape(&data, sender);
    buf_str(&data, ",\"message\":");
    buf_slice(&data, message);
    append_put_bin(&data, bin);
    if (!data.failed)
        result =
            append_event(r, channel, "chatMessage", buf_bytes(&data), id, sender, s, done, arg);
    buf_deinit(&data);
    return result;
}

void append_put_result(struct buf *out, uint64_t seq, uint64_t time) {
    buf_printf(out, "{\"seq\":%llu,\"timestamp\":%llu", (unsigned long long)seq,
               (unsigned long long)time / 1000);
}

bool append_has_cut(const struct reply *reply) {
    return reply->count > 0 &&
           slice_is(reply_text(reply_item(reply, reply->count - 1)), "log-bytes");
}
