#include "gateway/api/revoke.h"

#include <math.h>
#include <stdlib.h>

#include "common/json.h"
#include "common/utf8.h"
#include "gateway/auth/auth.h"

#define KEPT_MS  "2592000000" /* 30 days: for how long a revocation counts */
#define AHEAD_MS 60000        /* a time that is further ahead is a mistake */

static void on_told(void *arg, const struct reply *reply, enum outcome outcome) {
    struct ask *ask = arg;
    struct buf body;
    (void)outcome;
    buf_init(&body);
    if (reply != NULL)
        buf_str(&body, "{}");
    ask_answer(ask, &body);
    buf_deinit(&body);
}

/* Reads the body, which may be empty, and its member. Returns false after a refusal. */
static bool read_body(const struct http_request *request, struct json_value *before) {
    static const char *const names[] = {"before"};
    struct json_value value;
    *before = (struct json_value){.type = JSON_NONE};
    if (request->body.len == 0)
        return true;
    if (!utf8_valid(request->body) || json_parse(request->body, &value) != JSON_OK ||
        value.type != JSON_OBJECT) {
        api_refuse(request, REFUSAL_BAD_JSON, NULL);
        return false;
    }
    json_fields(value, names, before, 1);
    return true;
}

/* The time in ms, rounded up, so that nothing that was issued before is left out. -1: it is no
 * time, or too far ahead. */
static int64_t before_ms(struct json_value before, int64_t now) {
    char digits[64];
    if (before.type == JSON_NONE)
        return now / 1000 * 1000 + 1000;
    if (before.type != JSON_NUMBER || before.raw.len >= sizeof digits)
        return -1;
    memcpy(digits, before.raw.ptr, before.raw.len);
    digits[before.raw.len] = '\0';
    double ms = ceil(strtod(digits, NULL) * 1000 - 0.001);
    return ms >= 0 && ms <= (double)(now + AHEAD_MS) ? (int64_t)ms : -1;
}

/* before: in ms; empty to close connections alone. */
static void tell(const struct api_source *source, const struct http_request *request,
                 struct slice id, struct slice before) {
    struct name user;
    char key_bytes[USER_KEY_SIZE];
    if (!api_user_read(request, id, &user))
        return;
    struct slice key = api_user_key(&user, key_bytes);
    struct slice args[] = {name_slice(&user), before, SLICE(KEPT_MS)};
    struct ask *ask = ask_make(sizeof *ask);
    bool sent = ask != NULL && redis_script(redis_partition(source->redis, key), SCRIPT_revoke,
                                            &key, 1, args, 3, on_told, ask);
    ask_begun(source, request, ask, sent);
}

void api_revoke_post(const struct api_source *source, const struct http_request *request,
                     struct slice id) {
    char digits[DIGITS_SIZE];
    struct json_value before;
    if (!read_body(request, &before))
        return;
    int64_t ms = before_ms(before, auth_now_ms());
    if (ms < 0)
        api_refuse(request, REFUSAL_BAD_FIELD, "before");
    else
        tell(source, request, id, slice_digits((uint64_t)ms, digits));
}

void api_disconnect_post(const struct api_source *source, const struct http_request *request,
                         struct slice id) {
    struct json_value none;
    struct slice empty = {NULL, 0};
    if (read_body(request, &none))
        tell(source, request, id, empty);
}
