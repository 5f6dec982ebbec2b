#include "gateway/client/authorize.h"

bool authorize_bearer(const struct identity *who, enum right right, struct slice name) {
    return who == NULL || grant_allows(who->grant, right, name, name_slice(&who->sub));
}

/* A back end has let it into this room, so it may speak there. */
static bool is_granted(const struct client *c, struct slice room) {
    char text[CHANNEL_NAME_SIZE];
    const struct sub *sub = sub_find(&c->as, room_channel(room, text));
    return sub != NULL && sub->granted;
}

bool authorize(const struct client *c, enum right right, struct slice name) {
    if (c->identity == NULL)
        return !clients_need_tokens(clients_of(c));
    return authorize_bearer(c->identity, right, name) ||
           (right == RIGHT_ROOMS && is_granted(c, name));
}

bool authorize_channel(const struct identity *who, struct slice channel) {
    if (is_room(channel))
        return authorize_bearer(who, RIGHT_ROOMS, room_of(channel));
    if (slice_starts(channel, SLICE("topic:")))
        return authorize_bearer(who, RIGHT_SUBSCRIBE, topic_of(channel));
    return true;
}
