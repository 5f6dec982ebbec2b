#include "gateway/login/told.h"

#include "gateway/auth/grant.h"
#include "gateway/channel/name.h"
#include "gateway/client/authorize.h"
#include "gateway/client/field.h"
#include "gateway/login/ask.h"
#include "gateway/presence/membership.h"

/* Waits its turn among the client's own events. */
static void on_joined(struct request *r, struct json_value data) {
    static const char *const names[] = {"room"};
    struct json_value f;
    struct name room;
    struct position at;
    json_fields(data, names, &f, 1);
    if (!field_name(r, f, "room", false, &room) || !field_position(r, data, "room", &at) ||
        !field_may(r, RIGHT_ROOMS, name_slice(&room), "room"))
        return;
    login_enter(r, name_slice(&room), &at);
}

static const struct event_row row = {
    .name = "joined", .handle = on_joined, .rights = NEEDS(ROOMS)};

static bool is_inbox(const struct client *c, const struct message *m) {
    return c->inbox != NULL && channel_is(c->inbox->channel, m->channel);
}

static bool read_room(const struct message *m, struct json_value *data, struct name *room) {
    static const char *const names[] = {"room"};
    struct json_value f;
    if (json_parse(m->data, data) != JSON_OK)
        return false;
    json_fields(*data, names, &f, 1);
    return name_from_json(f, false, room);
}

static void leave(struct client *c, struct slice room) {
    char name[CHANNEL_NAME_SIZE];
    const struct sub *sub = sub_find(&c->as, room_channel(room, name));
    if (sub != NULL)
        membership_left(clients_of(c)->leases, sub->channel, client_user(c));
}

bool told_takes(struct client *c, const struct message *m) {
    struct json_value data;
    struct name room;
    bool joined = slice_is(m->event, "joined");
    if (m->seq == 0 || m->own || !(joined || slice_is(m->event, "userLeft")) ||
        !is_inbox(c, m) || !read_room(m, &data, &room))
        return true;
    if (joined && !authorize(c, RIGHT_ROOMS, name_slice(&room)))
        return false;
    if (joined)
        client_act(c, &row, data);
    else
        leave(c, name_slice(&room));
    return !c->as.gone;
}
