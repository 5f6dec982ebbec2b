#include "gateway/channel/filter.h"
#include "gateway/client/asking.h"
#include "gateway/client/field.h"
#include "gateway/client/limits.h"

/* history: answers with a page of a conversation's messages, and up to where each side has read
 * it. */

#define PAGE_BYTES  "262144" /* one message is always sent, however long */
#define FIRST_FRAME 5        /* in the script's answer */
#define UNIT_BYTES  65536    /* an answer costs a unit of rate-limit for each so many */

struct history {
    struct name peer; /* empty: a room */
    bool marks;       /* the answer is to have the read marks */
    bool events;      /* and the application's own events */
};

/* Writes ,"read":{"<user>":seq,"<peer>":seq} */
static void put_marks(struct buf *out, const struct request *r, const struct reply *reply) {
    const struct history *h = r->state;
    struct slice peer = name_slice(&h->peer);
    struct slice me = client_user(r->client);
    buf_str(out, ",\"read\":{");
    json_escape(out, me);
    buf_printf(out, ":%lld", reply_number(reply_item(reply, 2)));
    if (peer.len != 0 && !slice_eq(peer, me)) {
        buf_char(out, ',');
        json_escape(out, peer);
        buf_printf(out, ":%lld", reply_number(reply_item(reply, 3)));
    }
    buf_char(out, '}');
}

/* An event of the application's own. */
static void put_own(struct buf *out, const struct message *m) {
    buf_str(out, "{\"event\":\"");
    buf_slice(out, m->event);
    buf_str(out, m->has_args ? "\",\"args\":" : "\",\"args\":[");
    buf_slice(out, m->data);
    buf_str(out, m->has_args ? "" : "]");
    append_put_bin(out, m->bin);
    if (m->user.len != 0) {
        buf_str(out, ",\"userId\":");
        buf_slice(out, m->user);
    }
    buf_printf(out, ",\"seq\":%llu,\"timestamp\":%llu}", (unsigned long long)m->seq,
               (unsigned long long)m->time / 1000);
}

static void on_history_page(void *arg, const struct reply *reply, enum outcome outcome) {
    struct request *r = arg;
    const struct history *h = r->state;
    struct buf answer;
    if (!request_check(r, reply, outcome))
        return;
    buf_init(&answer);
    buf_str(&answer, "{\"messages\":[");
    bool first = true;
    for (size_t i = FIRST_FRAME; i < reply->count; i++) {
        struct message m;
        if (!message_parse_entry(&m, reply_text(reply->items[i])) ||
            !filter_passes(&m, &r->client->as))
            continue;
        if (!first)
            buf_char(&answer, ',');
        first = false;
        if (m.own)
            put_own(&answer, &m);
        else
            buf_slice(&answer, m.data);
    }
    bool more = reply_number(reply_item(reply, 1)) != 0;
    buf_printf(&answer, "],\"more\":%s", more ? "true" : "false");
    if (more)
        buf_printf(&answer, ",\"next\":%lld", reply_number(reply_item(reply, 4)));
    if (h->marks)
        put_marks(&answer, r, reply);
    buf_char(&answer, '}');
    limits_charge(r->client, answer.len / UNIT_BYTES);
    request_ok_buf(r, &answer);
    buf_deinit(&answer);
}

/* A number as a script's argument; empty if the field is missing. */
static struct slice optional_number(struct json_value given, uint64_t n,
                                    char out[DIGITS_SIZE]) {
    if (given.type == JSON_NONE || given.type == JSON_NULL)
        return (struct slice){NULL, 0};
    return slice_digits(n, out);
}

void on_history(struct request *r, struct json_value data) {
    static const char *const names[] = {"peer",  "room",  "before", "after",
                                        "limit", "marks", "events"};
    struct json_value f[7];
    struct buf channel;
    uint64_t before = 0, after = 0, limit = 50;
    char before_text[DIGITS_SIZE], after_text[DIGITS_SIZE], limit_text[DIGITS_SIZE];
    struct history *h = request_state(r, sizeof *h);
    if (h == NULL)
        return;
    json_fields(data, names, f, 7);
    buf_init(&channel);
    if (field_number(r, f[2], "before", true, 0, 1ULL << 53, &before) &&
        field_number(r, f[3], "after", true, 0, 1ULL << 53, &after) &&
        field_number(r, f[4], "limit", true, 1, 100, &limit) &&
        field_switch(r, f[5], "marks", &h->marks) &&
        field_switch(r, f[6], "events", &h->events) &&
        field_conversation(r, f[0], f[1], &channel, &h->peer)) {
        struct slice key = buf_bytes(&channel);
        struct slice args[] = {client_user(r->client),
                               name_slice(&h->peer),
                               optional_number(f[2], before, before_text),
                               optional_number(f[3], after, after_text),
                               slice_digits(limit, limit_text),
                               SLICE(PAGE_BYTES),
                               h->marks ? SLICE("1") : SLICE(""),
                               h->events ? SLICE("") : SLICE("1")};
        request_script(r, SCRIPT_history, &key, 1, args, 8, on_history_page);
    }
    buf_deinit(&channel);
}
