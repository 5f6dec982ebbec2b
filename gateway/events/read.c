#include "gateway/channel/name.h"
#include "gateway/client/field.h"

/* read: notes up to where the user has read a conversation. */

static void read_send(struct request *r, struct slice channel, struct slice peer,
                      uint64_t seq) {
    char me_key[CHANNEL_NAME_SIZE], peer_key[CHANNEL_NAME_SIZE], number[DIGITS_SIZE];
    struct slice me = client_user(r->client);
    struct slice keys[] = {channel, user_channel(me, me_key), user_channel(peer, peer_key)};
    struct slice args[] = {me, peer, slice_digits(seq, number)};
    request_script(r, SCRIPT_mark, keys, peer.len != 0 ? 3 : 2, args, 3, request_done);
}

void on_read(struct request *r, struct json_value data) {
    static const char *const names[] = {"peer", "room", "seq"};
    struct json_value f[3];
    struct name peer;
    struct buf channel;
    uint64_t seq = 0;
    json_fields(data, names, f, 3);
    buf_init(&channel);
    if (field_number(r, f[2], "seq", false, 0, 1ULL << 53, &seq) &&
        field_conversation(r, f[0], f[1], &channel, &peer))
        read_send(r, buf_bytes(&channel), name_slice(&peer), seq);
    buf_deinit(&channel);
}
