#include <stdlib.h>

#include "gateway/channel/name.h"
#include "gateway/client/asking.h"
#include "gateway/client/field.h"
#include "gateway/client/limits.h"
#include "gateway/presence/member_page.h"
#include "gateway/presence/roster.h"
#include "gateway/redis/spread.h"

#define UNIT_MEMBERS 20 /* an answer costs a unit of rate-limit for each so many */

/* all_member: answers with members of a room. First it is asked whether the client's user is
 * one of them, then for the page, which others may share, then for the user's own counts. With
 * partitions, the logs that a count is of are asked at last how many messages they still have.
 */

struct all_member {
    struct member_ask ask;
    struct request *request;
    struct member_page *page; /* a reference; NULL until it is there */
    bool paged;               /* the client asked for a page */
    unsigned most;
    long long *counts; /* owned: for each row of the page */
    size_t room_len;
    char room[CHANNEL_NAME_SIZE];
    char cursor[CURSOR_MAX_SIZE];
};

static void all_member_drop(void *state) {
    struct all_member *a = state;
    member_page_unref(a->page);
    free(a->counts);
}

static void put_members(struct buf *out, const struct all_member *a) {
    const struct member_page *page = a->page;
    buf_char(out, '[');
    for (size_t i = 0; i < page->count; i++) {
        buf_slice(out, page->rows[i].json);
        buf_printf(out, ",\"message_count\":%lld}%s", a->counts[i],
                   i + 1 < page->count ? "," : "");
    }
    buf_char(out, ']');
}

static void put_page(struct buf *out, const struct all_member *a) {
    const struct member_page *page = a->page;
    buf_str(out, "{\"members\":");
    put_members(out, a);
    buf_printf(out, ",\"total\":%llu", page->total);
    if (page->cursor[0] != '\0') {
        buf_str(out, ",\"cursor\":");
        json_escape_any(out, slice_of(page->cursor));
    }
    buf_char(out, '}');
}

static void answer(struct request *r) {
    const struct all_member *a = r->state;
    struct buf list;
    buf_init(&list);
    limits_charge(r->client, a->page->count / UNIT_MEMBERS);
    if (a->paged)
        put_page(&list, a);
    else
        put_members(&list, a);
    if (!a->paged && !list.failed && !r->client->as.gone)
        subscriber_emit(&r->client->as, "myUsersList", buf_bytes(&list), false);
    request_ok_buf(r, &list);
    buf_deinit(&list);
}

/* A count is right without them but for messages that the log has lost, so it does not fail for
 * a partition that is away. The names were asked about in the order of the rows. */
static void on_kept(void *arg, const struct spread *s, bool all, enum outcome outcome) {
    struct request *r = arg;
    struct all_member *a = r->state;
    size_t asked = 0;
    (void)all, (void)outcome;
    for (size_t i = 0; i < a->page->count; i++) {
        if (a->counts[i] == 0)
            continue;
        const struct reply *kept = spread_item(s, asked++, 0);
        if (kept->type != REPLY_NIL && reply_number(kept) < a->counts[i])
            a->counts[i] = reply_number(kept);
    }
    answer(r);
}

/* False: nothing is counted, or there is no memory. */
static bool ask_kept(struct request *r) {
    const struct all_member *a = r->state;
    struct slice names[MEMBERS_MOST], peers[MEMBERS_MOST];
    struct slice me = client_user(r->client);
    size_t count = 0;
    struct buf text;
    buf_init(&text);
    for (size_t i = 0; i < a->page->count && count < MEMBERS_MOST; i++) {
        if (a->counts[i] == 0)
            continue;
        size_t before = text.len;
        peers[count] = a->page->rows[i].id;
        channel_dm_name(&text, me, peers[count]);
        names[count++].len = text.len - before;
    }
    size_t at = 0;
    for (size_t i = 0; i < count && !text.failed; at += names[i++].len)
        names[i].ptr = text.data + at;
    bool asked = !text.failed && spread_ask(clients_of(r->client)->redis, SCRIPT_kept, names,
                                            count, me, peers, 1, on_kept, r);
    buf_deinit(&text);
    return asked;
}

