#include "gateway/api/messages.h"

#include "gateway/channel/name.h"
#include "gateway/channel/private.h"
#include "gateway/client/client.h"

static void count_cut(const struct api_source *source, bool cut) {
    if (cut)
        metric_limited(source->clients->metrics, LIMIT_LOG_BYTES);
}

/* --- to a user ------------------------------------------------------------------------------
 */

struct letter {
    struct ask ask;
    const struct api_source *source;
    struct private_send send;
    struct sending sending;
};

static void on_sent(struct private_send *send, const struct private_sent *sent,
                    enum outcome outcome) {
    struct letter *l = container_of(send, struct letter, send);
    struct buf out;
    bool conflict = send->conflict;
    if (sent == NULL) {
        private_deinit(send);
        if (conflict)
            ask_refuse(&l->ask, REFUSAL_CONFLICT, "Idempotency-Key");
        else
            ask_unavailable(&l->ask, outcome);
        return;
    }
    count_cut(l->source, sent->cut);
    buf_init(&out);
    append_put_result(&out, sent->seq, sent->time);
    buf_printf(&out, ",\"delivered\":%s}", sent->delivered ? "true" : "false");
    private_deinit(send);
    ask_answer(&l->ask, &out);
    buf_deinit(&out);
}

void api_private_post(struct api_call *c) {
    char once[ONCE_SIZE];
    struct name sender, receiver;
    struct letter *l = ask_make(sizeof *l);
    enum append_result result = APPEND_NO_MEMORY;
    name_from_json(c->fields[0], true, &sender);
    name_from_json(c->fields[1], true, &receiver);
    struct private_message m = {.sender = name_slice(&sender),
                                .receiver = name_slice(&receiver),
                                .content = c->fields[2].raw,
                                .id = api_once(c, once)};
    if (l != NULL) {
        l->source = c->source;
        result = private_send(&l->send, c->source->redis, &m, &l->sending, on_sent);
        if (result != APPEND_SENT)
            private_deinit(&l->send);
    }
    ask_begun(c, l != NULL ? &l->ask : NULL, result == APPEND_SENT);
}

/* --- to a room ------------------------------------------------------------------------------
 */

struct note {
    struct ask ask;
    const struct api_source *source;
};

static void on_appended(void *arg, const struct reply *reply, enum outcome outcome) {
    struct note *n = arg;
    struct buf out;
    long long status = reply != NULL ? reply_number(reply_item(reply, 0)) : 0;
    if (reply == NULL) {
        ask_unavailable(&n->ask, outcome);
        return;
    }
    if (status != 0) {
        bool member = status == SCRIPT_CONFLICT;
        ask_refuse(&n->ask, member ? REFUSAL_CONFLICT : REFUSAL_NOT_A_MEMBER,
                   member ? "Idempotency-Key" : "senderId");
        return;
    }
    count_cut(n->source, append_has_cut(reply));
    buf_init(&out);
    append_put_result(&out, (uint64_t)reply_number(reply_item(reply, 1)),
                      (uint64_t)reply_number(reply_item(reply, 2)));
    buf_char(&out, '}');
    ask_answer(&n->ask, &out);
    buf_deinit(&out);
}

void api_room_post(struct api_call *c) {
    char once[ONCE_SIZE], channel[CHANNEL_NAME_SIZE];
    struct slice no_bin = {NULL, 0};
    struct name sender, room;
    struct note *n = ask_make(sizeof *n);
    enum append_result result = APPEND_NO_MEMORY;
    name_from_json(c->fields[0], true, &sender);
    name_from_json(c->fields[1], false, &room);
    if (n != NULL) {
        n->source = c->source;
        result = append_room_message(c->source->redis, room_channel(name_slice(&room), channel),
                                     name_slice(&sender), c->fields[2].raw, no_bin,
                                     api_once(c, once), NULL, on_appended, n);
    }
    ask_begun(c, n != NULL ? &n->ask : NULL, result == APPEND_SENT);
}
