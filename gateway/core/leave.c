#include <stdio.h>
#include <stdlib.h>

#include "common/json.h"
#include "gateway/core/request.h"

/* The end of a membership, for all of a user's connections. */

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
    struct slice args[] = {me, room_of(name), slice_of(r->client->core->incarnation),
                           inside ? SLICE("1") : SLICE("")};
    request_script(r, SCRIPT_leave, keys, 2, args, 4, on_left);
}

/* A user's connection here is in a room that the user may have left elsewhere. */
struct leaver {
    struct client *client; /* a reference */
    uint32_t serial;
    struct name room;
};

static void tell_leaver(struct client *c, struct slice room) {
    struct buf data;
    buf_init(&data);
    buf_str(&data, "{\"room\":");
    json_escape(&data, room);
    buf_str(&data, ",\"userId\":");
    json_escape(&data, client_user(c));
    buf_char(&data, '}');
    if (!data.failed)
        subscriber_emit(&c->as, "userLeft", buf_bytes(&data), false);
    buf_deinit(&data);
}

static void on_member(void *arg, const struct reply *reply, enum outcome outcome) {
    struct leaver *l = arg;
    struct client *c = l->client;
    (void)outcome;
    long long status = reply != NULL ? reply_number(reply_item(reply, 0)) : 0;
    /* Too many: other rooms were joined in place of this one, which an outage had taken. */
    bool left = status == SCRIPT_NOT_A_MEMBER || status == SCRIPT_TOO_MANY;
    char bytes[NAME_MAX_LEN + 8];
    int len = snprintf(bytes, sizeof bytes, "room:%.*s", l->room.len, l->room.bytes);
    struct sub *sub = c->as.gone ? NULL : sub_find(&c->as, (struct slice){bytes, (size_t)len});
    bool same = sub != NULL && sub->serial == l->serial;
    if (left && same && sub_started(sub)) {
        sub_drop(sub);
        tell_leaver(c, name_slice(&l->room));
    } else if (left && same) {
        sub->recheck = true; /* a login that is under way owns it: see room_recheck */
    }
    client_unref(c);
    free(l);
}

static void ask_member(struct core *core, struct sub *sub, bool anew) {
    struct leaver *l = malloc(sizeof *l);
    struct channel *ch = sub->channel;
    struct slice key = channel_name(ch);
    struct slice user = client_user(client_of(sub->subscriber));
    if (l == NULL)
        return;
    l->client = client_of(sub->subscriber);
    l->serial = sub->serial;
    name_set(&l->room, room_of(key));
    bool sent =
        anew ? room_enter(client_of(sub->subscriber), ch, ROOM_ANEW, on_member, l)
             : redis_script(&core->redis, SCRIPT_member, &key, 1, &user, 1, on_member, l);
    if (sent)
        client_ref(l->client);
    else
        free(l);
}

void room_reenter(struct core *core, struct sub *sub) {
    ask_member(core, sub, true);
}

void room_recheck(struct core *core, struct sub *sub) {
    if (!sub->recheck)
        return;
    sub->recheck = false;
    ask_member(core, sub, false);
}

/* The user may have joined again meanwhile, so Redis is asked; a sub made after this is spared.
 */
void room_left(struct core *core, struct channel *ch, struct slice user) {
    struct list *const lists[] = {&ch->live, &ch->behind};
    for (int i = 0; i < 2; i++) {
        for (struct list *at = lists[i]->next; at != lists[i]; at = at->next) {
            struct sub *sub = container_of(at, struct sub, in_channel);
            if (slice_eq(client_user(client_of(sub->subscriber)), user))
                ask_member(core, sub, false);
        }
    }
}
