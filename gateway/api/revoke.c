#include "gateway/api/revoke.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/auth/auth.h"
#include "gateway/channel/name.h"

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

/* --- connections, and those of a room -------------------------------------------------------
 */

/* name: a channel, in whose partition the news are told. */
static void tell_news(struct api_call *c, struct slice name, const struct buf *news) {
    struct slice args[] = {buf_bytes(news)};
    struct ask *ask = ask_make(sizeof *ask);
    bool sent = ask != NULL && !news->failed &&
                redis_script(redis_partition(c->source->redis, name), SCRIPT_tell, &name, 1,
                             args, 1, on_told, ask);
    ask_begun(c, ask, sent);
}

void api_socket_disconnect_post(struct api_call *c) {
    char name[CHANNEL_NAME_SIZE];
    struct buf news;
    int len =
        snprintf(name, sizeof name, "socket:%.*s", (int)c->parts[0].len, c->parts[0].bytes);
    buf_init(&news);
    buf_str(&news, "{\"event\":\"disconnected\",\"socket\":");
    json_escape(&news, api_part(c, 0));
    buf_char(&news, '}');
    tell_news(c, (struct slice){name, (size_t)len}, &news);
    buf_deinit(&news);
}

void api_room_disconnect_post(struct api_call *c) {
    char name[CHANNEL_NAME_SIZE];
    struct buf news;
    buf_init(&news);
    buf_str(&news, "{\"event\":\"disconnected\",\"room\":");
    json_escape(&news, api_part(c, 0));
    if (c->fields[0].type != JSON_NONE) {
        buf_str(&news, ",\"except\":");
        buf_slice(&news, c->fields[0].raw);
    }
    buf_char(&news, '}');
    tell_news(c, room_channel(api_part(c, 0), name), &news);
    buf_deinit(&news);
}
