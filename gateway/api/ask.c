#include "gateway/api/ask.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/percent.h"

#define JSON     "application/json"
#define NO_STORE "Cache-Control: no-store\r\n"

/* --- at once --------------------------------------------------------------------------------
 */

struct refusal_answer {
    int status;
    const char *extra;
    char body[200];
};

static void refusal_make(struct refusal_answer *a, enum refusal why, const char *field) {
#define REFUSAL_ROW(symbol, status, code, message) {status, code, message},
    static const struct {
        int status;
        const char *code;
        const char *message;
    } rows[] = {REFUSAL_TABLE(REFUSAL_ROW)};
#undef REFUSAL_ROW
    a->status = rows[why].status;
    a->extra = why == REFUSAL_UNAUTHORIZED ? "WWW-Authenticate: Bearer\r\n"
               : why == REFUSAL_ONLY_READ  ? "Allow: GET, HEAD\r\n"
               : why == REFUSAL_ONLY_POST  ? "Allow: POST\r\n"
                                           : NULL;
    snprintf(a->body, sizeof a->body,
             "{\"error\":{\"code\":\"%s\",\"message\":\"%s%s%s\"%s%s%s}}\n", rows[why].code,
             field != NULL ? field : "", field != NULL ? " " : "", rows[why].message,
             field != NULL ? ",\"field\":\"" : "", field != NULL ? field : "",
             field != NULL ? "\"" : "");
}

void api_refuse(const struct http_request *request, enum refusal why, const char *field) {
    struct refusal_answer a;
    refusal_make(&a, why, field);
    http_answer(request, a.status, JSON, slice_of(a.body), a.extra);
}

void api_answer(const struct http_request *request, struct slice body) {
    http_answer(request, 200, JSON, body, NO_STORE);
}

bool api_user_read(const struct http_request *request, struct slice encoded, struct name *out) {
    ptrdiff_t len = percent_decode(encoded, out->bytes, sizeof out->bytes);
    out->len = (unsigned char)(len > 0 ? len : 0);
    if (name_valid_user(name_slice(out)))
        return true;
    api_refuse(request, REFUSAL_BAD_FIELD, "id");
    return false;
}

struct slice api_user_key(const struct name *user, char out[USER_KEY_SIZE]) {
    int len = snprintf(out, USER_KEY_SIZE, "user:%.*s", (int)user->len, user->bytes);
    return (struct slice){out, (size_t)len};
}

/* --- when Redis has answered ----------------------------------------------------------------
 */

static void refuse_later(struct ask *ask, enum refusal why) {
    struct refusal_answer a;
    refusal_make(&a, why, NULL);
    http_answer_later(&ask->later, a.status, JSON, slice_of(a.body), a.extra);
}

static void on_late(struct http_later *later) {
    refuse_later(container_of(later, struct ask, later), REFUSAL_UNAVAILABLE);
}

void *ask_make(size_t size) {
    struct ask *ask = calloc(1, size);
    if (ask == NULL)
        return NULL;
    ask->later.late = on_late;
    list_init(&ask->link);
    return ask;
}

void ask_begun(const struct api_source *source, const struct http_request *request,
               struct ask *ask, bool sent) {
    if (sent) {
        http_defer(request, &ask->later, source->options->redis_timeout);
        return;
    }
    free(ask);
    api_refuse(request, REFUSAL_UNAVAILABLE, NULL);
}

void ask_refuse(struct ask *ask, enum refusal why) {
    refuse_later(ask, why);
    free(ask);
}

void ask_answer_late(struct ask *ask, const struct buf *body) {
    if (body->failed || body->len == 0)
        refuse_later(ask, REFUSAL_UNAVAILABLE);
    else
        http_answer_later(&ask->later, 200, JSON, buf_bytes(body), NO_STORE);
}

void ask_answer(struct ask *ask, const struct buf *body) {
    ask_answer_late(ask, body);
    free(ask);
}
