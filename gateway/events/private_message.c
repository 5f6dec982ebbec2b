#include "gateway/channel/private.h"
#include "gateway/client/asking.h"
#include "gateway/client/field.h"
#include "gateway/client/limits.h"
#include "gateway/events/ask_publish.h"

/* private_message: sends a message to a user. The inboxes of both users get it, and so do all
 * of their connections except this one. */

/* The answer waits until this connection was sent everything up to the inbox position that the
 * answer gives. */
struct sent_message {
    struct private_send send;
    struct request *request;
    struct waiter waiter;
    struct buf answer;
    bool waiting;
};

static void drop(void *state) {
    struct sent_message *p = state;
    private_deinit(&p->send);
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

static void put_answer(struct sent_message *p, const struct private_sent *sent) {
    char key[CHANNEL_NAME_SIZE];
    append_put_result(&p->answer, sent->seq, sent->time);
    buf_printf(&p->answer, ",\"delivered\":%s,\"resume\":{",
               sent->delivered ? "true" : "false");
    json_escape(&p->answer, user_channel(client_user(p->request->client), key));
    buf_str(&p->answer, ":{\"epoch\":");
    json_escape(&p->answer, slice_of(sent->inbox.epoch));
    buf_printf(&p->answer, ",\"seq\":%llu}}}", (unsigned long long)sent->inbox.seq);
}

static void on_sent(struct private_send *send, const struct private_sent *sent,
                    enum outcome outcome) {
    struct sent_message *p = container_of(send, struct sent_message, send);
    struct request *r = p->request;
    struct client *c = r->client;
    if (sent == NULL) {
        request_unavailable(r, outcome);
        return;
    }
    limits_appended(c, sent->cut);
    if (c->as.gone || c->inbox == NULL) {
        request_ok(r, (struct slice){NULL, 0});
        return;
    }
    put_answer(p, sent);
    p->waiting = true;
    p->waiter.seq = sent->inbox.seq;
    p->waiter.done = on_level;
    sub_await(c->inbox, &p->waiter);
}

/* said: what goes out, in the place of what the client wrote. */
static void send_private(struct request *r, struct slice receiver, const struct said *said,
                         struct slice id) {
    struct client *c = r->client;
    char origin[CLIENT_ID_SIZE];
    struct sent_message *p = request_state(r, sizeof *p);
    if (p == NULL)
        return;
    p->request = r;
    r->drop = drop;
    r->abandon = abandon;
    struct private_message m = {.sender = client_user(c),
                                .receiver = receiver,
                                .content = said->data,
                                .bin = said->bin,
                                .id = id,
                                .origin = subscriber_origin(&c->as, origin)};
    request_sent(r, private_send(&p->send, clients_of(c)->redis, &m, &r->sending, on_sent));
}

void on_private_message(struct request *r, struct json_value data) {
    static const char *const names[] = {"receiverId", "content", "clientMessageId", "bin"};
    struct json_value f[4];
    struct name receiver = {0};
    char channel[CHANNEL_NAME_SIZE];
    struct buf field;
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
    struct said said = {.channel = user_channel(name_slice(&receiver), channel),
                        .data = f[1].raw,
                        .bin = f[3].raw,
                        .id = f[2].raw};
    if (field_message_id(r, f[2], &field) && !ask_publish(r, data, &said))
        send_private(r, name_slice(&receiver), &said, buf_bytes(&field));
    buf_deinit(&field);
}
