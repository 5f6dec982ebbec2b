#include "gateway/api/batch.h"

#include "gateway/api/dispatch.h"

#define ANSWERS_MOST 4194304
#define PATH_SIZE    2048

/* The requests are done one after the other. What follows a message that could not be sent is
 * not sent either, so that messages keep their order. */
struct batch {
    struct ask ask;
    struct api_item item;
    const struct api_source *source;
    struct api_key *key; /* a reference */
    struct buf text;     /* the requests, into which `next` points */
    struct json_iter next;
    struct buf out;
    unsigned count; /* of answers */
    bool going;
    bool answered; /* the present item is */
    bool late;     /* nobody waits any more */
};

/* --- the answers ----------------------------------------------------------------------------
 */

static void put_answer(struct batch *b, int status, struct slice body) {
    while (body.len > 0 && body.ptr[body.len - 1] == '\n')
        body.len--;
    buf_printf(&b->out, "%s{\"status\":%d,\"body\":", b->count++ > 0 ? "," : "", status);
    buf_slice(&b->out, body);
    buf_char(&b->out, '}');
}

static void put_refusal(struct batch *b, enum refusal why, const char *field,
                        enum outcome outcome) {
    struct buf body;
    buf_init(&body);
    api_put_refusal(&body, why, field, outcome);
    put_answer(b, api_refusal_status(why), buf_bytes(&body));
    buf_deinit(&body);
}

static void batch_deinit_all(struct batch *b) {
    buf_deinit(&b->text);
    buf_deinit(&b->out);
    api_key_unref(b->key);
}

/* The answer so far. */
static struct buf take_answers(struct batch *b) {
    struct buf out = b->out;
    buf_init(&b->out);
    buf_str(&out, "]}\n");
    return out;
}

static void batch_end(struct batch *b) {
    struct buf out = take_answers(b);
    batch_deinit_all(b);
    ask_answer(&b->ask, &out);
    buf_deinit(&out);
}

/* --- one after the other --------------------------------------------------------------------
 */

static void refuse_field(struct batch *b, bool there, const char *field) {
    put_refusal(b, there ? REFUSAL_BAD_FIELD : REFUSAL_MISSING_FIELD, field, OUTCOME_NONE);
}

/* A text that may not be empty; but may be missing, if it is not needed. */
static bool read_text(struct batch *b, struct json_value value, const char *field, bool needed,
                      char *bytes, size_t size, struct slice *out) {
    bool there = value.type != JSON_NONE;
    ptrdiff_t len = there ? json_decode(value, bytes, size) : 0;
    *out = (struct slice){len > 0 ? bytes : NULL, len > 0 ? (size_t)len : 0};
    if (there ? len > 0 : !needed)
        return true;
    refuse_field(b, there, field);
    return false;
}

static void begin_one(struct batch *b, struct json_value request) {
    static const char *const names[] = {"method", "path", "body", "key"};
    struct json_value f[4];
    char method_bytes[8], path_bytes[PATH_SIZE], once_bytes[129];
    struct slice method, path, once;
    json_fields(request, names, f, 4);
    if (!read_text(b, f[0], "method", true, method_bytes, sizeof method_bytes, &method) ||
        !read_text(b, f[1], "path", true, path_bytes, sizeof path_bytes, &path) ||
        !read_text(b, f[3], "key", false, once_bytes, sizeof once_bytes, &once))
        return;
    b->answered = false;
    dispatch_item(b->source, &b->item, b->key, method, path, f[2].raw, once);
}

static void go_on(struct batch *b) {
    b->going = true;
    while (b->answered && !b->late && json_iter_next(&b->next)) {
        if (b->out.len > ANSWERS_MOST)
            put_refusal(b, REFUSAL_TOO_LARGE, NULL, OUTCOME_REFUSED);
        else
            begin_one(b, b->next.value);
    }
    b->going = false;
    if (b->answered)
        batch_end(b);
}

static void on_answered(struct api_item *item, int status, struct slice body) {
    struct batch *b = container_of(item, struct batch, item);
    b->answered = true;
    item->refused |= status == 503 && item->sends;
    if (!b->late)
        put_answer(b, status, body);
    if (!b->going)
        go_on(b);
}

/* Redis is silent. What is under way may have been done; what follows is not begun. */
static void on_late(struct http_later *later) {
    struct batch *b = container_of(later, struct batch, ask.later);
    b->late = true;
    put_refusal(b, REFUSAL_UNAVAILABLE, NULL, b->item.sends ? OUTCOME_UNKNOWN : OUTCOME_NONE);
    while (json_iter_next(&b->next))
        put_refusal(b, REFUSAL_UNAVAILABLE, NULL, OUTCOME_REFUSED);
    struct buf out = take_answers(b);
    ask_answer_late(&b->ask, &out);
    buf_deinit(&out);
}

/* False: no memory. */
static bool keep_requests(struct batch *b, struct json_value given) {
    struct json_value requests;
    buf_slice(&b->text, given.raw);
    if (b->text.failed || json_parse(buf_bytes(&b->text), &requests) != JSON_OK)
        return false;
    json_iter_init(&b->next, requests);
    return true;
}

void api_batch_post(struct api_call *c) {
    struct batch *b = ask_make(sizeof *b);
    bool kept = b != NULL && keep_requests(b, c->fields[0]);
    if (kept) {
        b->source = c->source;
        b->key = api_key_ref(c->key);
        b->item.answered = on_answered;
        b->answered = true;
        b->ask.later.late = on_late;
        b->ask.patience = 2 * c->source->options->redis_timeout;
        buf_str(&b->out, "{\"responses\":[");
    } else if (b != NULL) {
        batch_deinit_all(b);
    }
    ask_begun(c, b != NULL ? &b->ask : NULL, kept);
    if (kept)
        go_on(b);
}
