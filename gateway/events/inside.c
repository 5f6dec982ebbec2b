#include "gateway/events/inside.h"

#include "gateway/client/asking.h"
#include "gateway/presence/membership.h"
#include "gateway/presence/user_lease.h"

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

redis_done inside_done(const struct request *r, struct slice channel) {
    return sub_find(&r->client->as, channel) != NULL ? on_appended_inside : request_appended;
}

bool inside_data(struct buf *text, struct slice room, struct json_value *data) {
    buf_str(text, "{\"room\":");
    json_escape(text, room);
    buf_char(text, '}');
    return !text->failed && json_parse(buf_bytes(text), data) == JSON_OK;
}
