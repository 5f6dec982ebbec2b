#include "gateway/api/revoke.h"

#include <math.h>
#include <stdlib.h>

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
static void tell(struct api_call *c, struct slice before) {
    char key_bytes[USER_KEY_SIZE];
    struct slice key = api_user_key(api_part(c, 0), key_bytes);
    struct slice args[] = {api_part(c, 0), before, SLICE(KEPT_MS)};
    struct ask *ask = ask_make(sizeof *ask);
    bool sent = ask != NULL && redis_script(redis_partition(c->source->redis, key),
                                            SCRIPT_revoke, &key, 1, args, 3, on_told, ask);
    ask_begun(c, ask, sent);
}

void api_revoke_post(struct api_call *c) {
    char digits[DIGITS_SIZE];
    int64_t ms = before_ms(c->fields[0], auth_now_ms());
    if (ms < 0)
        api_refuse(c, REFUSAL_BAD_FIELD, "before");
    else
        tell(c, slice_digits((uint64_t)ms, digits));
}

void api_disconnect_post(struct api_call *c) {
    tell(c, (struct slice){NULL, 0});
}
