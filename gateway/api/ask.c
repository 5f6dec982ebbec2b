#include "gateway/api/ask.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/percent.h"
#include "common/siphash.h"

#define JSON     "application/json"
#define NO_STORE "Cache-Control: no-store\r\n"

/* --- refusals -------------------------------------------------------------------------------
 */

#define REFUSAL_ROW(symbol, status, code, message) {status, code, message},
static const struct {
    int status;
    const char *code;
    const char *message;
} rows[] = {REFUSAL_TABLE(REFUSAL_ROW)};
#undef REFUSAL_ROW

int api_refusal_status(enum refusal why) {
    return rows[why].status;
}

void api_put_refusal(struct buf *out, enum refusal why, const char *field,
                     enum outcome outcome) {
    buf_printf(out, "{\"error\":{\"code\":\"%s\",\"message\":\"%s%s%s\"", rows[why].code,
               field != NULL ? field : "", field != NULL ? " " : "", rows[why].message);
    if (field != NULL)
        buf_printf(out, ",\"field\":\"%s\"", field);
    if (outcome != OUTCOME_NONE)
        buf_printf(out, ",\"outcome\":\"%s\"", err_outcome(outcome));
    buf_str(out, "}}\n");
}

static const char *extra_of(enum refusal why) {
    return why == REFUSAL_UNAUTHORIZED   ? "WWW-Authenticate: Bearer\r\n"
           : why == REFUSAL_RATE_LIMITED ? "Retry-After: 1\r\n"
                                         : NULL;
}

/* --- at once --------------------------------------------------------------------------------
 */

static void put(const struct api_call *c, int status, const char *type, struct slice body,
                const char *extra) {
    if (c->item != NULL)
        c->item->answered(c->item, status, body);
    else if (c->headed)
        http_answer(c->http, status, type, body, extra);
    else
        http_answer_and_keep(c->http, status, type, body, extra);
}

static void refuse(const struct api_call *c, enum refusal why, const char *field,
                   enum outcome outcome, const char *extra) {
    struct buf body;
    buf_init(&body);
    api_put_refusal(&body, why, field, outcome);
    if (body.failed)
        put(c, 503, JSON, SLICE("{\"error\":{\"code\":\"unavailable\"}}\n"), NULL);
    else
        put(c, rows[why].status, JSON, buf_bytes(&body), extra);
    buf_deinit(&body);
}

void api_refuse(const struct api_call *c, enum refusal why, const char *field) {
    refuse(c, why, field, OUTCOME_NONE, extra_of(why));
}

void api_unavailable(const struct api_call *c, enum outcome outcome) {
    refuse(c, REFUSAL_UNAVAILABLE, NULL, outcome, NULL);
}

void api_refuse_method(const struct api_call *c, const char *allow) {
    char extra[80];
    snprintf(extra, sizeof extra, "Allow: %s\r\n", allow);
    refuse(c, REFUSAL_BAD_METHOD, NULL, OUTCOME_NONE, extra);
}

void api_answer_as(const struct api_call *c, const char *type, struct slice body) {
    put(c, 200, type, body, NO_STORE);
}

void api_answer(const struct api_call *c, struct slice body) {
    api_answer_as(c, JSON, body);
}

/* --- the query ------------------------------------------------------------------------------
 */

