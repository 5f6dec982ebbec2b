#include "gateway/events/ask_publish.h"

#include "gateway/client/describe.h"
#include "gateway/client/event_map.h"
#include "gateway/client/question.h"
#include "gateway/hooks/config.h"

#define ANSWER_SPARE 65536 /* bytes of an answer besides the message */

static bool flies(const struct request *r) {
    return !list_empty(&r->link);
}

/* Has the client a message before this one that waits for the back end? */
static bool is_held(const struct request *r) {
    if (!flies(r))
        return false;
    const struct list *flying = &r->client->backlog->flying;
    for (const struct list *at = r->link.prev; at != flying; at = at->prev) {
        const struct question *q = container_of(at, struct request, link)->question;
        if (q != NULL && q->state != QUESTION_OVER)
            return true;
    }
    return false;
}

static void over(struct request *r) {
    struct backlog *b = r->client->backlog;
    r->question->state = QUESTION_OVER;
    r->abandon = NULL;
    if (flies(r))
        b->asking_bytes -= r->question->data.len;
}

/* --- the answer -----------------------------------------------------------------------------
 */

/* Goes on with the event. Its handler may end the request, whose question has its data. */
static void pass(struct request *r) {
    struct question *q = r->question;
    struct buf data = q->data, text = q->text;
    struct json_value value;
    buf_init(&q->data);
    buf_init(&q->text);
    if (flies(r) && r->client->backlog->lane.count > 0 &&
        json_parse(buf_bytes(&data), &value) == JSON_OK)
        r->sending.after = order_after(value);
    if (json_parse(buf_bytes(&data), &value) == JSON_OK)
        request_restart(r, r->row, value);
    else
        request_fail(r, ERR_INTERNAL, NULL, NULL);
    buf_deinit(&data);
    buf_deinit(&text);
}

static bool is_open(const struct client *c) {
    return strcmp(clients_of(c)->options->hook_failure, "open") == 0;
}

static void refuse(struct request *r) {
    char message[QUESTION_MESSAGE_SIZE];
    struct failure failure = question_failure(&r->question->answer, message);
    request_fail_with(r, &failure);
}

static void go_on(struct request *r) {
    struct question *q = r->question;
    bool away = q->result == HOOK_REFUSED || q->result == HOOK_UNKNOWN;
    bool passes = q->result == HOOK_DONE || (away && is_open(r->client));
    over(r);
    if (r->follows) /* one before it failed, so it must not overtake that */
        request_unavailable(r, OUTCOME_REFUSED);
    else if (passes)
        pass(r);
    else if (away)
        request_unavailable(r, q->result == HOOK_REFUSED ? OUTCOME_REFUSED : OUTCOME_UNKNOWN);
    else
        refuse(r);
}

/* The first message of a client that waits for the back end. */
static struct request *first_held(const struct client *c) {
    struct list *flying = c->backlog != NULL ? &c->backlog->flying : NULL;
    for (struct list *at = flying != NULL ? flying->next : NULL; at != flying; at = at->next) {
        struct request *r = container_of(at, struct request, link);
        if (r->question != NULL && r->question->state != QUESTION_OVER)
            return r;
    }
    return NULL;
}

/* Those about which all is known go on, in their order. */
static void go_on_in_order(struct client *c) {
    struct request *r;
    client_ref(c);
    while ((r = first_held(c)) != NULL && r->question->state == QUESTION_ANSWERED)
        go_on(r);
    client_unref(c);
}

static void on_answered(struct hook_call *call, enum hook_result result,
                        const struct hook_answer *answer) {
    struct question *q = container_of(call, struct question, call);
    struct request *r = q->request;
    question_answered(q, result, answer);
    if (flies(r))
        go_on_in_order(r->client);
    else
        go_on(r);
}

static void abandon(struct request *r) {
    over(r);
    hook_cancel(&r->question->call);
    request_ok(r, (struct slice){NULL, 0});
}

/* --- the question ---------------------------------------------------------------------------
 */

static void put_raw(struct buf *out, const char *key, struct slice json) {
    if (json.len == 0)
        return;
    buf_printf(out, ",\"%s\":", key);
    buf_slice(out, json);
}

static void ask(struct request *r, struct slice url, const struct said *said) {
    struct client *c = r->client;
    struct hook_call *call = &r->question->call;
    const char *event = r->event != NULL ? r->event : r->row->name;
    char user[64];
    struct hook_ask how = {.url = url,
                           .user = client_turn(c, user),
                           .arrived = r->arrived,
                           .most = clients_of(c)->options->max_message + ANSWER_SPARE,
                           .done = on_answered};
    hook_open(call, HOOK_PUBLISH, NULL, 0);
    client_describe(&call->body, c);
    buf_str(&call->body, ",\"channel\":");
    json_escape(&call->body, said->channel);
    buf_printf(&call->body, ",\"event\":\"%s\"", event);
    put_raw(&call->body, "data", said->data);
    put_raw(&call->body, "args", said->args);
    put_raw(&call->body, "bin", said->bin);
    put_raw(&call->body, "clientMessageId", said->id);
    hooks_begin(clients_of(c)->hooks, call, &how);
}

/* Puts what the back end wants in the place of what was said. False: the request has failed. */
static bool replace(struct request *r, struct said *said) {
    static const char *const names[] = {"data", "args"};
    const struct question *q = r->question;
    struct json_value values[2];
    struct json_iter it;
    struct slice only = {NULL, 0};
    unsigned count = 0;
    if (q->result != HOOK_DONE)
        return true; /* it is away, and lets all pass */
    json_fields(q->answer.body, names, values, 2);
    if (values[0].type != JSON_NONE) {
        said->data = values[0].raw;
        said->args = (struct slice){NULL, 0};
        return true;
    }
    if (values[1].type == JSON_NONE)
        return true;
    json_iter_init(&it, values[1]);
    for (; json_iter_next(&it); count++)
        only = it.value.raw;
    bool own = r->event != NULL;
    if (values[1].type != JSON_ARRAY || count > ARGUMENTS_MOST || (count != 1 && !own)) {
        request_unavailable(r, OUTCOME_UNKNOWN); /* no good answer */
        return false;
    }
    said->data = only;
    said->args = count != 1 ? values[1].raw : (struct slice){NULL, 0};
    if (count != 1)
        said->data = (struct slice){NULL, 0};
    return true;
}

bool ask_publish(struct request *r, struct json_value event_data, struct said *said) {
    struct client *c = r->client;
    struct slice url = {NULL, 0};
    if (r->question != NULL)
        return !replace(r, said);
    if (clients_of(c)->options->publish_hook[0] != '\0')
        url = hooks_find(clients_of(c)->options->publish_hook, said->channel);
    if (url.len == 0 && !is_held(r))
        return false;
    r->question = question_make(r, event_data.raw);
    if (r->question == NULL) {
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
        return true;
    }
    r->abandon = abandon;
    if (flies(r))
        c->backlog->asking_bytes += r->question->data.len;
    if (url.len != 0)
        ask(r, url, said);
    else
        r->question->state = QUESTION_ANSWERED; /* HOOK_DONE, and nothing in its place */
    return true;
}
