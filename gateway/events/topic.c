#include "gateway/channel/name.h"
#include "gateway/client/asking.h"
#include "gateway/client/field.h"
#include "gateway/client/limits.h"
#include "gateway/events/ask_publish.h"
#include "gateway/login/channels_ask.h"
#include "gateway/session/session.h"

/* subscribe, unsubscribe, publish: the events of topics. An application chooses its topics. */

struct subscribing {
    struct position since;
    struct sub *sub;
    struct position at;
    bool recovered;
    bool checking;
    struct channels_ask *asks;
    struct slice data; /* what the back end says of it; in `asks` */
    char name[CHANNEL_NAME_SIZE];
};

static bool field_topic(struct request *r, struct json_value value, char out[CHANNEL_NAME_SIZE],
                        struct slice *name) {
    if (value.type == JSON_NONE) {
        request_fail(r, ERR_MISSING_FIELD, "channel", NULL);
        return false;
    }
    ptrdiff_t len = json_decode(value, out, CHANNEL_NAME_SIZE);
    *name = (struct slice){out, len > 0 ? (size_t)len : 0};
    bool topic = slice_starts(*name, SLICE("topic:"));
    if (topic && name_valid(topic_of(*name)))
        return true;
    bool other = slice_starts(*name, SLICE("user:")) || is_room(*name) ||
                 slice_starts(*name, SLICE("dm:")) || slice_is(*name, "all");
    if (other)
        request_fail(r, ERR_FORBIDDEN, "channel",
                     "only topics are subscribed and published to");
    else
        request_fail(r, ERR_BAD_FIELD, "channel", "must be topic:<name>");
    return false;
}

static void put_subscribed(struct buf *out, struct slice channel, const struct position *at,
                           bool recovered, struct slice extra) {
    buf_str(out, "{\"channel\":");
    json_escape(out, channel);
    buf_str(out, ",\"epoch\":");
    json_escape(out, slice_of(at->epoch));
    buf_printf(out, ",\"seq\":%llu,\"recovered\":%s", (unsigned long long)at->seq,
               recovered ? "true" : "false");
    if (extra.len != 0) {
        buf_str(out, ",\"data\":");
        buf_slice(out, extra);
    }
    buf_char(out, '}');
}

static void answer_subscribed(struct request *r, struct sub *sub, const struct position *at,
                              bool recovered, bool start) {
    struct buf answer;
    buf_init(&answer);
    const struct subscribing *s = r->state;
    put_subscribed(&answer, channel_name(sub->channel), at, recovered, s->data);
    r->abandon = NULL;
    if (request_answer(r, &answer) && start)
        sub_start(sub);
    buf_deinit(&answer);
    request_ok(r, (struct slice){NULL, 0});
}

static void on_saved(void *arg, bool good) {
    struct request *r = arg;
    struct subscribing *s = r->state;
    struct client *c = r->client;
    if (!good && !c->as.gone)
        sub_drop(s->sub);
    if (!good || c->as.gone)
        request_unavailable(r, OUTCOME_REFUSED);
    else
        answer_subscribed(r, s->sub, &s->at, s->recovered, true);
}

static void save(struct request *r) {
    struct client *c = r->client;
    if (c->session != NULL)
        session_save(c->session, c->last_room, on_saved, r);
    else
        on_saved(r, true);
}

/* The back end has said whether it may be subscribed to. */
static void on_said(struct request *r) {
    struct subscribing *s = r->state;
    struct client *c = r->client;
    char message[QUESTION_MESSAGE_SIZE];
    struct channel_word word;
    s->sub = sub_find(&c->as, slice_of(s->name)); /* it may have lost the right meanwhile */
    if (s->sub == NULL) {
        request_fail(r, ERR_FORBIDDEN, "channel", NULL);
        return;
    }
    enum channel_said said = channels_said(s->asks, c, slice_of(s->name), &word);
    if (said == CHANNEL_OPEN) {
        s->data = word.data;
        save(r);
        return;
    }
    sub_drop(s->sub);
    if (said == CHANNEL_AWAY) {
        request_unavailable(r, word.outcome);
        return;
    }
    struct failure failure = question_failure(&word.answer, message);
    request_fail_with(r, &failure);
}

