#include "gateway/channel/name.h"

#include <stdio.h>

struct slice user_channel(struct slice user, char out[CHANNEL_NAME_SIZE]) {
    int len = snprintf(out, CHANNEL_NAME_SIZE, "user:%.*s", (int)user.len, user.ptr);
    return (struct slice){out, (size_t)len};
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
