#include "gateway/client/asking.h"
#include "gateway/client/field.h"
#include "gateway/events/ask_publish.h"
#include "gateway/events/inside.h"

/* sendMessage: sends a message to a room of which the user is a member. */

static void room_send(struct request *r, const struct said *said, struct slice id) {
    struct client *c = r->client;
    request_sent(r, append_room_message(clients_of(c)->redis, said->channel, client_user(c),
                                        said->data, said->bin, id, &r->sending,
                                        inside_done(r, said->channel), r));
}

void on_send_message(struct request *r, struct json_value data) {
    static const char *const names[] = {"room", "message", "clientMessageId", "bin"};
    struct json_value f[4];
    struct buf channel, field;
    json_fields(data, names, f, 4);
    if (data.type == JSON_STRING)
        f[1] = data; /* the short form */
    if (f[1].type == JSON_NONE) {
        request_fail(r, ERR_MISSING_FIELD, "message", NULL);
        return;
    }
    buf_init(&channel);
    buf_init(&field);
    if (field_bin(r, f[3]) && field_room(r, f[0], &channel) &&
        field_message_id(r, f[2], &field)) {
        struct said said = {
            .channel = buf_bytes(&channel), .data = f[1].raw, .bin = f[3].raw, .id = f[2].raw};
        if (!ask_publish(r, data, &said))
            room_send(r, &said, buf_bytes(&field));
    }
    buf_deinit(&channel);
    buf_deinit(&field);
}
