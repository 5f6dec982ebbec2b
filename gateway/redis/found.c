#include "gateway/redis/found.h"

#include "gateway/redis/eval.h"
#include "gateway/redis/pipeline.h"
#include "gateway/redis/scripts.h"

#define KEYS_MOST 20000 /* of one call: a script that goes on to want more is wrong */

bool found_wants(const struct reply *reply) {
    return reply->type == REPLY_ARRAY && reply->count > 0 &&
           reply->items[0]->type == REPLY_INTEGER &&
           reply_number(reply->items[0]) == SCRIPT_FOUND;
}

bool found_tail(struct buf *out, struct slice tail, const struct reply *reply, bool apart,
                unsigned *added) {
    struct slice rest = tail, key;
    char digits[DIGITS_SIZE];
    size_t keys = 0, more = reply->count - 1;
    if (!eval_take_count(&rest, &keys) || more == 0 || keys + more > KEYS_MOST ||
        keys < (apart ? 1 : 0))
        return false;
    const char *begin = rest.ptr;
    for (size_t i = apart ? 1 : 0; i < keys; i++) {
        if (!eval_take(&rest, &key))
            return false;
    }
    resp_bulk(out, slice_digits(keys + more, digits));
    buf_append(out, begin, (size_t)(rest.ptr - begin));
    for (size_t i = 1; i <= more; i++)
        resp_bulk(out, reply_text(reply->items[i]));
    buf_slice(out, rest);
    *added = (unsigned)more;
    return !out->failed;
}
