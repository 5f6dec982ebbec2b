#include "gateway/api/users.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/utf8.h"
#include "gateway/api/json.h"
#include "gateway/redis/spread.h"

#define SEARCH_MOST  100
#define SEARCH_STEPS 12 /* steps of 250 users each, which take Redis 2 ms in all */
#define CURSOR_MOST  "18446744073709551615"
#define CURSOR_SIZE  (sizeof CURSOR_MOST - 1)

/* --- a page of those that are online --------------------------------------------------------
 */

/* Writes `*text*`, with the wildcards in the text escaped. */
static size_t glob_of(struct slice text, char out[2 * NAME_MAX_LEN + 2]) {
    size_t n = 0;
    out[n++] = '*';
    for (size_t i = 0; i < text.len; i++) {
        if (strchr("*?[]\\", text.ptr[i]) != NULL)
            out[n++] = '\\';
        out[n++] = text.ptr[i];
    }
    if (text.len > 0)
        out[n++] = '*';
    return n;
}

static bool is_text(struct slice s) {
    return utf8_valid(s) && (s.len == 0 || memchr(s.ptr, '\0', s.len) == NULL);
}

static bool is_cursor(struct slice text) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    }
    bool full = text.len == CURSOR_SIZE;
    return text.len > 0 && text.len <= CURSOR_SIZE &&
           (!full || memcmp(text.ptr, CURSOR_MOST, CURSOR_SIZE) <= 0);
}

#define FROM_SIZE (CURSOR_SIZE + 3) /* "63:" stands before it */

/*
 * A page is searched in one partition of Redis after the other, until enough is found or looked
 * at. A partition that is down is left out. With one Redis the cursor is that of ZSCAN; else
 * the partition's number and a colon stand before it. Since the users of a partition come in no
 * order, the one whose id is the text is asked for first.
 */
struct search {
    struct ask ask;
    const struct api_source *source;
    struct answers
        found;       /* the first is that about the exact id, the others by partition + 1 */
    size_t text_len; /* ids contain it; 0: any */
    size_t from_len;
    unsigned partition; /* of the next step, or of the one under way */
    unsigned asked;     /* of the one under way: where `found` has its answer */
    unsigned count;     /* users found */
    unsigned steps;     /* left */
    uint64_t skipped;   /* a bit for each partition that is down */
    bool over;          /* no partition follows */
    char text[NAME_MAX_LEN];
    char from[FROM_SIZE]; /* where the partition's next step begins */
};

static struct slice search_text(const struct search *s) {
    return (struct slice){s->text, s->text_len};
}

static struct slice search_from(const struct search *s) {
    return (struct slice){s->from, s->from_len};
}

static void search_from_set(struct search *s, struct slice cursor) {
    s->from_len = cursor.len < CURSOR_SIZE ? cursor.len : CURSOR_SIZE;
    memmove(s->from, cursor.ptr, s->from_len);
}

/* Takes the partition off the cursor that was given. False: it has a wrong form. */
static bool read_cursor(struct search *s) {
    struct slice from = search_from(s);
    unsigned count = s->source->redis->count;
    if (count > 1 && !slice_is(from, "0")) {
        const char *colon = memchr(from.ptr, ':', from.len);
        size_t len = colon != NULL ? (size_t)(colon - from.ptr) : 0;
        if (len == 0 || len > 2 || !is_cursor((struct slice){from.ptr, len}))
            return false;
        s->partition = (unsigned)(from.ptr[0] - '0');
        if (len == 2)
            s->partition = s->partition * 10 + (unsigned)(from.ptr[1] - '0');
        from = (struct slice){colon + 1, from.len - len - 1};
    }
    if (!is_cursor(from) || s->partition >= count)
        return false;
    search_from_set(s, from);
    return true;
}

/* Returns the parameter that is wrong, or NULL. */
static const char *search_read(struct search *s, const struct api_call *c) {
    ptrdiff_t len = api_query(c, "search", s->text, sizeof s->text);
    ptrdiff_t from = api_query(c, "cursor", s->from, sizeof s->from);
    s->text_len = len > 0 ? (size_t)len : 0;
    s->from_len = from > 0 ? (size_t)from : 0;
    if (from == -1)
        search_from_set(s, SLICE("0"));
    if (len == -2 || !is_text(search_text(s)))
        return "search";
    return from == -2 || !read_cursor(s) ? "cursor" : NULL;
}

static bool is_done(const struct search *s) {
    return s->over || s->count >= SEARCH_MOST || s->steps == 0;
}

static void put_page(const struct search *s, struct buf *body) {
    char cursor[FROM_SIZE + 1];
    struct online_page page = {.skipped = s->skipped};
    page.parted = s->source->redis->count > 1;
    if (page.parted) {
        page.exact = search_text(s);
        snprintf(cursor, sizeof cursor, "%u:%.*s", s->partition, (int)s->from_len, s->from);
    } else {
        snprintf(cursor, sizeof cursor, "%.*s", (int)s->from_len, s->from);
    }
    if (!s->over)
        page.cursor = slice_of(cursor);
    if (answers_first(&s->found) != NULL)
        api_put_online(body, &page, &s->found);
}

