#include "gateway/api/history.h"

#include "gateway/channel/message.h"

#define PAGE_BYTES  "1048576" /* one message is always told, however long */
#define PAGE_USUAL  50
#define FIRST_FRAME 5 /* item of history.lua's answer */

static void put_message(struct buf *out, const struct message *m) {
    buf_printf(out, "{\"seq\":%llu,\"epoch\":", (unsigned long long)m->seq);
    json_escape(out, m->epoch);
    buf_printf(out, ",\"timestamp\":%llu,\"event\":\"", (unsigned long long)m->time / 1000);
    buf_slice(out, m->event);
    buf_char(out, '"');
    if (m->user.len > 0) {
        buf_str(out, ",\"user\":");
        buf_slice(out, m->user);
    }
    if (m->nsp.len > 0) {
        buf_str(out, ",\"namespace\":");
        json_escape(out, m->nsp);
    }
    buf_str(out, m->has_args ? ",\"args\":" : ",\"data\":");
    buf_slice(out, m->data);
    if (m->bin.len > 0) {
        buf_str(out, ",\"bin\":");
        buf_slice(out, m->bin);
    }
    buf_char(out, '}');
}

/* next: where the next page goes on, as `before` or `after`. */
static void put_page(struct buf *out, const struct reply *reply) {
    bool more = reply_number(reply_item(reply, 1)) != 0;
    long long next = reply_number(reply_item(reply, 4));
    buf_str(out, "{\"messages\":[");
    for (size_t i = FIRST_FRAME, count = 0; i < reply->count; i++) {
        struct message m;
        if (!message_parse_entry(&m, reply_text(reply->items[i])))
            continue;
        buf_str(out, count > 0 ? "," : "");
        put_message(out, &m);
        count++;
    }
    buf_printf(out, "],\"more\":%s", more ? "true" : "false");
    if (more)
        buf_printf(out, ",\"next\":%lld", next);
    buf_str(out, "}\n");
}

static void on_page(void *arg, const struct reply *reply, enum outcome outcome) {
    struct ask *ask = arg;
    struct buf out;
    (void)outcome;
    buf_init(&out);
    if (reply != NULL)
        put_page(&out, reply);
    ask_answer(ask, &out);
    buf_deinit(&out);
}

void api_history_get(struct api_call *c) {
    char before[DIGITS_SIZE], after[DIGITS_SIZE], limit[DIGITS_SIZE];
    struct slice key = api_part(c, 0), none = {NULL, 0};
    struct slice args[] = {none,
                           none,
                           api_query_digits(c, "before", before),
                           api_query_digits(c, "after", after),
                           slice_digits(api_query_number(c, "limit", PAGE_USUAL), limit),
                           SLICE(PAGE_BYTES),
                           none,
                           none};
    struct ask *p = ask_make(sizeof *p);
    bool sent =
        p != NULL && redis_script_asked(redis_partition(c->source->redis, key), SCRIPT_history,
                                        &key, 1, args, sizeof args / sizeof *args, on_page, p);
    ask_begun(c, p, sent);
}
