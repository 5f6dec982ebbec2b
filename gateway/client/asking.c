#include "gateway/client/asking.h"

#include "gateway/client/limits.h"

bool request_check(struct request *r, const struct reply *reply, enum outcome outcome) {
    long long status = reply != NULL ? reply_number(reply_item(reply, 0)) : 0;
    if (reply == NULL)
        request_unavailable(r, outcome);
    else if (status == SCRIPT_NOT_A_MEMBER)
        request_fail(r, ERR_NOT_A_MEMBER, NULL, NULL);
    else if (status == SCRIPT_REAPED)
        request_unavailable(r, OUTCOME_REFUSED);
    else if (status == SCRIPT_REVOKED)
        request_fail(r, ERR_UNAUTHORIZED, "token", "revoked");
    else
        return true;
    return false;
}

void request_script(struct request *r, enum script script, const struct slice keys[],
                    size_t key_count, const struct slice args[], size_t arg_count,
                    redis_done done) {
    struct redis *redis = clients_of(r->client)->redis;
    if (!redis_script_asked(redis_partition(redis, keys[0]), script, keys, key_count, args,
                            arg_count, done, r))
        request_unavailable(r, OUTCOME_REFUSED);
}

void request_sent(struct request *r, enum append_result result) {
    if (result == APPEND_AWAY)
        request_unavailable(r, OUTCOME_REFUSED);
    else if (result == APPEND_NO_MEMORY)
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
}

void request_done(void *arg, const struct reply *reply, enum outcome outcome) {
    struct request *r = arg;
    if (request_check(r, reply, outcome))
        request_ok(r, SLICE("{}"));
}

void request_appended(void *arg, const struct reply *reply, enum outcome outcome) {
    struct request *r = arg;
    struct buf answer;
    if (!request_check(r, reply, outcome))
        return;
    limits_appended(r->client, append_has_cut(reply));
    buf_init(&answer);
    append_put_result(&answer, (uint64_t)reply_number(reply_item(reply, 1)),
                      (uint64_t)reply_number(reply_item(reply, 2)));
    buf_char(&answer, '}');
    request_ok_buf(r, &answer);
    buf_deinit(&answer);
}
