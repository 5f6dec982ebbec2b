#include "gateway/presence/member_page.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "gateway/channel/name.h"
#include "gateway/redis/spread.h"

#define FIRST 4 /* item of the script's answer: the first member */
#define ITEMS 2 /* of each member */

/* A read under way, and those that wait for it. */
struct member_read {
    struct redis *redis;
    struct reply *members; /* owned: the answer, while the profiles are asked for; or NULL */
    struct list link;
    struct list waiting;
    unsigned most;
    size_t room_len;
    char room[CHANNEL_NAME_SIZE];
    char cursor[CURSOR_MAX_SIZE];
};

void member_pages_init(struct member_pages *all, struct redis *redis) {
    all->redis = redis;
    list_init(&all->reads);
}

struct member_page *member_page_ref(struct member_page *page) {
    page->refs++;
    return page;
}

void member_page_unref(struct member_page *page) {
    if (page == NULL || --page->refs > 0)
        return;
    buf_deinit(&page->text);
    free(page->rows);
    free(page);
}

static void put_row(struct buf *out, const struct reply *reply, size_t at,
                    const struct spread *profiles, size_t i) {
    bool online = reply_number(reply_item(reply, at + 1)) != 0;
    struct slice id = reply_text(reply_item(reply, at));
    struct slice name = reply_text(spread_item(profiles, i, 0));
    struct slice role = reply_text(spread_item(profiles, i, 1));
    buf_str(out, "{\"id\":");
    json_escape_any(out, id);
    buf_str(out, ",\"role\":");
    json_escape_any(out, role.len > 0 ? role : SLICE("user"));
    buf_str(out, ",\"username\":");
    json_escape_any(out, name.len > 0 ? name : id);
    buf_str(out, online ? ",\"online\":true" : ",\"online\":false");
}

/* The rows point into the text, which must have its last place before. */
static bool read_rows(struct member_page *page, const struct reply *reply,
                      const struct spread *profiles) {
    for (size_t i = 0; i < page->count; i++) {
        struct member_row *row = &page->rows[i];
        size_t at = FIRST + i * ITEMS;
        row->id.len = reply_text(reply_item(reply, at)).len;
        buf_slice(&page->text, reply_text(reply_item(reply, at)));
        size_t begin = page->text.len;
        put_row(&page->text, reply, at, profiles, i);
        row->json.len = page->text.len - begin;
    }
    const char *at = page->text.data;
    for (size_t i = 0; i < page->count && !page->text.failed; i++) {
        struct member_row *row = &page->rows[i];
        row->id.ptr = at;
        row->json.ptr = at + row->id.len;
        at = row->json.ptr + row->json.len;
    }
    return !page->text.failed;
}

/* profiles: not used if nobody is on the page. NULL: no memory. */
static struct member_page *page_make(const struct reply *reply, const struct spread *profiles) {
    struct member_page *page = calloc(1, sizeof *page);
    struct slice cursor = reply_text(reply_item(reply, 3));
    if (page == NULL)
        return NULL;
    page->refs = 1;
    buf_init(&page->text);
    page->total = (unsigned long long)reply_number(reply_item(reply, 1));
    page->online = (unsigned long long)reply_number(reply_item(reply, 2));
    if (cursor.len < sizeof page->cursor)
        memcpy(page->cursor, cursor.ptr, cursor.len);
    page->count = reply->count > FIRST ? (reply->count - FIRST) / ITEMS : 0;
    page->rows = calloc(page->count + 1, sizeof *page->rows);
    if (page->rows != NULL && read_rows(page, reply, profiles))
        return page;
    member_page_unref(page);
    return NULL;
}

/* Tells those that wait. page: NULL if there is none. */
static void read_end(struct member_read *read, struct member_page *page, enum outcome outcome) {
    list_remove(&read->link);
    while (!list_empty(&read->waiting)) {
        struct member_ask *ask = container_of(read->waiting.next, struct member_ask, link);
        list_remove(&ask->link);
        ask->done(ask, page, outcome);
    }
    member_page_unref(page);
    free(read->members);
    free(read);
}

static void on_profiles(void *arg, const struct spread *s, bool all, enum outcome outcome) {
    struct member_read *read = arg;
    read_end(read, all ? page_make(read->members, s) : NULL, outcome);
}

static bool ask_profiles(struct member_read *read, const struct reply *reply) {
    size_t count = (reply->count - FIRST) / ITEMS;
    struct slice none = {NULL, 0};
    struct slice *names = calloc(count, sizeof *names);
    char(*bytes)[CHANNEL_NAME_SIZE] = calloc(count, sizeof *bytes);
    read->members = reply_copy(reply);
    bool asked = names != NULL && bytes != NULL && read->members != NULL;
    for (size_t i = 0; i < count && asked; i++) {
        struct slice id = reply_text(reply_item(reply, FIRST + i * ITEMS));
        id.len = id.len < NAME_MAX_LEN ? id.len : NAME_MAX_LEN; /* no node wrote a longer one */
        names[i] = user_channel(id, bytes[i]);
    }
    asked = asked && spread_ask(read->redis, SCRIPT_profiles, names, count, none, NULL, 2,
                                on_profiles, read);
    free(names);
    free(bytes);
    return asked;
}

static void on_page(void *arg, const struct reply *reply, enum outcome outcome) {
    struct member_read *read = arg;
    bool any = reply != NULL && reply->count > FIRST;
    if (any && ask_profiles(read, reply))
        return;
    if (any)
        read_end(read, NULL, OUTCOME_REFUSED);
    else
        read_end(read, reply != NULL ? page_make(reply, NULL) : NULL, outcome);
}

static struct member_read *find(struct member_pages *all, struct slice room,
                                struct slice cursor, unsigned most) {
    for (struct list *at = all->reads.next; at != &all->reads; at = at->next) {
        struct member_read *read = container_of(at, struct member_read, link);
        struct slice its = {read->room, read->room_len};
        if (read->most == most && slice_eq(its, room) && slice_is(cursor, read->cursor))
            return read;
    }
    return NULL;
}

static struct member_read *read_begin(struct member_pages *all, struct slice room,
                                      struct slice cursor, unsigned most) {
    char digits[DIGITS_SIZE];
    struct slice args[] = {slice_digits(most, digits), cursor};
    struct member_read *read = calloc(1, sizeof *read);
    if (read == NULL || room.len > sizeof read->room || cursor.len >= sizeof read->cursor ||
        !redis_script_asked(redis_partition(all->redis, room), SCRIPT_members, &room, 1, args,
                            2, on_page, read)) {
        free(read);
        return NULL;
    }
    read->redis = all->redis;
    list_init(&read->waiting);
    list_push(&all->reads, &read->link);
    read->most = most;
    read->room_len = room.len;
    memcpy(read->room, room.ptr, room.len);
    if (cursor.len > 0)
        memcpy(read->cursor, cursor.ptr, cursor.len);
    return read;
}

bool member_page_ask(struct member_pages *all, struct slice room, struct slice cursor,
                     unsigned most, struct member_ask *ask) {
    struct member_read *read = find(all, room, cursor, most);
    if (read == NULL)
        read = read_begin(all, room, cursor, most);
    if (read == NULL)
        return false;
    list_push(&read->waiting, &ask->link);
    return true;
}