static void search_end(struct search *s) {
    struct buf body;
    buf_init(&body);
    if (ask_is_open(&s->ask))
        put_page(s, &body);
    answers_deinit(&s->found);
    ask_answer(&s->ask, &body);
    buf_deinit(&body);
}

static void next_partition(struct search *s) {
    s->over = s->partition + 1 == s->source->redis->count;
    s->partition += !s->over;
    search_from_set(s, SLICE("0"));
}

static void skip(struct search *s, unsigned partition) {
    s->skipped |= 1ULL << partition;
}

static void search_go_on(struct search *s);

static void on_found(void *arg, const struct reply *reply, enum outcome outcome) {
    struct search *s = arg;
    struct slice cursor = reply_text(reply_item(reply, 2));
    (void)outcome;
    answers_put(&s->found, s->asked, reply);
    s->count += (unsigned)reply_item(reply, 3)->count;
    if (s->asked == 0) {
        search_go_on(s); /* that was about the exact id */
        return;
    }
    if (reply != NULL)
        s->steps = (unsigned)reply_number(reply_item(reply, 4));
    else
        skip(s, s->partition);
    if (reply == NULL || slice_is(cursor, "0")) {
        next_partition(s);
        s->steps++; /* a partition may be small */
    } else {
        search_from_set(s, cursor);
    }
    search_go_on(s);
}

/* Asks a partition. steps 0: only for the exact id. */
static bool search_ask(struct search *s, unsigned partition, unsigned steps) {
    char glob[2 * NAME_MAX_LEN + 2], most[DIGITS_SIZE], left[DIGITS_SIZE];
    bool alone = s->source->redis->count == 1;
    struct slice text = search_text(s);
    struct slice args[] = {alone || steps == 0 ? text : SLICE(""),
                           {glob, glob_of(text, glob)},
                           steps == 0 ? SLICE("0") : search_from(s),
                           slice_digits(SEARCH_MOST - s->count, most),
                           slice_digits(steps, left)};
    s->asked = steps == 0 ? 0 : partition + 1;
    return redis_script(redis_at(s->source->redis, partition), SCRIPT_search, NULL, 0, args, 5,
                        on_found, s);
}

static void search_go_on(struct search *s) {
    while (ask_is_open(&s->ask) && !is_done(s)) {
        if (search_ask(s, s->partition, s->steps))
            return;
        skip(s, s->partition);
        next_partition(s);
    }
    search_end(s);
}

/* The partition that is being asked may be about to go down. The page ends there. */
static void on_late(struct http_later *later) {
    struct search *s = container_of(later, struct search, ask.later);
    struct buf body;
    if (s->asked > 0) {
        skip(s, s->partition);
        next_partition(s);
    }
    buf_init(&body);
    put_page(s, &body);
    ask_answer_late(&s->ask, &body);
    buf_deinit(&body);
}

/* Sends the first question. False: no partition can be asked. */
static bool search_begin(struct search *s) {
    char key_bytes[USER_KEY_SIZE];
    struct redis *redis = s->source->redis;
    bool begins = s->partition == 0 && slice_is(search_from(s), "0");
    s->steps = SEARCH_STEPS;
    if (!answers_init(&s->found, redis->count + 1))
        return false;
    if (redis->count > 1 && begins && s->text_len > 0) {
        struct name user;
        name_set(&user, search_text(s));
        struct partition *p =
            redis_partition(redis, api_user_key(name_slice(&user), key_bytes));
        if (search_ask(s, p->index, 0))
            return true;
        skip(s, p->index);
    }
    for (; !s->over; next_partition(s)) {
        if (search_ask(s, s->partition, s->steps))
            return true;
        skip(s, s->partition);
    }
    answers_deinit(&s->found);
    return false;
}

void api_online_get(struct api_call *c) {
    struct search *s = ask_make(sizeof *s);
    const char *wrong = NULL;
    if (s != NULL) {
        s->source = c->source;
        s->ask.later.late = on_late;
        wrong = search_read(s, c);
    }
    if (wrong != NULL) {
        ask_free(&s->ask);
        api_refuse(c, REFUSAL_BAD_FIELD, wrong);
        return;
    }
    bool sent = s != NULL && search_begin(s);
    ask_begun(c, s != NULL ? &s->ask : NULL, sent);
}

/* --- one user -------------------------------------------------------------------------------
 */

static void on_user(void *arg, const struct reply *reply, enum outcome outcome) {
    struct ask *ask = arg;
    struct buf body;
    (void)outcome;
    if (reply != NULL && reply_number(reply_item(reply, 0)) != 0) {
        ask_refuse(ask, REFUSAL_NOT_FOUND, NULL);
        return;
    }
    buf_init(&body);
    if (reply != NULL)
        api_put_user(&body, name_slice(&ask->user), reply);
    ask_answer(ask, &body);
    buf_deinit(&body);
}