ptrdiff_t api_query(const struct api_call *c, const char *name, char *out, size_t cap) {
    size_t len = strlen(name);
    const char *end = slice_end(c->query);
    for (const char *at = c->query.ptr; at < end;) {
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

struct slice api_query_digits(const struct api_call *c, const char *name,
                              char out[DIGITS_SIZE]) {
    ptrdiff_t len = api_query(c, name, out, DIGITS_SIZE);
    return (struct slice){out, len > 0 ? (size_t)len : 0};
}

uint64_t api_query_number(const struct api_call *c, const char *name, uint64_t absent) {
    char digits[DIGITS_SIZE];
    uint64_t n;
    return slice_number(api_query_digits(c, name, digits), UINT64_MAX, &n) ? n : absent;
}

struct slice api_once(const struct api_call *c, char out[ONCE_SIZE]) {
    struct siphash_key key = {0x61706920636f6c6cULL, 0x6964652074776963ULL};
    uint64_t hash = siphash(&key, c->body) ^ siphash(&key, slice_of(c->route->path));
    if (c->item != NULL && c->item->entry.len > 0)
        return c->item->entry;
    if (c->once.len == 0)
        return (struct slice){NULL, 0};
    int len = snprintf(out, ONCE_SIZE, ":api:%s:%.*s %016llx", c->key->name, (int)c->once.len,
                       c->once.ptr, (unsigned long long)hash);
    return (struct slice){out, (size_t)len};
}

struct slice api_user_key(struct slice user, char out[USER_KEY_SIZE]) {
    int len = snprintf(out, USER_KEY_SIZE, "user:%.*s", (int)user.len, user.ptr);
    return (struct slice){out, (size_t)len};
}

/* --- when Redis has answered ----------------------------------------------------------------
 */

static void answer_later(struct ask *ask, int status, struct slice body, const char *extra) {
    struct api_item *item = ask->item;
    if (item == NULL) {
        http_answer_later(&ask->later, status, JSON, body, extra);
        return;
    }
    ask->item = NULL;
    item->ask = NULL;
    item->answered(item, status, body);
}

static void refuse_later(struct ask *ask, enum refusal why, const char *field,
                         enum outcome outcome) {
    struct buf body;
    buf_init(&body);
    api_put_refusal(&body, why, field, outcome);
    answer_later(ask, rows[why].status, buf_bytes(&body), extra_of(why));
    buf_deinit(&body);
}

static void on_late(struct http_later *later) {
    struct ask *ask = container_of(later, struct ask, later);
    refuse_later(ask, REFUSAL_UNAVAILABLE, NULL, ask->writes ? OUTCOME_UNKNOWN : OUTCOME_NONE);
}

void *ask_make(size_t size) {
    struct ask *ask = calloc(1, size);
    if (ask == NULL)
        return NULL;
    ask->later.late = on_late;
    ask->later.keep_errors = true;
    list_init(&ask->link);
    return ask;
}

void ask_free(struct ask *ask) {
    if (ask == NULL)
        return;
    if (ask->counts)
        ask->key->under_way--;
    api_key_unref(ask->key);
    free(ask);
}

void ask_begun(const struct api_call *c, struct ask *ask, bool sent) {
    if (!sent) {
        ask_free(ask);
        api_unavailable(c, c->route->once ? OUTCOME_REFUSED : OUTCOME_NONE);
        return;
    }
    ask->key = api_key_ref(c->key);
    ask->item = c->item;
    ask->counts = c->item == NULL;
    ask->writes = c->route->once;
    if (c->item != NULL) {
        c->item->ask = ask;
        return;
    }
    ask->key->under_way++;
    uint64_t timeout = c->source->options->redis_timeout;
    http_defer(c->http, &ask->later, ask->patience != 0 ? ask->patience : timeout);
}

void api_item_forget(struct api_item *item) {
    if (item->ask != NULL)
        item->ask->item = NULL;
    item->ask = NULL;
}

void ask_refuse(struct ask *ask, enum refusal why, const char *field) {
    refuse_later(ask, why, field, OUTCOME_NONE);
    ask_free(ask);
}

void ask_unavailable(struct ask *ask, enum outcome outcome) {
    refuse_later(ask, REFUSAL_UNAVAILABLE, NULL, outcome);
    ask_free(ask);
}

void ask_answer_late(struct ask *ask, const struct buf *body) {
    if (body->failed || body->len == 0)
        refuse_later(ask, REFUSAL_UNAVAILABLE, NULL, OUTCOME_NONE);
    else
        answer_later(ask, 200, buf_bytes(body), NO_STORE);
}

void ask_answer(struct ask *ask, const struct buf *body) {
    ask_answer_late(ask, body);
    ask_free(ask);
}
