#include "gateway/channel/name.h"
#include "gateway/client/field.h"
#include "gateway/client/limits.h"

/* private_message: sends a message to a user. The inboxes of both users get it, and so do all
 * of their connections except this one. */

/* The answer waits until this connection was sent everything up to the inbox position that the
 * answer gives. */
struct sent_message {
    struct request *request;
    struct waiter waiter;
    struct buf answer;
    bool waiting;
};

static void drop(void *state) {
    struct sent_message *p = state;
    buf_deinit(&p->answer);
}

static void on_level(struct waiter *w, bool reached) {
    struct sent_message *p = container_of(w, struct sent_message, waiter);
    p->waiting = false;
    if (reached)
        request_ok_buf(p->request, &p->answer);
    else
        request_unavailable(p->request, OUTCOME_UNKNOWN);
}

static void abandon(struct request *r) {
    struct sent_message *p = r->state;
    if (p->waiting)
        request_ok(r, (struct slice){NULL, 0});
}

static void on_stored(void *arg, const struct reply *reply, enum outcome outcome) {
    struct request *r = arg;
    struct sent_message *p = r->state;
    struct client *c = r->client;
    char key[CHANNEL_NAME_SIZE];
    if (!request_check(r, reply, outcome))
        return;
    limits_appended(c, reply);
    append_put_result(&p->answer, reply);
    buf_printf(&p->answer, ",\"delivered\":%s,\"resume\":{",
               reply_number(reply_item(reply, 3)) != 0 ? "true" : "false");
    json_escape(&p->answer, user_channel(client_user(c), key));
    buf_str(&p->answer, ":{\"epoch\":");
    json_escape(&p->answer, reply_text(reply_item(reply, 4)));
    buf_printf(&p->answer, ",\"seq\":%lld}}}", reply_number(reply_item(reply, 5)));
    if (c->as.gone || c->inbox == NULL) {
        request_ok(r, (struct slice){NULL, 0});
        return;
    }
    p->waiting = true;
    p->waiter.seq = (uint64_t)reply_number(reply_item(reply, 5));
    p->waiter.done = on_level;
    sub_await(c->inbox, &p->waiter);
}

void on_private_message(struct request *r, struct json_value data) {
    static const char *const names[] = {"receiverId", "content", "clientMessageId", "bin"};
    struct json_value f[4];
    struct name receiver = {0};
    struct client *c = r->client;
    char origin[CLIENT_ID_SIZE];
    struct buf field;
    struct sent_message *p = request_state(r, sizeof *p);
    if (p == NULL)
        return;
    p->request = r;
    r->drop = drop;
    r->abandon = abandon;
    json_fields(data, names, f, 4);
    if (!field_user(r, f[0], "receiverId", false, &receiver) ||
        !field_may(r, RIGHT_PRIVATE, name_slice(&receiver), "receiverId") ||
        !field_bin(r, f[3]))
        return;
    if (f[1].type == JSON_NONE) {
        request_fail(r, ERR_MISSING_FIELD, "content", NULL);
        return;
    }
    buf_init(&field);
    if (field_message_id(r, f[2], &field))
        request_sent(r, append_private_message(
                            clients_of(c)->redis, client_user(c), name_slice(&receiver),
                            f[1].raw, f[3].raw, buf_bytes(&field),
                            subscriber_origin(&c->as, origin), on_stored, r));
    buf_deinit(&field);
}
