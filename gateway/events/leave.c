#include "gateway/channel/name.h"
#include "gateway/client/asking.h"
#include "gateway/client/field.h"
#include "gateway/presence/membership.h"

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
    struct buf *channel = request_state(r, sizeof *channel);
    if (channel == NULL)
        return;
    r->drop = buf_drop;
    json_fields(data, names, &room, 1);
    if (!field_object(r, data, "room") || !field_room(r, room, channel))
        return;
    struct slice name = buf_bytes(channel);
    bool inside = sub_find(&r->client->as, name) != NULL;
    if (!membership_leave(clients_of(r->client)->leases, client_user(r->client), name, inside,
                          on_left, r))
        request_unavailable(r, OUTCOME_REFUSED);
}
