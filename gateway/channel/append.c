#include "gateway/channel/append.h"

#include "common/json.h"
#include "gateway/channel/name.h"

static const struct slice nothing = {NULL, 0};

static void put_member(struct buf *out, const char *key, struct slice value) {
    if (value.len == 0)
        return;
    buf_str(out, key);
    buf_slice(out, value);
}

enum append_result append_event(struct redis *r, struct slice channel, const char *event,
                                struct slice data, struct slice id, struct slice member,
                                struct sending *s, redis_done done, void *arg) {
    struct slice args[] = {slice_of(event), data, id, member, nothing};
    bool sent = redis_append(redis_partition(r, channel), s, SCRIPT_append, &channel, 1, args,
                             5, done, arg);
    return sent ? APPEND_SENT : APPEND_AWAY;
}

/* What stands between an event and its arguments in a frame (message.h). */
static void put_emit_head(struct buf *out, const struct emit *e) {
    buf_char(out, '"');
    put_member(out, ",\"user\":", e->user);
    if (e->socket.len != 0) {
        buf_str(out, ",\"socket\":");
        json_escape(out, e->socket);
    }
    if (e->nsp.len > 1) {
        buf_str(out, ",\"nsp\":");
        json_escape(out, e->nsp);
    }
    put_member(out, ",\"except\":", e->except);
    buf_str(out, e->data.len != 0 ? ",\"data\":" : ",\"args\":");
}

static void put_emit_data(struct buf *out, const struct emit *e) {
    buf_slice(out, e->data.len != 0 ? e->data : e->args);
    append_put_bin(out, e->bin);
}

enum append_result append_emit(struct redis *r, struct slice channel, const struct emit *e,
                               struct slice id, struct slice member, struct sending *s,
                               redis_done done, void *arg) {
    enum append_result result = APPEND_NO_MEMORY;
    struct buf head, data;
    buf_init(&head);
    buf_init(&data);
    put_emit_head(&head, e);
    put_emit_data(&data, e);
    struct slice args[] = {e->event, buf_bytes(&data), id, member, buf_bytes(&head)};
    if (!head.failed && !data.failed)
        result = redis_append(redis_partition(r, channel), s, SCRIPT_append, &channel, 1, args,
                              5, done, arg)
                     ? APPEND_SENT
                     : APPEND_AWAY;
    buf_deinit(&head);
    buf_deinit(&data);
    return result;
}

enum append_result ring_emit(struct redis *r, struct slice channel, const struct emit *e,
                             struct slice member, redis_done done, void *arg) {
    enum append_result result = APPEND_NO_MEMORY;
    char node[CHANNEL_NAME_SIZE];
    struct slice bell = channel, name = nothing;
    struct buf head, data;
    if (is_socket(channel)) {
        bell = socket_node(channel, node);
        name = channel;
    }
    buf_init(&head);
    buf_init(&data);
    put_emit_head(&head, e);
    put_emit_data(&data, e);
    struct slice args[] = {e->event, buf_bytes(&data), member, buf_bytes(&head), name};
    if (!head.failed && !data.failed)
        result = redis_script_asked(redis_partition(r, bell), SCRIPT_ring, &bell, 1, args, 5,
                                    done, arg)
                     ? APPEND_SENT
                     : APPEND_AWAY;
    buf_deinit(&head);
    buf_deinit(&data);
    return result;
}

enum append_result append_ephemeral(struct redis *r, struct slice channel, const char *event,
                                    struct slice data, struct slice member, redis_done done,
                                    void *arg) {
    struct slice args[] = {slice_of(event), data, member, nothing, nothing};
    bool sent = redis_script_asked(redis_partition(r, channel), SCRIPT_ring, &channel, 1, args,
                                   5, done, arg);
    return sent ? APPEND_SENT : APPEND_AWAY;
}

void append_put_bin(struct buf *out, struct slice bin) {
    put_member(out, ",\"bin\":", bin);
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
