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

/* Is another connection of the user in this room, too? Then the user stays a member. */
static bool has_another(const struct client *c, struct slice channel) {
    const struct sub *own = sub_find(&c->as, channel);
    const struct channel *ch = own != NULL ? own->channel : NULL;
    const struct list *lists[] = {ch != NULL ? &ch->live : NULL,
                                  ch != NULL ? &ch->behind : NULL};
    for (int i = 0; ch != NULL && i < 2; i++) {
        for (const struct list *at = lists[i]->next; at != lists[i]; at = at->next) {
            const struct sub *sub = container_of(at, const struct sub, in_channel);
            if (sub != own && slice_eq(sub->subscriber->user, client_user(c)))
                return true;
        }
    }
    return false;
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
    if (r->alone && has_another(r->client, name)) {
        sub_drop(sub_find(&r->client->as, name));
        request_ok(r, SLICE("{}"));
        return;
    }
    bool inside = sub_find(&r->client->as, name) != NULL;
    if (!membership_leave(clients_of(r->client)->leases, client_user(r->client), name,
                          inside ? LEAVES_INSIDE : LEAVES_OUTSIDE, on_left, r))
        request_unavailable(r, OUTCOME_REFUSED);
}
