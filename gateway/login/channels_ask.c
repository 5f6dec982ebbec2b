#include "gateway/login/channels_ask.h"

#include <stdlib.h>

#include "gateway/channel/name.h"
#include "gateway/client/describe.h"
#include "gateway/hooks/config.h"

static struct slice url_for(const struct client *c, struct slice name) {
    const char *lines = clients_of(c)->options->subscribe_hook;
    bool own = slice_starts(name, SLICE("user:"));
    return lines[0] == '\0' || own ? (struct slice){NULL, 0} : hooks_find(lines, name);
}

bool channels_asked(const struct client *c, struct slice name) {
    return url_for(c, name).len > 0;
}

/* --- the question ---------------------------------------------------------------------------
 */

static void on_answered(struct hook_call *call, enum hook_result result,
                        const struct hook_answer *answer) {
    struct question *q = container_of(call, struct question, call);
    struct channels_ask *a = q->owner;
    question_answered(q, result, answer);
    a->done(q->request);
}

static void begin(struct channels_ask *a, struct slice url) {
    struct client *c = a->question->request->client;
    struct hook_call *call = &a->question->call;
    struct slice names = buf_bytes(&a->names);
    char turn[64];
    struct hook_ask how = {.url = url,
                           .user = client_turn(c, turn),
                           .arrived = a->question->request->arrived,
                           .done = on_answered};
    bool first = true;
    hook_open(call, HOOK_SUBSCRIBE, NULL, 0);
    client_describe(&call->body, c);
    buf_str(&call->body, ",\"channels\":[");
    while (names.len > 0) {
        struct slice name = slice_cut(&names, '\n');
        if (name.len == 0)
            continue;
        if (!first)
            buf_char(&call->body, ',');
        json_escape(&call->body, name);
        first = false;
    }
    buf_char(&call->body, ']');
    hooks_begin(clients_of(c)->hooks, call, &how);
}

static void put_name(struct buf *names, struct slice name) {
    buf_char(names, '\n');
    buf_slice(names, name);
    buf_char(names, '\n');
}

/* Has one before it the same URL? Then that one's question has it, too. */
static bool is_asked(const struct client *c, const struct slice names[], size_t at) {
    struct slice url = url_for(c, names[at]);
    for (size_t i = 0; i < at; i++)
        if (slice_eq(url_for(c, names[i]), url))
            return true;
    return false;
}

static struct channels_ask *make(struct request *r, const struct slice names[], size_t count,
                                 size_t at) {
    struct slice url = url_for(r->client, names[at]);
    struct channels_ask *a = calloc(1, sizeof *a);
    if (a == NULL)
        return NULL;
    a->question = question_make(r, (struct slice){NULL, 0});
    for (size_t i = at; i < count; i++)
        if (slice_eq(url_for(r->client, names[i]), url))
            put_name(&a->names, names[i]);
    if (a->question != NULL && !a->names.failed) {
        a->question->owner = a;
        return a;
    }
    channels_free(a);
    return NULL;
}

int channels_ask(struct request *r, const struct slice names[], size_t count,
                 struct channels_ask **list, void (*done)(struct request *r)) {
    int calls = 0;
    *list = NULL;
    for (size_t i = 0; i < count; i++) {
        struct slice url = url_for(r->client, names[i]);
        if (url.len == 0 || is_asked(r->client, names, i))
            continue;
        struct channels_ask *a = make(r, names, count, i);
        if (a == NULL) {
            channels_free(*list);
            *list = NULL;
            return -1;
        }
        a->done = done;
        a->next = *list;
        *list = a;
        begin(a, url);
        calls++;
    }
    return calls;
}

unsigned channels_cancel(struct channels_ask *list) {
    unsigned count = 0;
    for (; list != NULL; list = list->next) {
        count += list->question->state == QUESTION_ASKED;
        list->question->state = QUESTION_OVER;
        hook_cancel(&list->question->call);
    }
    return count;
}

void channels_free(struct channels_ask *list) {
    while (list != NULL) {
        struct channels_ask *next = list->next;
        question_free(list->question);
        buf_deinit(&list->names);
        free(list);
        list = next;
    }
}

/* --- the answer -----------------------------------------------------------------------------
 */

static bool covers(const struct channels_ask *a, struct slice name) {
    char text[CHANNEL_NAME_SIZE + 2];
    int len = snprintf(text, sizeof text, "\n%.*s\n", (int)name.len, name.ptr);
    return memmem(a->names.data, a->names.len, text, (size_t)len) != NULL;
}

/* {} lets all pass. If there are `channels`, one that is not among them is refused. */
static enum channel_said read_word(const struct hook_answer *answer, struct slice name,
                                   struct channel_word *word) {
    static const char *const outer[] = {"channels"};
    static const char *const names[] = {"data", "error"};
    char text[CHANNEL_NAME_SIZE];
    const char *own[] = {text};
    struct json_value channels, value, f[2];
    snprintf(text, sizeof text, "%.*s", (int)name.len, name.ptr);
    json_fields(answer->body, outer, &channels, 1);
    if (channels.type == JSON_NONE)
        return CHANNEL_OPEN;
    json_fields(channels, own, &value, 1);
    json_fields(value, names, f, 2);
    if (value.type == JSON_OBJECT && f[1].type == JSON_NONE) {
        word->data = f[0].raw;
        return CHANNEL_OPEN;
    }
    hook_error_read(&word->answer, f[1]);
    return CHANNEL_REFUSED;
}

enum channel_said channels_said(const struct channels_ask *list, const struct client *c,
                                struct slice name, struct channel_word *word) {
    *word = (struct channel_word){.outcome = OUTCOME_NONE};
    while (list != NULL && !covers(list, name))
        list = list->next;
    if (list == NULL)
        return CHANNEL_OPEN;
    const struct question *q = list->question;
    if (q->result == HOOK_DONE)
        return read_word(&q->answer, name, word);
    if (q->result == HOOK_ERROR) {
        word->answer = q->answer;
        return CHANNEL_REFUSED;
    }
    word->outcome = q->result == HOOK_REFUSED ? OUTCOME_REFUSED : OUTCOME_UNKNOWN;
    bool open = strcmp(clients_of(c)->options->hook_failure, "open") == 0;
    return open ? CHANNEL_OPEN : CHANNEL_AWAY;
}
