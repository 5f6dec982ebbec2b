#include "gateway/api/users.h"

#include "common/percent.h"
#include "common/utf8.h"
#include "gateway/api/json.h"

#define SEARCH_MOST  "100"
#define SEARCH_STEPS "12" /* steps of 250 users each, which take Redis 2 ms in all */
#define CURSOR_MOST  "18446744073709551615"
#define CURSOR_SIZE  (sizeof CURSOR_MOST - 1)

/* --- a page of those that are online --------------------------------------------------------
 */

/* Decodes a parameter of the query and returns its length. -1: it is not there; -2: it is
 * wrong, or too long. */
static ptrdiff_t query_get(struct slice query, const char *name, char *out, size_t cap) {
    size_t len = strlen(name);
    const char *end = slice_end(query);
    for (const char *at = query.ptr; at < end;) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        stop = stop != NULL ? stop : end;
        if ((size_t)(stop - at) > len && at[len] == '=' && memcmp(at, name, len) == 0) {
            struct slice value = {at + len + 1, (size_t)(stop - at) - len - 1};
            ptrdiff_t n = percent_decode(value, out, cap);
            return n < 0 ? -2 : n;
        }
        at = stop + 1;
    }
    return -1;
}

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

static bool is_cursor(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
    }
    return len > 0 && (len < CURSOR_SIZE || memcmp(text, CURSOR_MOST, CURSOR_SIZE) <= 0);
}

/* The parameters of a query. */
struct search {
    struct slice text; /* text that ids or names contain; empty: any */
    struct slice from; /* where the page begins */
    char text_bytes[NAME_MAX_LEN];
    char from_bytes[CURSOR_SIZE];
};

/* Returns the parameter that is wrong, or NULL. */
static const char *search_read(struct search *s, struct slice query) {
    ptrdiff_t len = query_get(query, "search", s->text_bytes, sizeof s->text_bytes);
    ptrdiff_t digits = query_get(query, "cursor", s->from_bytes, sizeof s->from_bytes);
    s->text = (struct slice){s->text_bytes, len > 0 ? (size_t)len : 0};
    s->from = digits == -1 ? SLICE("0") : (struct slice){s->from_bytes, (size_t)digits};
    if (len == -2 || !is_text(s->text))
        return "search";
    return digits == -2 || !is_cursor(s->from.ptr, s->from.len) ? "cursor" : NULL;
}

static void on_online(void *arg, const struct reply *reply, enum outcome outcome) {
    struct buf body;
    (void)outcome;
    buf_init(&body);
    if (reply != NULL)
        api_put_online(&body, reply);
    ask_answer(arg, &body);
    buf_deinit(&body);
}

void api_online_get(const struct api_source *source, const struct http_request *request) {
    struct search s;
    char glob[2 * NAME_MAX_LEN + 2];
    const char *wrong = search_read(&s, request->query);
    if (wrong != NULL) {
        api_refuse(request, REFUSAL_BAD_FIELD, wrong);
        return;
    }
    struct slice args[] = {
        s.text, {glob, glob_of(s.text, glob)}, s.from, SLICE(SEARCH_MOST), SLICE(SEARCH_STEPS)};
    struct ask *ask = ask_make();
    bool sent = ask != NULL && redis_script(redis_at(source->redis, 0), SCRIPT_search, NULL, 0,
                                            args, 5, on_online, ask);
    ask_begun(source, request, ask, sent);
}

/* --- one user -------------------------------------------------------------------------------
 */

static void on_user(void *arg, const struct reply *reply, enum outcome outcome) {
    struct ask *ask = arg;
    struct buf body;
    (void)outcome;
    if (reply != NULL && reply_number(reply_item(reply, 0)) != 0) {
        ask_refuse(ask, REFUSAL_NOT_FOUND);
        return;
    }
    buf_init(&body);
    if (reply != NULL)
        api_put_user(&body, name_slice(&ask->user), reply);
    ask_answer(ask, &body);
    buf_deinit(&body);
}

void api_user_get(const struct api_source *source, const struct http_request *request,
                  struct slice id) {
    struct name user;
    char key_bytes[USER_KEY_SIZE];
    if (!api_user_read(request, id, &user))
        return;
    struct slice key = api_user_key(&user, key_bytes);
    struct ask *ask = ask_make();
    if (ask != NULL)
        ask->user = user;
    bool sent = ask != NULL && redis_script(redis_partition(source->redis, key), SCRIPT_user,
                                            &key, 1, NULL, 0, on_user, ask);
    ask_begun(source, request, ask, sent);
}