static void on_counts(void *arg, const struct reply *reply, enum outcome outcome) {
    struct request *r = arg;
    struct all_member *a = r->state;
    if (!request_check(r, reply, outcome))
        return;
    a->counts = calloc(a->page->count + 1, sizeof *a->counts);
    if (a->counts == NULL) {
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
        return;
    }
    for (size_t i = 0; i < a->page->count; i++)
        a->counts[i] = reply_number(reply_item(reply, i + 1));
    if (!ask_kept(r))
        answer(r);
}

static void on_page(struct member_ask *ask, struct member_page *page, enum outcome outcome) {
    struct all_member *a = container_of(ask, struct all_member, ask);
    struct request *r = a->request;
    struct slice args[MEMBERS_MOST];
    char me_key[CHANNEL_NAME_SIZE];
    if (page == NULL) {
        request_unavailable(r, outcome);
        return;
    }
    a->page = member_page_ref(page);
    size_t count = page->count < MEMBERS_MOST ? page->count : MEMBERS_MOST;
    for (size_t i = 0; i < count; i++)
        args[i] = page->rows[i].id;
    struct slice key = user_channel(client_user(r->client), me_key);
    request_script(r, SCRIPT_unread, &key, 1, args, count, on_counts);
}

static void on_member(void *arg, const struct reply *reply, enum outcome outcome) {
    struct request *r = arg;
    struct all_member *a = r->state;
    if (!request_check(r, reply, outcome))
        return;
    a->ask.done = on_page;
    if (!member_page_ask(&clients_of(r->client)->rosters->pages,
                         (struct slice){a->room, a->room_len}, slice_of(a->cursor), a->most,
                         &a->ask))
        request_unavailable(r, OUTCOME_REFUSED);
}

/* A cursor is the score and the id of a member: digits, a space and a name. */
static bool read_cursor(struct request *r, struct json_value value, char out[CURSOR_MAX_SIZE]) {
    if (value.type == JSON_NONE || value.type == JSON_NULL)
        return true;
    ptrdiff_t len =
        value.type == JSON_STRING ? json_decode(value, out, CURSOR_MAX_SIZE - 1) : 0;
    size_t digits = len > 0 ? strspn(out, "0123456789") : 0;
    if (digits > 0 && digits <= 16 && digits + 1 < (size_t)len && out[digits] == ' ')
        return true;
    request_fail(r, ERR_BAD_FIELD, "cursor", "must be one that a page of members had");
    return false;
}

void on_all_member(struct request *r, struct json_value data) {
    static const char *const names[] = {"room", "limit", "cursor"};
    struct json_value f[3];
    struct buf channel;
    uint64_t most = MEMBERS_MOST;
    struct all_member *a = request_state(r, sizeof *a);
    if (a == NULL)
        return;
    r->drop = all_member_drop;
    a->request = r;
    json_fields(data, names, f, 3);
    a->paged = (f[1].type != JSON_NONE && f[1].type != JSON_NULL) ||
               (f[2].type != JSON_NONE && f[2].type != JSON_NULL);
    buf_init(&channel);
    if (field_number(r, f[1], "limit", true, 1, MEMBERS_MOST, &most) &&
        read_cursor(r, f[2], a->cursor) && field_room(r, f[0], &channel)) {
        struct slice room = buf_bytes(&channel);
        struct slice me = client_user(r->client);
        a->most = (unsigned)most;
        a->room_len = room.len < sizeof a->room ? room.len : sizeof a->room;
        memcpy(a->room, room.ptr, a->room_len);
        request_script(r, SCRIPT_member, &room, 1, &me, 1, on_member);
    }
    buf_deinit(&channel);
}
