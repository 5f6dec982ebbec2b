#include "gateway/client/asking.h"
#include "gateway/client/field.h"
#include "gateway/presence/membership.h"
#include "gateway/presence/user_lease.h"

/* sendMessage: sends a message to a room of which the user is a member. */

static void on_alive(void *arg, const struct reply *reply, enum outcome outcome) {
    struct request *r = arg;
    const struct leases *leases = clients_of(r->client)->leases;
    bool reaped = reply != NULL && reply_number(reply_item(reply, 0)) == SCRIPT_REAPED;
    (void)outcome;
    if (reaped)
        lease_renew_incarnation(lease_of_user(leases, client_user(r->client)));
    else if (reply != NULL)
        membership_renew(leases, &r->client->as);
    request_unavailable(r, OUTCOME_REFUSED);
}

/* The answer for a client that is in the room's channel. If its user is no member, there are
 * three possible reasons: the user left by another connection; Redis lost its data, and the
 * lease with it; or the membership expired by a clock that was set ahead. Then the membership
 * is made again, or the client is taken out of the room. A repeat of the message gets the
 * result.
 */
static void on_appended_inside(void *arg, const struct reply *reply, enum outcome outcome) {
    struct request *r = arg;
    struct client *c = r->client;
    const struct lease *lease = lease_of_user(clients_of(c)->leases, client_user(c));
    char key[NODE_KEY_SIZE];
    if (reply == NULL || reply_number(reply_item(reply, 0)) != SCRIPT_NOT_A_MEMBER) {
        request_appended(arg, reply, outcome);
        return;
    }
    if (!lease->held || !c->presence.in || c->presence.busy) { /* being registered again */
        request_unavailable(r, OUTCOME_REFUSED);
        return;
    }
    struct slice node = node_key(lease->incarnation, key);
    struct slice args[] = {slice_of(lease->incarnation)};
    if (!redis_script_asked(lease->redis, SCRIPT_beat, &node, 1, args, 1, on_alive, r))
        request_unavailable(r, OUTCOME_REFUSED);
}

static void room_send(struct request *r, struct slice channel, struct slice message,
                      struct slice bin, struct slice id) {
    struct client *c = r->client;
    bool inside = sub_find(&c->as, channel) != NULL;
    request_sent(r, append_room_message(clients_of(c)->redis, channel, client_user(c), message,
                                        bin, id, &r->sending,
                                        inside ? on_appended_inside : request_appended, r));
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
        field_message_id(r, f[2], &field))
        room_send(r, buf_bytes(&channel), f[1].raw, f[3].raw, buf_bytes(&field));
    buf_deinit(&channel);
    buf_deinit(&field);
}