/* The position is known already, and delivery goes on from it. */
static void ask(struct request *r) {
    struct subscribing *s = r->state;
    struct slice name = slice_of(s->name);
    int calls = channels_ask(r, &name, 1, &s->asks, on_said);
    if (calls < 0) {
        sub_drop(s->sub);
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
    } else if (calls == 0) {
        save(r);
    }
}

static void subscribing_drop(void *state) {
    struct subscribing *s = state;
    channels_free(s->asks);
}

static void on_checked(void *arg, struct sub *sub, enum check_result result,
                       const struct position *now) {
    struct request *r = arg;
    struct subscribing *s = r->state;
    s->checking = false;
    if (result == CHECK_FAILED) {
        request_unavailable(r, OUTCOME_REFUSED);
        return;
    }
    s->sub = sub;
    s->recovered = result == CHECK_GOOD && s->since.epoch[0] != '\0';
    s->at = s->recovered ? s->since : *now;
    ask(r);
}

static void subscribe_abandon(struct request *r) {
    struct subscribing *s = r->state;
    bool ends = s->checking || channels_cancel(s->asks) > 0;
    if (ends)
        request_ok(r, (struct slice){NULL, 0});
}

void on_subscribe(struct request *r, struct json_value data) {
    static const char *const names[] = {"channel", "since"};
    struct json_value f[2];
    struct slice name;
    char bytes[CHANNEL_NAME_SIZE];
    struct client *c = r->client;
    struct subscribing *s = request_state(r, sizeof *s);
    if (s == NULL)
        return;
    r->drop = subscribing_drop;
    json_fields(data, names, f, 2);
    if (!field_topic(r, f[0], bytes, &name) ||
        !field_may(r, RIGHT_SUBSCRIBE, topic_of(name), "channel") ||
        !field_position(r, f[1], "since", &s->since))
        return;
    if (!redis_any_up(clients_of(c)->redis)) {
        request_unavailable(r, OUTCOME_REFUSED);
        return;
    }
    struct sub *known = sub_find(&c->as, name);
    if (known != NULL && s->since.epoch[0] != '\0') {
        sub_drop(known); /* a new sub begins at the position that the client gave */
        known = NULL;
    }
    if (known != NULL) {
        struct position at = sub_position(known);
        answer_subscribed(r, known, &at, false, false);
        return;
    }
    bool full = c->as.sub_count >= clients_of(c)->options->max_subscriptions;
    if (full || !limits_may_make(c)) {
        request_fail(r, ERR_TOO_MANY, "channel", full ? NULL : "too many without a message");
        return;
    }
    snprintf(s->name, sizeof s->name, "%.*s", (int)name.len, name.ptr);
    r->abandon = subscribe_abandon;
    s->checking = true;
    if (hub_subscribe(clients_of(c)->hub, &c->as, name, &s->since, on_checked, r) == NULL)
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
}

void on_unsubscribe(struct request *r, struct json_value data) {
    static const char *const names[] = {"channel"};
    struct json_value channel;
    struct slice name;
    char bytes[CHANNEL_NAME_SIZE];
    json_fields(data, names, &channel, 1);
    if (!field_topic(r, channel, bytes, &name))
        return;
    struct sub *sub = sub_find(&r->client->as, name);
    if (sub != NULL)
        sub_drop(sub);
    request_ok(r, SLICE("{}"));
}

void on_publish(struct request *r, struct json_value data) {
    static const char *const names[] = {"channel", "data", "clientMessageId"};
    struct json_value f[3];
    struct slice name;
    char bytes[CHANNEL_NAME_SIZE];
    struct buf field;
    json_fields(data, names, f, 3);
    if (!field_topic(r, f[0], bytes, &name) ||
        !field_may(r, RIGHT_PUBLISH, topic_of(name), "channel"))
        return;
    if (f[1].type == JSON_NONE) {
        request_fail(r, ERR_MISSING_FIELD, "data", NULL);
        return;
    }
    buf_init(&field);
    struct said said = {.channel = name, .data = f[1].raw, .id = f[2].raw};
    if (field_message_id(r, f[2], &field) && !ask_publish(r, data, &said)) {
        struct slice anybody = {NULL, 0};
        request_sent(r, append_event(clients_of(r->client)->redis, name, "message", said.data,
                                     buf_bytes(&field), anybody, &r->sending, request_appended,
                                     r));
    }
    buf_deinit(&field);
}
