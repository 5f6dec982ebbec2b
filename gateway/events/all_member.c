#include "gateway/channel/name.h"
#include "gateway/client/field.h"
#include "gateway/client/limits.h"

#define UNIT_MEMBERS 20 /* an answer costs a unit of rate-limit for each so many */

/* all_member: answers with the members of a room. */

static void put_member(struct buf *out, const struct reply *reply, size_t at) {
    buf_str(out, "{\"id\":");
    json_escape_any(out, reply_text(reply_item(reply, at)));
    buf_str(out, ",\"role\":");
    json_escape_any(out, reply_text(reply_item(reply, at + 2)));
    buf_str(out, ",\"username\":");
    json_escape_any(out, reply_text(reply_item(reply, at + 1)));
    bool online = reply_number(reply_item(reply, at + 3)) != 0;
    buf_printf(out, ",\"online\":%s,\"message_count\":%lld}", online ? "true" : "false",
               reply_number(reply_item(reply, at + 4)));
}

static void on_members(void *arg, const struct reply *reply, enum outcome outcome) {
    struct request *r = arg;
    struct buf list;
    if (!request_check(r, reply, outcome))
        return;
    buf_init(&list);
    buf_char(&list, '[');
    for (size_t i = 1; i + 4 < reply->count; i += 5) {
        if (i > 1)
            buf_char(&list, ',');
        put_member(&list, reply, i);
    }
    buf_char(&list, ']');
    limits_charge(r->client, reply->count / 5 / UNIT_MEMBERS);
    if (!list.failed && !r->client->as.gone)
        subscriber_emit(&r->client->as, "myUsersList", buf_bytes(&list), false);
    request_ok_buf(r, &list);
    buf_deinit(&list);
}

void on_all_member(struct request *r, struct json_value data) {
    static const char *const names[] = {"room"};
    struct json_value room;
    struct buf channel;
    char me_key[CHANNEL_NAME_SIZE];
    json_fields(data, names, &room, 1);
    buf_init(&channel);
    if (field_room(r, room, &channel)) {
        struct slice me = client_user(r->client);
        struct slice keys[] = {buf_bytes(&channel), user_channel(me, me_key)};
        request_script(r, SCRIPT_members, keys, 2, &me, 1, on_members);
    }
    buf_deinit(&channel);
}