void api_user_get(struct api_call *c) {
    char key_bytes[USER_KEY_SIZE];
    struct slice key = api_user_key(api_part(c, 0), key_bytes);
    struct ask *ask = ask_make(sizeof *ask);
    if (ask != NULL)
        name_set(&ask->user, api_part(c, 0));
    bool sent = ask != NULL && redis_script(redis_partition(c->source->redis, key), SCRIPT_user,
                                            &key, 1, NULL, 0, on_user, ask);
    ask_begun(c, ask, sent);
}

/* --- many users -----------------------------------------------------------------------------
 */

#define ASKED_AT_ONCE 250 /* by a script, so that it stays short */
#define ASKED_MOST    1000

/* The ids of the body are kept as names, since they point into it. */
struct online_ask {
    struct ask ask;
    size_t count;
    unsigned pending;
    bool failed;
    struct slice *ids; /* owned, and so are the texts */
    char *texts;
    bool *online; /* owned; by id */
};

struct online_part {
    struct online_ask *all;
    size_t first, count;
};

static void online_free(struct online_ask *a) {
    if (a == NULL)
        return;
    free(a->ids);
    free(a->texts);
    free(a->online);
    a->ids = NULL;
    a->texts = NULL;
    a->online = NULL;
}

static void put_online(struct buf *out, const struct online_ask *a) {
    bool first = true;
    buf_str(out, "{\"online\":[");
    for (size_t i = 0; i < a->count; i++) {
        if (!a->online[i])
            continue;
        buf_str(out, first ? "" : ",");
        json_escape(out, a->ids[i]);
        first = false;
    }
    buf_str(out, "]}\n");
}

static void online_over(struct online_ask *a) {
    struct buf out;
    if (--a->pending > 0)
        return;
    buf_init(&out);
    if (!a->failed)
        put_online(&out, a);
    online_free(a);
    ask_answer(&a->ask, &out);
    buf_deinit(&out);
}

static void on_connected(void *arg, const struct spread *s, bool all, enum outcome outcome) {
    struct online_part part = *(struct online_part *)arg;
    (void)outcome;
    free(arg);
    part.all->failed |= !all;
    for (size_t i = 0; i < part.count; i++)
        part.all->online[part.first + i] = reply_number(spread_item(s, i, 0)) != 0;
    online_over(part.all);
}

static bool ask_connected(struct online_ask *a, struct redis *redis, size_t first) {
    struct slice names[ASKED_AT_ONCE], none = {NULL, 0};
    char(*bytes)[USER_KEY_SIZE] = calloc(ASKED_AT_ONCE, sizeof *bytes);
    struct online_part *part = malloc(sizeof *part);
    size_t left = a->count - first, count = left < ASKED_AT_ONCE ? left : ASKED_AT_ONCE;
    bool sent = bytes != NULL && part != NULL;
    for (size_t i = 0; i < count && sent; i++)
        names[i] = api_user_key(a->ids[first + i], bytes[i]);
    if (sent) {
        *part = (struct online_part){.all = a, .first = first, .count = count};
        sent = spread_ask(redis, SCRIPT_connected, names, count, none, NULL, 1, on_connected,
                          part);
    }
    free(bytes);
    if (!sent)
        free(part);
    return sent;
}

static bool keep_ids(struct online_ask *a, struct json_value ids) {
    struct json_iter it;
    char *at;
    a->ids = calloc(ASKED_MOST, sizeof *a->ids);
    a->online = calloc(ASKED_MOST, sizeof *a->online);
    a->texts = at = malloc(ids.raw.len);
    if (a->ids == NULL || a->online == NULL || at == NULL)
        return false;
    json_iter_init(&it, ids);
    while (json_iter_next(&it)) {
        struct name id;
        if (!name_from_json(it.value, true, &id))
            return false; /* the table has checked them */
        memcpy(at, id.bytes, id.len);
        a->ids[a->count++] = (struct slice){at, id.len};
        at += id.len;
    }
    return true;
}

void api_users_online_post(struct api_call *c) {
    struct online_ask *a = ask_make(sizeof *a);
    bool sent = a != NULL && keep_ids(a, c->fields[0]);
    if (sent && a->count == 0) {
        online_free(a);
        ask_free(&a->ask);
        api_answer(c, SLICE("{\"online\":[]}\n"));
        return;
    }
    for (size_t i = 0; sent && i < a->count; i += ASKED_AT_ONCE) {
        if (ask_connected(a, c->source->redis, i))
            a->pending++;
        else
            a->failed = true;
    }
    sent = sent && a->pending > 0;
    if (!sent)
        online_free(a);
    ask_begun(c, a != NULL ? &a->ask : NULL, sent);
}
