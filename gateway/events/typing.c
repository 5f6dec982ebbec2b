#include "gateway/channel/name.h"
#include "gateway/client/asking.h"
#include "gateway/client/field.h"

/* typing: tells a user or a room that the user is typing. No log keeps it. */

static void typing_send(struct request *r, struct slice channel, const char *who,
                        struct slice to, const char *where, bool member) {
    struct slice me = client_user(r->client);
    struct slice none = {NULL, 0};
    struct buf data;
    buf_init(&data);
    buf_printf(&data, "{\"%s\":", who);
    json_escape(&data, me);
    buf_printf(&data, ",\"%s\":", where);
    json_escape(&data, to);
    buf_char(&data, '}');
    request_sent(r, data.failed ? APPEND_NO_MEMORY
                                : append_ephemeral(clients_of(r->client)->redis, channel,
                                                   "typing", buf_bytes(&data),
                                                   member ? me : none, request_done, r));
    buf_deinit(&data);
}

void on_typing(struct request *r, struct json_value data) {
    static const char *const names[] = {"receiverId", "room"};
    struct json_value f[2];
    struct name receiver = {0};
    struct buf channel;
    char key[CHANNEL_NAME_SIZE];
    json_fields(data, names, f, 2);
    if (!field_user(r, f[0], "receiverId", true, &receiver))
        return;
    if (receiver.len != 0) {
        struct slice to = name_slice(&receiver);
        if (field_may(r, RIGHT_PRIVATE, to, "receiverId"))
            typing_send(r, user_channel(to, key), "senderId", to, "receiverId", false);
        return;
    }
    buf_init(&channel);
    if (field_room(r, f[1], &channel)) {
        struct slice name = buf_bytes(&channel);
        struct slice room = room_of(name);
        typing_send(r, name, "userId", room, "room", true);
    }
    buf_deinit(&channel);
}
