#include "gateway/channel/name.h"

#include <string.h>

static struct slice join(struct slice kind, struct slice name, char out[CHANNEL_NAME_SIZE]) {
    memcpy(out, kind.ptr, kind.len);
    if (name.len != 0)
        memcpy(out + kind.len, name.ptr, name.len);
    out[kind.len + name.len] = '\0';
    return (struct slice){out, kind.len + name.len};
}

struct slice user_channel(struct slice user, char out[CHANNEL_NAME_SIZE]) {
    return join(SLICE("user:"), user, out);
}

struct slice room_channel(struct slice room, char out[CHANNEL_NAME_SIZE]) {
    return join(SLICE("room:"), room, out);
}

struct slice socket_node(struct slice channel, char out[CHANNEL_NAME_SIZE]) {
    struct slice id = channel_rest(channel, SLICE("socket:"));
    size_t len = id.len < SOCKET_NODE_LEN ? id.len : SOCKET_NODE_LEN;
    return join(SLICE("socket:"), (struct slice){id.ptr + id.len - len, len}, out);
}

void channel_join_name(struct buf *out, const char *kind, struct slice name) {
    buf_str(out, kind);
    buf_slice(out, name);
}

void channel_dm_name(struct buf *out, struct slice a, struct slice b) {
    bool ordered = slice_cmp(a, b) <= 0;
    buf_str(out, "dm:");
    buf_slice(out, ordered ? a : b);
    buf_char(out, ':');
    buf_slice(out, ordered ? b : a);
}

bool resumable(struct slice user, struct slice name) {
    if (slice_starts(name, SLICE("user:")))
        return slice_eq(channel_rest(name, SLICE("user:")), user);
    if (is_room(name))
        return name_valid(room_of(name));
    return slice_starts(name, SLICE("topic:")) && name_valid(topic_of(name));
}
