#include "gateway/channel/name.h"
#include "gateway/client/field.h"

/* leave: ends a user's membership in a room, for all of the user's connections. */

static void on_left(void *arg, const struct reply *reply, enum outcome outcome) {
    struct request *r = arg;
    struct client *c = r->client;
    if (!request_check(r, reply, outcome))
        return;
    struct sub *sub = c->as.gone ? NULL : sub_find(&c->as, buf_bytes(r->state));
    if (sub != NULL)
        sub_drop(sub);
    request_ok(r, SLICE("{}"));
}

static void buf_drop(void *state) {
    buf_deinit(state);
}

void on_leave(struct request *r, struct json_value data) {
    static const char *const names[] = {"room"};
    struct json_value room;
    char user[CHANNEL_NAME_SIZE];
    struct buf *channel = request_state(r, sizeof *channel);
    if (channel == NULL)
        return;
    r->drop = buf_drop;
    json_fields(data, names, &room, 1);
    if (!field_object(r, data, "room") || !field_room(r, room, channel))
        return;
    struct slice name = buf_bytes(channel);
    struct slice me = client_user(r->client);
    struct slice keys[] = {name, user_channel(me, user)};
    bool inside = sub_find(&r->client->as, name) != NULL;
    struct slice args[] = {
        me, room_of(name),
        slice_of(lease_of(clients_of(r->client)->leases, keys[1])->incarnation),
        inside ? SLICE("1") : SLICE("")};
    request_script(r, SCRIPT_leave, keys, 2, args, 4, on_left);
}
